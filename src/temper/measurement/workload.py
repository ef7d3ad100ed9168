"""A workload of a record, out of what a measurement's processes answered."""

from collections.abc import Collection, Mapping
from typing import Any

from temper.artifacts.signature import BATCH_AXIS, SEQUENCE_AXIS
from temper.measurement.latency import Timing
from temper.measurement.processes import Json
from temper.measurement.record import LatencyRatio, NotMeasured, Record, Workload
from temper.measurement.timed_inputs import REAL_LENGTHS
from temper.statistics.tail import calls_needed

_OF_ALONE = (
    *("alone_median_ms", "alone_mean_ms", "alone_calls", "device_time_ms", "device_time_reason"),
    *("throughput_samples_per_s", "throughput_left_out"),
)


def _latency_figures(latencies_ns: list[int], percentiles: list[float]) -> Json:
    timing = Timing(latencies_ns)
    enough = {p: len(latencies_ns) >= calls_needed(p) for p in percentiles}
    return {
        "latencies_ms": [latency / 1e6 for latency in latencies_ns],
        "latency_percentiles_ms": {f"{p:g}": timing.percentile_ms(p) for p in percentiles if enough[p]},
        "percentiles_left_out": {
            f"{p:g}": f"it needs {calls_needed(p)} calls, {len(latencies_ns)} were timed"
            for p in percentiles
            if not enough[p]
        },
        "latency_mean_ms": timing.mean_ms,
        "timed_runs": len(latencies_ns),
    }


def _flat(blocks: list[list[int]]) -> list[int]:
    return [latency for block in blocks for latency in block]


def _ratio(found: Json, taken: Json) -> LatencyRatio | NotMeasured:
    if "ratio" not in found:
        return NotMeasured(reason=found.get("why_no_ratio") or taken["why_no_ratio"])
    why_apart = taken.get("why_apart")
    return LatencyRatio(
        statistic=found["statistic"],
        **found["ratio"],
        taken="in turns" if why_apart is None else "apart",
        why_apart=why_apart,
        stopped=found.get("stopped"),
    )


def workload_of(
    name: str, sizes: Mapping[str, Any], taken: Json, measurement: Mapping[str, Any]
) -> Workload | NotMeasured:
    """A workload as the record holds it.

    Args:
        name: of the workload.
        sizes: its row of `workloads:`.
        taken: what `Processes.take` returned.
        measurement: the section of that name.
    """
    if name in taken["busy"]:
        return NotMeasured(cause="busy", **taken["busy"][name])
    if name in taken["lost"]:
        return NotMeasured(reason=f"out of memory: {taken['lost'][name]}")
    found, alone = taken["workloads"][name], taken["alone"]["workloads"][name]
    latencies, baseline = _flat(found["latencies_ns"]), found.get("baseline_latencies_ns")
    return Workload(
        batch_size=sizes[BATCH_AXIS],
        sequence_length=sizes.get(SEQUENCE_AXIS),
        real_lengths=sizes.get(REAL_LENGTHS),
        calls_per_turn=measurement["calls_per_turn"],
        baseline_latencies_ms=None if baseline is None else [latency / 1e6 for latency in _flat(baseline)],
        candidate_first=found.get("candidate_first"),
        ratio=_ratio(found, taken),
        sequential_samples_per_s=found["samples"] / (sum(latencies) / 1e9),
        padding_share=found["padding_share"],
        computed_padding_share=found["computed_padding_share"],
        inputs_sha256=found["inputs_sha256"],
        executed=taken["alone"]["executed"][name],
        contention=found["contention"],
        **alone,
        **_latency_figures(latencies, measurement["percentiles"]),
    )


def alone_of(record: Record, names: Collection[str]) -> Json | None:
    """What a record tells of its candidate alone, in the form that a process answers; None where it lacks one of the
    workloads."""
    found = {name: record.workloads.get(name) for name in names}
    measured = {name: each for name, each in found.items() if isinstance(each, Workload)}
    if len(measured) < len(found):
        return None
    return {
        "workloads": {name: {key: getattr(each, key) for key in _OF_ALONE} for name, each in measured.items()},
        "executed": {name: each.executed for name, each in measured.items()},
        "lost": {},
        "busy": {},
    }
