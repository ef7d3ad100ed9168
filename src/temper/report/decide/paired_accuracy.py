"""A candidate's accuracy, and what it lost or gained against the baseline on the same rows."""

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from temper.evaluation.evaluation import beside, drift, evaluation_of, metric_fields
from temper.measurement.record import Accuracy, Record
from temper.report.decide.compared import Reach
from temper.report.decide.compared_accuracy import ComparedAccuracy, Flipped, Missing, Paired
from temper.statistics.metrics import Judged, value
from temper.statistics.paired_bootstrap import budget_verdict, paired_difference, rows_that_would_decide
from temper.statistics.paired_labels import (
    AgainstBudget,
    Flips,
    against_budget,
    decidable_budget_points,
    flip_rate_bound,
    flips_of,
    mcnemar_exact_p,
    paired_difference_interval,
    rows_to_decide,
)
from temper.tasks.task import task_of

Json = dict[str, Any]
EXACT = "accuracy"  # the metric whose interval is that of counts, and not drawn


def _sure(answers: Accuracy) -> npt.NDArray[np.float64]:
    """Confidence of each answer, by its model's own word."""
    found = answers.answers
    return evaluation_of(answers.task).confidences(np.asarray(found.logits), np.asarray(found.predictions))


def _groups(answers: Accuracy) -> npt.NDArray[np.int64] | None:
    return None if answers.groups is None else np.asarray(answers.groups, dtype=np.int64)


