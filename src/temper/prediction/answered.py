"""From rows to answers by the artifact that a study's decision chose, or that somebody named."""

from temper.data.examples import Examples
from temper.errors import BackendError, Unavailable
from temper.prediction.answer import Answers, answer, check_artifact, prepared
from temper.prediction.choice import Choice, choose, instead
from temper.report.finished import Finished
from temper.tasks.task import task_of


def answered(
    finished: Finished,
    examples: Examples,
    *,
    candidate: str | None,
    workload: str | None,
    batch_size: int | None,
    strict: bool,
) -> tuple[Choice, dict[str, str], Answers]:
    """Answer with the study in the working directory.

    Args:
        finished: its report.
        examples: texts or images, checked.
        candidate: its name; None takes the decision's.
        workload: whose decision counts; None takes the one nearest to the number of rows.
        batch_size: rows of a call; None: as many as when the accuracy was measured.
        strict: refuse rows that would be cut, and calls that do not fit.

    Returns:
        Which candidate answered and why, SHA-256 of its files by name, and the answers.

    Raises:
        ConfigError: no such candidate or workload, the decision chose none, or (`strict`) a call does not fit.
        ArtifactError: the artifact or its preprocessing is not what was measured.
        DataError: an image cannot be read; with `strict`, a row is too long.
        BackendError: this machine lacks what the backend needs, memory ran out, or an answer is not a number.
    """
    choice = choose(finished, candidate=candidate, workload=workload, rows=len(examples))
    files = check_artifact(choice)
    data = finished.params["data"]
    alone = getattr(task_of(data.get("labels")), "PAIRS", False)
    how = prepared(files, 1 if alone else len(data.get("text") or [""]))
    try:
        answers = answer(choice, files, how, examples, batch_size=batch_size, strict=strict)
    except Unavailable as lacking:
        raise BackendError(
            asked=f"predict with {choice.candidate} on {choice.record.backend['name']}",
            happened=f"this machine lacks what it needs: {lacking.reason}",
            affected="nothing: it was not run on another device",
            fix=instead(finished, choice.workload, choice.candidate),
        ) from None
    return choice, files, answers
