"""Every candidate against the baseline: paired accuracy, latency verdicts, and why a lower precision is not faster."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from temper.environment.machine import KIND
from temper.errors import ArtifactError
from temper.measurement.record import LatencyRatio, NotMeasured, Record, Workload
from temper.measurement.remeasurements import baseline_level_ms
from temper.report.decide.agreement import agreements
from temper.report.decide.compared import ComparedCandidate, ComparedStudy, Noise
from temper.report.decide.compared_workload import ComparedWorkload, Timed
from temper.report.decide.evidence import DISTURBED, baseline_moved, why_not
from temper.report.decide.explanation import not_faster
from temper.report.decide.paired_accuracy import budget_in_reach, compare_accuracy, model_worth
from temper.statistics.ratio import Ratio, verdict


def disturbance(workload: Workload) -> float:
    """How far the latency beside the baseline is from the latency alone: 0.1 is 10 % slower beside it."""
    if workload.real_lengths:
        return workload.latency_mean_ms / workload.alone_mean_ms - 1
    ordered = sorted(workload.latencies_ms)
    return ordered[(len(ordered) - 1) // 2] / workload.alone_median_ms - 1


def compare_latency(record: Record, name: str, reference: Record | None, margin: float) -> ComparedWorkload:
    """The ratio of one workload with its verdict, whether it holds, and whether the baseline beside it slowed the candidate.

    Args:
        record: of the candidate.
        name: of the workload.
        reference: record of the candidate that is the baseline itself.
        margin: `analysis.latency_margin`.

    Returns:
        All of the cell but why a lower precision is not faster. A ratio that was measured and does not hold has the verdict
        'disturbed', neither win, loss nor tie.
    """
    workload = record.workloads[name]
    reason = why_not(record, name, reference, margin)
    if isinstance(workload, NotMeasured):
        return ComparedWorkload(workload, reason)
    slowed, moved = disturbance(workload), baseline_moved(record, name, reference)
    callers, most = max(workload.throughput_samples_per_s.items(), key=lambda each: each[1])
    said: str | None = None
    if isinstance(workload.ratio, LatencyRatio):
        ratio = Ratio(workload.ratio.ratio, workload.ratio.low, workload.ratio.high)
        said = DISTURBED if reason else verdict(ratio, margin)
    return ComparedWorkload(
        ratio=workload.ratio,
        why_not=reason,
        verdict=said,
        timed=Timed(baseline_level_ms(workload), slowed, abs(slowed) > margin, most, callers),
        baseline_moved=moved if moved is not None and abs(moved) > margin else None,
    )


def noise(baseline: Record | None) -> dict[str, Noise | NotMeasured]:
    """What the baseline beside itself shows, by workload: the smallest ratio that this machine could have told from 1."""
    found: dict[str, Noise | NotMeasured] = {}
    for name, workload in ({} if baseline is None else baseline.workloads).items():
        ratio = workload.ratio if isinstance(workload, Workload) else workload
        if isinstance(ratio, LatencyRatio):
            least = max(ratio.high - 1, 1 - ratio.low, (ratio.high - ratio.low) / 2)
            found[name] = Noise(ratio.ratio, ratio.low, ratio.high, least)
        else:
            found[name] = ratio
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
) -> ComparedStudy:
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
    budget = analysis["accuracy_budget_points"]
    candidates = {}
    for record in records:
        explained = {
            name: replace(cell, not_faster=not_faster(record, name, records, cells, margin))
            for name, cell in cells[record.candidate].items()
        }
        accuracy = compare_accuracy(record, reference, budget, analysis.get("metric"))
        candidates[record.candidate] = ComparedCandidate(accuracy, explained)
    return ComparedStudy(
        study=study,
        baseline=baseline,
        analysis=dict(analysis),
        noise=noise(reference),
        model=model_worth(reference),
        budget_in_reach=budget_in_reach(reference, budget),
        candidates=candidates,
        agreement=tuple(agreements(records, engines)),
    )
