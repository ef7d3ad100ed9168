"""What is another than in an earlier state of a study: settings, candidates, choices; each figure changed or within noise."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from temper.comparison.experiments import ABSENT, Experiment, changed_params
from temper.comparison.pairs import accuracy_pairs, latency_pairs
from temper.comparison.rows import Row, candidate_row
from temper.measurement.record import Record
from temper.report.decide.decided import Decision
from temper.report.filed import baseline_of
from temper.report.page.material import Change, Changes
from temper.statistics.multiple_comparisons import FAMILY_WISE, holm


def _baseline(experiment: Experiment) -> Record | None:
    try:
        return experiment.records.get(experiment.compared.get("baseline") or baseline_of(experiment.params))
    except (StopIteration, KeyError):
        return None


def _row(experiment: Experiment, candidate: str) -> Row:
    compared: Mapping[str, Any] = experiment.compared.get("candidates", {}).get(candidate, {})
    return candidate_row({experiment.name: {}}, experiment.records[candidate], compared, _baseline(experiment))


def _choices(decision: Decision | None) -> dict[str, str]:
    return {name: own.chosen or "no choice" for name, own in decision.workloads.items()} if decision else {}


def changes(
    now: Experiment, then: Experiment, decisions: tuple[Decision | None, Decision | None], margin: float
) -> Changes:
    """Hold one state against another: every candidate that both have, accuracy by its answers, latency by its ratio's quotient.

    p-values are corrected by Holm over all figures; what is not shown to differ beyond the margin is within noise.

    Args:
        now: this state.
        then: the other.
        decisions: of both, now first; None where there is none.
        margin: difference of latencies that does not count, as a share.
    """
    both = [name for name in now.records if name in then.records]
    found: list[tuple[Change, float | None]] = []
    for name in both:
        if now.records[name].backend["runner"] != "null":
            found += _of_candidate(_row(now, name), _row(then, name), margin)
    corrected = iter(holm([p for _, p in found if p is not None]))
    figures = [change if p is None else _told(change, next(corrected)) for change, p in found]
    own, other = map(_choices, decisions)
    workloads = dict.fromkeys([*own, *other])
    settings = [now.settings, then.settings]
    return Changes(
        name=then.name,
        settings=[
            (key, str(settings[1].get(key, ABSENT)), str(settings[0].get(key, ABSENT)))
            for key in changed_params([now, then])
        ],
        appeared=[name for name in now.records if name not in then.records],
        gone=[name for name in then.records if name not in now.records],
        choices=[
            (name, other.get(name, ABSENT), own.get(name, ABSENT))
            for name in workloads
            if own.get(name) != other.get(name)
        ],
        figures=figures,
        pairs=sum(p is not None for _, p in found),
    )


def _told(change: Change, corrected: float) -> Change:
    """The change with its word, by the corrected p-value."""
    if corrected >= FAMILY_WISE:
        said = "within noise"
    else:
        assert change.change is not None
        said = "better" if change.change[0] > (0 if change.what == "accuracy" else 1) else "worse"
    return replace(change, said=said)


def _of_candidate(now: Row, then: Row, margin: float) -> list[tuple[Change, float | None]]:
    """Its figures with their p-values; None for those that cannot be compared."""
    found: list[tuple[Change, float | None]] = []
    name, verdicts = now.candidate, (then.accuracy_verdict, now.accuracy_verdict)
    before, after = (None if row.accuracy is None else 100 * row.accuracy for row in (then, now))
    pairs = accuracy_pairs([now, then])
    if pairs:
        points = (pairs[0].difference_points, pairs[0].low_points, pairs[0].high_points)
        found.append((Change(name, "accuracy", before, after, points, verdicts, ""), pairs[0].mcnemar_exact_p))
    elif before is not None and after is not None:
        reason = "not compared: other test rows"
        found.append((Change(name, "accuracy", before, after, None, verdicts, reason), None))
    for workload in dict.fromkeys([*now.cells, *then.cells]):
        own, other = now.cells.get(workload), then.cells.get(workload)
        told = (other.verdict if other else None, own.verdict if own else None)
        slower, faster = (None if cell is None else 1 / cell.ratio for cell in (other, own))
        timed = latency_pairs([now, then], [workload], margin) if own and other else []
        if timed:
            speeds = (1 / timed[0].ratio, 1 / timed[0].high, 1 / timed[0].low)
            found.append((Change(name, workload, slower, faster, speeds, told, ""), timed[0].p))
        else:
            reason = _why_not(now, then, workload)
            found.append((Change(name, workload, slower, faster, None, told, reason), None))
    return found


def _why_not(now: Row, then: Row, workload: str) -> str:
    """Why two latencies have no quotient."""
    own, other = now.cells.get(workload), then.cells.get(workload)
    if own is None or other is None:
        return "not measured then" if other is None else "not measured now"
    if own.holds is not True or other.holds is not True:
        return "not compared: does not hold " + ("now" if own.holds is not True else "then")
    return "not compared: another machine, baseline or inputs"