def _judged(answers: Accuracy) -> Judged:
    """Answers as metrics take them."""
    task, evaluation = task_of(answers.task), evaluation_of(answers.task)
    found, count = answers.answers, len(answers.label_names)
    predicted, labels = np.asarray(found.predictions), np.asarray(answers.labels)

    def flags(numbers: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
        return np.stack([task.rows_with(numbers, place) for place in range(count)], axis=1)

    return Judged(
        evaluation.right(predicted, labels),
        flags(predicted),
        flags(labels),
        task.probabilities(np.asarray(found.logits)),
        **metric_fields(evaluation, predicted, labels, answers.label_names, _groups(answers)),
        groups=_groups(answers),
    )


def counted_flips(own: Accuracy, other: Accuracy) -> Flips:
    """Flips of answers against another model's to the same rows."""
    evaluation, labels = evaluation_of(own.task), np.asarray(own.labels)
    mine, theirs = np.asarray(own.answers.predictions), np.asarray(other.answers.predictions)
    return flips_of(evaluation.right(mine, labels), evaluation.right(theirs, labels), evaluation.differ(mine, theirs))


def _beside(own: Accuracy, other: Accuracy) -> Json:
    """What the task counts beside flips; {} of one that counts nothing."""
    answers, others = np.asarray(own.answers.predictions), np.asarray(other.answers.predictions)
    evaluation = evaluation_of(own.task)
    found = beside(evaluation, answers, others, own.label_names, _groups(own))
    found |= drift(evaluation, np.asarray(own.answers.logits), np.asarray(other.answers.logits))
    return found


def _flipped(own: Accuracy, other: Accuracy) -> tuple[Flipped, ...]:
    """Test rows with another answer than the baseline's."""
    task, names, labels = task_of(own.task), own.label_names, own.labels
    named, answers, others = task.named, own.answers.predictions, other.answers.predictions
    mine, theirs = _sure(own), _sure(other)
    differ = evaluation_of(own.task).differ(np.asarray(answers), np.asarray(others))
    return tuple(
        Flipped(
            row=row if task.ANSWERS_AT is None or own.groups is None else own.groups[row],  # a word's row
            label=named(labels[row], names),
            baseline=named(others[row], names),
            baseline_confidence=_or_none(theirs[row]),
            candidate=named(answers[row], names),
            candidate_confidence=_or_none(mine[row]),
        )
        for row in np.flatnonzero(differ).tolist()
    )


def _or_none(confidence: float) -> float | None:
    """With four digits; None where a task has no confidences."""
    return None if np.isnan(confidence) else round(float(confidence), 4)


def metric_of(answers: Accuracy, metric: str) -> float | None:
    """A metric of answers, computed anew; None where their task has none of that name."""
    return value(metric, _judged(answers)) if metric in evaluation_of(answers.task).METRICS else None


def is_the_baseline(record: Record, baseline: Record) -> bool:
    """Whether a candidate is the baseline itself, or the same files on the same row of backends with the same version."""
    if record.candidate == baseline.candidate:
        return True
    if record.artifact is None or baseline.artifact is None or not record.artifact.files_sha256:
        return False
    same = ("name", "runner", "library_version", "options")
    return record.artifact.files_sha256 == baseline.artifact.files_sha256 and all(
        record.backend.get(key) == baseline.backend.get(key) for key in same
    )


def compare_accuracy(
    record: Record, baseline: Record | None, budget_points: float, metric: str | None = None
) -> ComparedAccuracy | Missing:
    """A candidate's accuracy, and what it lost or gained against the baseline on the same rows.

    Args:
        record: of the candidate.
        baseline: record of the candidate that is the baseline itself.
        budget_points: what may be lost of the metric, percentage points.
        metric: of temper/statistics/metrics.py; None: the first that the task has.
    """
    own = record.accuracy
    if not isinstance(own, Accuracy):
        return Missing(own.reason)
    logits, labels = np.asarray(own.answers.logits), np.asarray(own.labels)
    predicted, evaluation = np.asarray(own.answers.predictions), evaluation_of(own.task)
    found = ComparedAccuracy(
        accuracy=own.answers.accuracy,
        rows=own.rows,
        batch_size=own.answers.batch_size,
        labels_differing_by_batch_size={
            size: int(evaluation.differ(np.asarray(answer.predictions), predicted).sum())
            for size, answer in own.by_batch_size.items()
            if size != own.stated
        },
        by_label=evaluation.by_label(predicted, logits, labels, own.label_names),
        against_baseline=Missing("the baseline's answers were not measured"),
    )
    other = None if baseline is None else baseline.accuracy
    if baseline is None or not isinstance(other, Accuracy):
        return found
    if other.labels != own.labels:
        return replace(found, against_baseline=Missing("the baseline answered other rows"))
    judged = metric or evaluation.METRICS[0]
    same = is_the_baseline(record, baseline)
    found = replace(found, against_baseline=_paired(own, other, budget_points, judged, same=same))
    return found if judged == EXACT else replace(found, metric=judged, metric_value=value(judged, _judged(own)))


def _paired(own: Accuracy, other: Accuracy, budget_points: float, judged: str, *, same: bool) -> Paired:
    """Answers beside the baseline's to the same rows.

    The baseline itself, and a candidate that is the same thing (`same`) and answers every row alike, is 'within' by
    construction: a thing loses nothing against itself, and no number of rows is needed to show it.
    """
    counted = counted_flips(own, other)
    same = same and counted.differing == 0
    gained, lost = counted.wrong_to_right, counted.right_to_wrong
    low, high = (0.0, 0.0) if same else paired_difference_interval(gained, lost, counted.rows)
    budget = against_budget(gained, lost, counted.rows, budget_points=budget_points)
    bound = 100 * flip_rate_bound(counted.differing, counted.rows)
    points = 100 * counted.difference
    reference = np.asarray(other.answers.logits)
    distance = np.abs(np.asarray(own.answers.logits) - reference)
    if judged != EXACT:
        difference = paired_difference(judged, _judged(own), _judged(other), counted)
        low, high = (0.0, 0.0) if same else (difference.low, difference.high)
        decided = rows_that_would_decide(difference, counted.rows, budget_points)
        said = budget_verdict(difference, budget_points)
        budget = AgainstBudget(said, decided if said == "undecided" else None)
        points = 100 * difference.value
    exact = not counted.differing and judged == EXACT
    return Paired(
        counted=counted,
        difference_points=points,
        difference_low_points=100 * low,
        difference_high_points=100 * high,
        mcnemar_exact_p=mcnemar_exact_p(lost, gained),
        verdict="within" if same else budget.verdict,
        is_baseline=same,
        loses_at_most_points=0.0 if same else bound if exact else max(0.0, -100 * low),
        rows_that_would_decide=None if same else budget.rows_that_would_decide,
        largest_logit_difference=float(distance.max()),
        mean_logit_difference=float(distance.mean()),
        baseline_logit_span=float(reference.max() - reference.min()),
        beside=_beside(own, other),
        flipped=_flipped(own, other),
    )


def budget_in_reach(baseline: Record | None, budget_points: float) -> Reach | None:
    """Which accuracy budget the test rows can decide, and how many rows the study's budget needs; None without answers."""
    answers = None if baseline is None else baseline.accuracy
    if not isinstance(answers, Accuracy):
        return None
    return Reach(answers.rows, decidable_budget_points(answers.rows), rows_to_decide(budget_points))


def model_worth(baseline: Record | None) -> Json:
    """What the model is worth by the baseline's answers on the test split, with `warnings` in words; {} without answers."""
    answers = None if baseline is None else baseline.accuracy
    if not isinstance(answers, Accuracy):
        return {}
    found = evaluation_of(answers.task).worth(
        np.asarray(answers.answers.predictions), np.asarray(answers.labels), answers.label_names, _groups(answers)
    )
    return {**found.as_json(), "split": "test", "sentence": found.sentence("test"), "warnings": found.warnings("test")}
