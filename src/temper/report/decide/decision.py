"""Which candidate to serve: the fastest that the evidence allows, the Pareto front, and what was left out and why."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from temper.measurement.record import LatencyRatio, Record
from temper.report.decide.compared import ComparedStudy
from temper.report.decide.compared_accuracy import Missing
from temper.report.decide.compared_workload import ComparedWorkload
from temper.report.decide.decided import DecidedWorkload, Decision, OnFront
from temper.report.decide.decision_words import choice_sentence, no_choice_sentence, remeasure_command
from temper.report.decide.evidence import BUSY, DISTURBED, does_hold, told_apart
from temper.report.decide.explanation import low_precision
from temper.report.formats import judged_by
from temper.report.tables import MIB

ALIKE = 0.05  # peaks and sizes this close count as equal: a peak is that of one process, read once
_KINDS = ("checkpoint", "onnx", "engines")  # simpler first: what is loaded as it is, exported, built for one machine


def _excluded(comparison: ComparedStudy, name: str, workload: str) -> str | None:
    """Why a candidate cannot be chosen for a workload; None where it can."""
    compared, timed = comparison.candidates[name], comparison.cell(name, workload)
    if timed is None:
        return "does not run this workload"
    if not timed.is_measured:
        return f"latency not measured: {timed.reason}"
    if not timed.holds:
        return f"latency disturbed: {timed.why_not}"
    if isinstance(compared.accuracy, Missing):
        return f"accuracy not measured: {compared.accuracy.reason}"
    paired = compared.paired
    if paired is None:
        return f"accuracy not compared: {compared.why_not_paired}"
    if paired.verdict == "within":
        return None
    points = (
        f"{paired.difference_points:+.2f} points "
        f"[{paired.difference_low_points:+.2f}, {paired.difference_high_points:+.2f}]"
    )
    if paired.verdict == "beyond":
        return f"beyond the {judged_by(comparison)} budget: {points}"
    needed = paired.rows_that_would_decide
    alike = "" if paired.labels_differing else f", no label of {paired.rows:,} differs"
    return f"undecided against the {judged_by(comparison)} budget: {points}{alike}" + (
        f"; {needed:,} rows would decide" if needed else ""
    )


def _possible(comparison: ComparedStudy, workload: str, eligible: Sequence[str]) -> list[str]:
    """Candidates of which one may be chosen provisionally; [] where the evidence suffices for a choice.

    Where the test rows could not show any candidate to be within the budget, not even one without a flip, and nothing is
    within it but the baseline itself: those that hold, are undecided, and by their estimate are within it.
    """
    reach, budget = comparison.budget_in_reach, comparison.budget_points
    if reach is None or reach.decidable_budget_points <= budget:
        return []
    paired = {name: compared.paired for name, compared in comparison.candidates.items()}
    if any(own is not None and not own.is_baseline for own in (paired[name] for name in eligible)):
        return []
    return [
        name
        for name, own in paired.items()
        if does_hold(comparison, workload, name)
        and own is not None
        and own.verdict == "undecided"
        and own.difference_points >= -budget
    ]


def _peak_mib(record: Record, *, of_gpu: bool) -> float:
    memory = record.memory
    found = None if memory is None else memory.gpu_peak_mib if of_gpu else memory.peak_rss_running_mib
    return float("inf") if found is None else found


def _size_mib(record: Record) -> float:
    return float("inf") if record.artifact is None else record.artifact.size_bytes / MIB


def _complexity(record: Record) -> tuple[int, bool]:
    """Steps from the checkpoint to what is loaded: the kind of artifact, and whether its precision was lowered."""
    kind = record.artifact.loads.partition("/")[0] if record.artifact else ""
    return (_KINDS.index(kind) if kind in _KINDS else len(_KINDS), low_precision(record) is not None)


def preferred(equals: Sequence[Record]) -> tuple[Record, str]:
    """The smallest and simplest of candidates that are not told apart in time, and what decided, in words.

    In this order, each among what the ones before leave: peak memory (of the GPU where all of them have one, else of the
    host), size on disk, both within ALIKE; then the shorter way from the checkpoint: a checkpoint before an ONNX file before
    an engine, an original precision before a lowered one; then the first given, which is the fastest by its estimate.
    """
    if len(equals) == 1:
        return equals[0], ""
    of_gpu = all(record.memory is not None and record.memory.gpu_peak_mib is not None for record in equals)
    left, decided = list(equals), ""
    peaks = {record.candidate: _peak_mib(record, of_gpu=of_gpu) for record in equals}
    sizes = {record.candidate: _size_mib(record) for record in equals}
    for name, costs in (("memory", peaks), ("room on disk", sizes)):
        least = min(costs[record.candidate] for record in left)
        kept = [record for record in left if costs[record.candidate] <= (1 + ALIKE) * least]
        if len(kept) < len(left):
            decided = f"needs the least {name} ({costs[kept[0].candidate]:,.1f} MiB)"
        left = kept
    simplest = min(left, key=_complexity)  # the first of equals
    if len({_complexity(record) for record in left}) > 1:
        decided = "has the shortest way from the checkpoint"
    return simplest, decided or "is the fastest by its estimate"


def _is_dominated(own: OnFront, other: OnFront) -> bool:
    no_worse = all(
        (
            other.latency_ratio <= own.latency_ratio,
            other.accuracy >= own.accuracy,
            other.peak_rss_mib <= own.peak_rss_mib,
        )
    )
    return no_worse and replace(other, candidate=own.candidate) != own


def _pareto_front(records: Sequence[Record], comparison: ComparedStudy, workload: str) -> tuple[OnFront, ...]:
    """Candidates whose latency holds and that no other beats in latency, accuracy and memory together."""
    points: list[OnFront] = []
    for record in records:
        accuracy, cell = comparison.candidates[record.candidate].accuracy, comparison.cell(record.candidate, workload)
        if cell is None or not cell.holds or isinstance(accuracy, Missing) or record.memory is None:
            continue
        peak = record.memory.peak_rss_running_mib
        points.append(OnFront(record.candidate, cell.taken.ratio, accuracy.judged, peak))
    return tuple(own for own in points if not any(_is_dominated(own, other) for other in points))


def _left_open(comparison: ComparedStudy, workload: str, chosen: str, *, provisional: bool) -> tuple[str, ...]:
    """Candidates that might have been chosen, had the machine been quiet: they were busy or disturbed, and are not shown slower.

    A disturbed ratio still bounds: were the baseline beside the candidate alone slower than beside itself, the true ratio is
    that much larger; were the whole machine, it is the ratio itself. Both would have to lie above the chosen one's interval.
    """
    found, verdicts = [], ("within", "undecided") if provisional else ("within",)
    beside_itself = comparison.cell(comparison.baseline, workload)
    best = comparison.candidates[chosen].workloads[workload].taken
    for name, compared in comparison.candidates.items():
        cell = compared.workloads.get(workload)
        if cell is None or cell.holds or compared.accuracy_verdict not in verdicts:
            continue
        faster = cell.cause == BUSY
        if isinstance(cell.ratio, LatencyRatio):
            faster = cell.ratio.low * min(1.0, _shift(cell, beside_itself)) <= best.high
        found += [name] if faster else []
    return tuple(found)


def _shift(cell: ComparedWorkload, beside_itself: ComparedWorkload | None) -> float:
    """The baseline's level beside a candidate over that beside itself; 1 where one of them was not measured."""
    level, reference = cell.baseline_level_ms, beside_itself.baseline_level_ms if beside_itself else None
    return level / reference if level and reference else 1.0


