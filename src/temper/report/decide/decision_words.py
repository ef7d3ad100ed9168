"""The choice of a workload as a sentence: what to serve and its figures, or why nothing can be chosen and what to do."""

import math
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from temper.orchestration.jobs import checkout_of
from temper.report.decide.compared import ComparedStudy
from temper.report.decide.compared_accuracy import Missing, Paired
from temper.report.decide.decided import DecidedWorkload
from temper.report.decide.evidence import BUSY, ratio_in
from temper.report.formats import judged_by

LISTED = 4  # names in a sentence; the rest is a number


def remeasure_command() -> str:
    """What takes the cells of the study of the working directory once more that do not hold, as a sentence names it."""
    here, checkout = Path().resolve(), checkout_of()
    if here == checkout:
        return "make remeasure"
    if here.parent == checkout / "studies":
        return f"make remeasure STUDY={here.name}"
    if here.is_relative_to(checkout):
        return f"temper run -C {shlex.quote(here.relative_to(checkout).as_posix())} --again remeasure"
    return "snakemake --cores 1 --forcerun remeasure"


def offered_budget(points: float) -> float:
    """The next tenth of a percentage point at or above a budget that can be decided."""
    return math.ceil(round(10 * points, 6)) / 10


def _names(names: Sequence[str]) -> str:
    rest = len(names) - LISTED
    return ", ".join(names[:LISTED]) + (f" and {rest} more" if rest > 0 else "")


def _digits(value: float) -> str:
    """About three significant digits: 0.93, 2.00, 11.5, 153."""
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def _speed(comparison: ComparedStudy, workload: str, name: str) -> str:
    if name == comparison.baseline:
        return "the baseline itself"
    ratio = ratio_in(comparison.candidates[name].workloads[workload])
    own, low, high = (_digits(1 / value) for value in (ratio.ratio, ratio.high, ratio.low))
    return f"{own} × [{low}, {high}] as fast as {comparison.baseline}"


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")


def loss_in_words(paired: Paired, baseline: str) -> str:
    """What a candidate may lose: 'no label of 500 differs from torch-fp32's, so it loses at most 0.74 points (95 %)'."""
    count, rows = paired.labels_differing, f"{paired.rows:,}"
    bound = f"it loses at most {paired.loses_at_most_points:.2f} points (95 %)"
    if not count:
        return f"no label of {rows} differs from {baseline}'s, so {bound}"
    return f"{count:,} of {rows} labels differ from {baseline}'s, by which {bound}"


def _accuracy(comparison: ComparedStudy, name: str) -> str:
    accuracy, paired = comparison.candidates[name].accuracy, comparison.candidates[name].paired
    if isinstance(accuracy, Missing):
        return f"{judged_by(comparison)} not known"
    found = f"{judged_by(comparison)} {100 * accuracy.judged:.2f} %"
    if paired is None or paired.is_baseline or paired.verdict != "within":
        return found
    points, low, high = map(
        _signed, (paired.difference_points, paired.difference_low_points, paired.difference_high_points)
    )
    return f"{found}, {points} points [{low}, {high}] of a budget of {comparison.budget_points:g}"


def budget_offer(comparison: ComparedStudy, name: str | None = None) -> str:
    """Which budget the test rows can decide, and what to do for a verdict; '' without answers.

    Args:
        comparison: of the report.
        name: a candidate whose own flips may ask for a larger budget or more rows; None: one without any flip.
    """
    reach = comparison.budget_in_reach
    if reach is None:
        return ""
    budget, needed = reach.decidable_budget_points, reach.rows_to_decide
    offered = f"{reach.rows:,} rows can decide a budget of {budget:.2f} points"
    paired = None if name is None else comparison.candidates[name].paired
    if paired is not None:
        budget = max(budget, -paired.difference_low_points)
        needed = max(needed, paired.rows_that_would_decide or 0)
    return (
        f"{offered}: set analysis.accuracy_budget_points to {offered_budget(budget):g}, or bring {needed:,} test rows"
    )


