"""Every candidate against the baseline: paired accuracy, latency verdicts, and why a lower precision is not faster."""

from collections.abc import Mapping, Sequence
from typing import Any

from temper.environment.machine import KIND
from temper.errors import ArtifactError
from temper.measurement.record import LatencyRatio, NotMeasured, Record, Workload
from temper.measurement.remeasurements import baseline_level_ms
from temper.report.decide.agreement import agreements
from temper.report.decide.evidence import DISTURBED, baseline_moved, why_not
from temper.report.decide.explanation import not_faster
from temper.report.decide.paired_accuracy import budget_in_reach, compare_accuracy, model_worth
from temper.statistics.ratio import Ratio, verdict

SCHEMA_VERSION = 2  # 1 had choices that rested on disturbed measurements
Json = dict[str, Any]


def disturbance(workload: Workload) -> float:
    """How far the latency beside the baseline is from the latency alone: 0.1 is 10 % slower beside it."""
    if workload.real_lengths:
        return workload.latency_mean_ms / workload.alone_mean_ms - 1
    ordered = sorted(workload.latencies_ms)
    return ordered[(len(ordered) - 1) // 2] / workload.alone_median_ms - 1


def compare_latency(record: Record, name: str, reference: Record | None, margin: float) -> Json:
    """The ratio of one workload with its verdict, whether it holds, and whether the baseline beside it slowed the candidate.

    Args:
        record: of the candidate.
        name: of the workload.
        reference: record of the candidate that is the baseline itself.
        margin: `analysis.latency_margin`.

    Returns:
        The cell of comparison.json. `holds` says whether conclusions may rest on it, `why_not` why they may not; a ratio
        that was measured and does not hold has the verdict 'disturbed', neither win, loss nor tie.
    """
    workload = record.workloads[name]
    reason = why_not(record, name, reference, margin)
    held: Json = {"holds": not reason} | ({"why_not": reason} if reason else {})
    if isinstance(workload, NotMeasured):
        return workload.model_dump(mode="json") | held
    slowed, moved = disturbance(workload), baseline_moved(record, name, reference)
    found: Json = {
        **held,
        "baseline_level_ms": baseline_level_ms(workload),
        "disturbance": slowed,
        "disturbed": abs(slowed) > margin,
        "throughput_samples_per_s": max(workload.throughput_samples_per_s.values()),
        "throughput_callers": max(
            workload.throughput_samples_per_s, key=lambda callers: workload.throughput_samples_per_s[callers]
        ),
    }
    if moved is not None and abs(moved) > margin:
        found["baseline_moved"] = moved
    if not isinstance(workload.ratio, LatencyRatio):
        return {**workload.ratio.model_dump(mode="json"), **found}
    ratio = Ratio(workload.ratio.ratio, workload.ratio.low, workload.ratio.high)
    said = DISTURBED if reason else verdict(ratio, margin)
    return {**workload.ratio.model_dump(mode="json"), "verdict": said, **found}


def noise(baseline: Record | None) -> Json:
    """What the baseline beside itself shows, by workload: the smallest ratio that this machine could have told from 1."""
    if baseline is None:
        return {}
    found: Json = {}
    for name, workload in baseline.workloads.items():
        ratio = workload.ratio if isinstance(workload, Workload) else workload
        if isinstance(ratio, LatencyRatio):
            found[name] = {
                "ratio": ratio.ratio,
                "low": ratio.low,
                "high": ratio.high,
                "smallest_difference_told": max(ratio.high - 1, 1 - ratio.low, (ratio.high - ratio.low) / 2),
            }
        else:
            found[name] = ratio.model_dump(mode="json")
    return found


def _check_inputs(records: Sequence[Record]) -> None:
    """Every candidate was timed on the same inputs, by their digests."""
    first: dict[str, tuple[str, str]] = {}
    for record in records:
        for name, workload in record.workloads.items():
            if not isinstance(workload, Workload):
                continue
            other, digest = first.setdefault(name, (record.candidate, workload.inputs_sha256))
            if digest != workload.inputs_sha256:
                raise ArtifactError(
                    asked=f"compare {record.candidate} with {other} on the workload {name}",
                    happened="they were timed on different inputs, by the digests in their records",
                    affected="the report; nothing was written",
                    fix="temper sync, and measure what it names anew: the records do not come from one state of the study",
                )


def _check_machine(records: Sequence[Record]) -> None:
    """Every candidate was measured on one kind of machine, as far as both of two records tell (older ones tell less)."""
    measured = [record for record in records if record.status == "measured"]
    for record in measured[1:]:
        first, other = measured[0].machine, record.machine
        moved = [key for key in KIND if key in first and key in other and first[key] != other[key]]
        gpus = (measured[0].gpus, record.gpus)
        if moved or (all(gpus) and gpus[0] != gpus[1]):
            what = (
                f"{moved[0]} is {first[moved[0]]} and {other[moved[0]]}"
                if moved
                else f"GPUs are {gpus[0]} and {gpus[1]}"
            )
            raise ArtifactError(
                asked=f"compare {record.candidate} with {measured[0].candidate}",
                happened=f"they were measured on two kinds of machine: {what}",
                affected="the report; nothing was written, and nothing of two machines stands in one ratio",
                fix="measure all of them on one: temper run there; or name both machines in params.yaml (machines:)",
            )


def compare_records(
    study: str,
    records: Sequence[Record],
    baseline: str,
    analysis: Mapping[str, Any],
    engines: Mapping[str, Mapping[str, Any]],
) -> Json:
    """Every candidate against the baseline: artifacts/report/comparison.json.

    Args:
        study: its name, which its records need not know.
        records: of all candidates, in the order of params.yaml.
        baseline: the candidate that is the baseline itself.
        analysis: the section of that name.
        engines: the section of that name: which ONNX file each engine was built from.

    Raises:
        ArtifactError: two candidates were timed on different inputs, or on two kinds of machine.
    """
    _check_machine(records)
    _check_inputs(records)
    reference = next((record for record in records if record.candidate == baseline), None)
    margin = analysis["latency_margin"]
    cells = {
        record.candidate: {name: compare_latency(record, name, reference, margin) for name in record.workloads}
        for record in records
    }
    for record in records:
        for name, cell in cells[record.candidate].items():
            cell |= not_faster(record, name, records, cells, margin)
    return {
        "schema_version": SCHEMA_VERSION,
        "study": study,
        "baseline": baseline,
        "analysis": dict(analysis),
        "noise": noise(reference),
        "model": model_worth(reference),
        "budget_in_reach": budget_in_reach(reference, analysis["accuracy_budget_points"]),
        "candidates": {
            record.candidate: {
                "accuracy": compare_accuracy(
                    record, reference, analysis["accuracy_budget_points"], analysis.get("metric")
                ),
                "workloads": cells[record.candidate],
            }
            for record in records
        },
        "agreement": [pair.as_json() for pair in agreements(records, engines)],
    }