def _decide_workload(records: Mapping[str, Record], comparison: ComparedStudy, workload: str) -> DecidedWorkload:
    def ratio(name: str) -> float:
        return comparison.candidates[name].workloads[workload].taken.ratio

    why = {name: _excluded(comparison, name, workload) for name in comparison.candidates}
    excluded = {name: reason for name, reason in why.items() if reason is not None}
    eligible = [name for name in why if name not in excluded]
    pool = [*eligible, *_possible(comparison, workload, eligible)]
    found = DecidedWorkload(
        chosen=None,
        not_told_apart=(),
        latency_ratio=None,
        pareto_front=_pareto_front(list(records.values()), comparison, workload),
        excluded=excluded,
        warnings=tuple(comparison.warnings),
    )
    if not pool:
        return replace(found, sentence=no_choice_sentence(comparison, workload, why))
    pool.sort(key=ratio)
    equals = [pool[0], *(name for name in pool[1:] if not told_apart(comparison, workload, name, pool[0]))]
    # where time does not tell them apart, what is shown to be within the budget comes before what may be
    certain = [name for name in equals if name in eligible] or equals
    best, decided = preferred([records[name] for name in certain])
    chosen, provisional = best.candidate, best.candidate not in eligible
    paired = comparison.candidates[chosen].paired
    found = replace(
        found,
        chosen=chosen,
        provisional=provisional,
        not_told_apart=tuple(name for name in equals if name != chosen),
        latency_ratio=ratio(chosen),
        loses_at_most_points=paired.loses_at_most_points if paired else None,
        left_open=_left_open(comparison, workload, chosen, provisional=provisional),
        excluded={name: reason for name, reason in excluded.items() if name != chosen},
    )
    return replace(found, sentence=choice_sentence(comparison, workload, found, why, decided))


def decide(records: Sequence[Record], comparison: ComparedStudy) -> Decision:
    """The choice per workload: artifacts/report/decision.json.

    Only candidates whose latency holds and whose accuracy is within the budget can be chosen. The fastest of them and all
    that are not told apart from it (temper/report/decide/evidence.py: by their own intervals and by what this machine can tell)
    are equals, of which the smallest and simplest is chosen (`preferred`). Where the test rows are too few to show anything
    to be within the budget, the choice may be provisional: the same, among the baseline and those whose estimate is within
    it; `provisional`, `loses_at_most_points` and the sentence say so. What is beyond the budget is never chosen.

    Args:
        records: of all candidates.
        comparison: what `compare_records` made of them.
    """
    workloads = list(dict.fromkeys(name for record in records for name in record.workloads))
    by_name = {record.candidate: record for record in records}
    cells = (
        cell
        for compared in comparison.candidates.values()
        if not isinstance(compared.accuracy, Missing)  # what measuring itself costs is chosen by nobody
        for cell in compared.workloads.values()
    )
    return Decision(
        study=comparison.study,
        baseline=comparison.baseline,
        accuracy_budget_points=comparison.analysis["accuracy_budget_points"],
        workloads={name: _decide_workload(by_name, comparison, name) for name in workloads},
        remeasure=remeasure_command() if any(cell.verdict == DISTURBED for cell in cells) else None,
    )