def _warning(model: Mapping[str, Any]) -> str:
    """The gravest of the model's warnings, in few words; '' where there is none."""
    if not model.get("warnings"):
        return ""
    if "only_label" not in model:
        return f". Warning: {model['warnings'][0]}"
    if model["only_label"] is not None:
        return f". Warning: the model answers '{model['only_label']}' to every row"
    return f". Warning: the model is not shown to be better than always answering '{model['majority_label']}'"


def disturbed(comparison: ComparedStudy, workload: str, why: Mapping[str, str | None]) -> list[str]:
    """Candidates that are left out for a disturbed latency alone: their accuracy is not beyond the budget."""
    return [
        name
        for name, reason in why.items()
        if reason is not None
        and reason.startswith("latency disturbed")
        and comparison.candidates[name].accuracy_verdict in ("within", "undecided")
    ]


def left_open_in_words(names: Sequence[str]) -> str:
    """What a choice leaves open, and what to do: 'Left open: a, b may be faster (the figures do not hold); make remeasure …'."""
    return f"Left open: {_names(names)} may be faster (the figures do not hold); {remeasure_command()} takes them once more"


def choice_sentence(
    comparison: ComparedStudy, workload: str, choice: DecidedWorkload, why: Mapping[str, str | None], decided: str
) -> str:
    """The choice and its figures.

    Args:
        comparison: of the report.
        workload: its name.
        choice: what was decided for it, all but the sentence.
        why: the reason that excludes each candidate, None for those that are eligible.
        decided: what made it the preferred one among equals, 'needs the least memory'; '' where time alone did.
    """
    name = choice.chosen
    assert name is not None
    how = "provisionally " if choice.may_change else ""
    said = f"{workload}: {how}{name}, {_speed(comparison, workload, name)}, {_accuracy(comparison, name)}"
    if choice.not_told_apart:
        said += f"; not told apart in time from {_names(choice.not_told_apart)}"
        said += f", of which it {decided}" if decided else ""
    paired = comparison.candidates[name].paired
    if choice.provisional and paired is not None:
        said += f". Provisional: {loss_in_words(paired, comparison.baseline)}; {budget_offer(comparison, name)}"
    left_out = [other for other in disturbed(comparison, workload, why) if other not in choice.left_open]
    if left_out:
        said += f". Disturbed and left out: {_names(left_out)}"
    if choice.left_open:
        said += f". {left_open_in_words(choice.left_open)}"
    return said + _warning(comparison.model)


def no_choice_sentence(comparison: ComparedStudy, workload: str, why: Mapping[str, str | None]) -> str:
    """Why nothing can be chosen, and what to do."""
    cells = {
        name: entry.workloads[workload]
        for name, entry in comparison.candidates.items()
        if workload in entry.workloads and not isinstance(entry.accuracy, Missing)
    }
    timed = [cell for cell in cells.values() if cell.is_measured]
    if not timed:
        lost = Counter(cell.reason for cell in cells.values()).most_common(1)
        said = f"{workload}: no choice: no candidate was measured" + (f": {lost[0][0]}" if lost else "")
        busy = any(cell.cause == BUSY for cell in cells.values())
        return f"{said}; close other programs, then {remeasure_command()} tries it again" if busy else said
    if not any(cell.holds for cell in timed):
        (reason, _), *_ = Counter(cell.why_not for cell in timed).most_common(1)
        return (
            f"{workload}: no choice: none of its {len(timed)} measurements holds ({reason}); close other programs, then "
            f"{remeasure_command()} takes them once more"
        )
    held = Counter(str(why[name]).partition(":")[0] for name, cell in cells.items() if cell.holds)
    counted = ", ".join(f"{count} {reason}" for reason, count in held.most_common())
    return f"{workload}: no choice: of the candidates whose latency holds {counted}"
