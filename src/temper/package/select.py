"""Which candidate is packaged, and what speaks against it."""

from dataclasses import dataclass

from temper.errors import ConfigError, restated
from temper.measurement.record import Accuracy
from temper.package.runtime.answers import KINDS
from temper.package.runtime_at import NOTHING_WRITTEN
from temper.prediction.choice import Choice, choose
from temper.report.decide.compared_workload import ComparedWorkload
from temper.report.decide.evidence import BUSY
from temper.report.finished import Finished
from temper.tasks.task import task_of


@dataclass(frozen=True)
class Selected:
    """A candidate with its verdict.

    Attributes:
        choice: the candidate, its record and its words.
        chosen: whether the decision chose it for the workload.
        latency: 'holds', 'disturbed', 'busy' or 'not measured': of the workload.
        accuracy: 'within', 'undecided', 'beyond' or 'none': against the study's budget.
        against: what speaks against handing it over, in words; empty where nothing does.
    """

    choice: Choice
    chosen: bool
    latency: str
    accuracy: str
    against: tuple[str, ...]


def _workload(finished: Finished, candidate: str | None, verb: str) -> str:
    """The workload whose decision is meant where none is named.

    Raises:
        ConfigError: the decision chose differently for different workloads.
    """
    workloads = finished.decision.workloads
    if candidate is not None:
        own = finished.comparison.candidates.get(candidate)
        timed = own.workloads if own else {}
        return str(next((name for name in workloads if name in timed), next(iter(workloads))))
    chosen = {name: own.chosen for name, own in workloads.items() if own.chosen is not None}
    if len(set(chosen.values())) > 1:
        said = "; ".join(f"{own} for {name}" for name, own in chosen.items())
        raise ConfigError(
            asked=f"{verb} what the decision chose",
            happened=f"it chose {said}",
            affected=NOTHING_WRITTEN,
            fix="name the workload that is meant: --workload " + " or ".join(chosen),
        )
    return str(next(iter(chosen or workloads)))


def _latency(cell: ComparedWorkload | None) -> tuple[str, str]:
    """Of a cell of the comparison: its state, and what speaks against it ('' where nothing)."""
    if cell is None:
        return "not measured", "its latency was not measured on this workload"
    if cell.holds:
        return "holds", ""
    if not cell.is_measured:
        return "busy" if cell.cause == BUSY else "not measured", f"its latency was not measured: {cell.why_not}"
    return "disturbed", f"its latency is disturbed: {cell.why_not}"


def _accuracy(finished: Finished, candidate: str) -> tuple[str, str]:
    """Its verdict against the budget, and what speaks against it ('' where nothing)."""
    own, budget = finished.comparison.candidates[candidate], finished.comparison.budget_points
    if (paired := own.paired) is None:
        return "none", f"it has no verdict: {own.why_not_paired}"
    if paired.verdict == "beyond":
        return "beyond", f"its accuracy is beyond the budget of {budget:g} points"
    if paired.verdict == "undecided" and -paired.difference_points > budget:
        return "undecided", f"its accuracy is undecided, and its estimate is beyond the budget of {budget:g} points"
    return paired.verdict, ""


def select(
    finished: Finished, *, workload: str | None, candidate: str | None, anyway: bool, verb: str = "package"
) -> Selected:
    """The candidate that is to be packaged.

    Args:
        finished: the study's report.
        workload: whose decision counts; None where the decision is the same for all.
        candidate: its name; None takes the decision's.
        anyway: take it also where its verdict speaks against it.
        verb: what was asked for, in an error's words: package or serve.

    Raises:
        ConfigError: there is no such candidate or workload, the decision chose none, or several; it needs a GPU that is not
            here; or, without `anyway`, its accuracy is beyond the budget or without a verdict, or its latency does not hold.
        ArtifactError: its record is not the one that the report was made from.
    """
    meant = workload or _workload(finished, candidate, verb)
    with restated(NOTHING_WRITTEN, {"predict with": verb}):
        choice = choose(finished, candidate=candidate, workload=meant, rows=1)
    answers = choice.record.accuracy
    task = answers.task if isinstance(answers, Accuracy) else None
    if task not in KINDS:
        raise ConfigError(
            asked=f"{verb} {choice.candidate} for {meant}",
            happened=f"its answers are {task_of(task).TITLE}, which the runtime of a package does not give",
            affected=NOTHING_WRITTEN,
            fix="temper predict answers with it where Temper is installed",
        )
    cell = finished.comparison.cell(choice.candidate, meant)
    latency, slow = _latency(cell)
    accuracy, lossy = _accuracy(finished, choice.candidate)
    against = tuple(filter(None, (lossy, slow)))
    if against and not anyway:
        raise ConfigError(
            asked=f"{verb} {choice.candidate} for {meant}",
            happened="; ".join(against),
            affected=NOTHING_WRITTEN,
            fix="--anyway packages it all the same, and its model card says so; or leave out --candidate, which takes what "
            "the decision chose",
        )
    decided = finished.decision.workloads[meant].chosen
    return Selected(choice, choice.candidate == decided, latency, accuracy, against)
