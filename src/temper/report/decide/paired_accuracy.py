"""A candidate's accuracy, and what it lost or gained against the baseline on the same rows."""

from typing import Any

import numpy as np

from temper.measurement.record import Accuracy, NotMeasured, Record
from temper.statistics.classification import worth
from temper.statistics.paired_labels import (
    against_budget,
    confidences,
    decidable_budget_points,
    expected_calibration_error,
    flip_rate_bound,
    flips,
    mcnemar_exact_p,
    paired_difference_interval,
    recall_by_class,
    rows_to_decide,
)

Json = dict[str, Any]


def missing(reason: str) -> Json:
    """What stands where nothing was measured."""
    return {"status": "not measured", "reason": reason}


def _flipped(own: Accuracy, other: Accuracy) -> list[Json]:
    """Test rows with another label than the baseline's, by number from 0, with both labels' confidences."""
    names, labels = own.label_names, own.labels
    mine, theirs = confidences(np.asarray(own.answers.logits)), confidences(np.asarray(other.answers.logits))
    return [
        {
            "row": row,
            "label": names[labels[row]],
            "baseline": names[old],
            "baseline_confidence": round(float(theirs[row]), 4),
            "candidate": names[new],
            "candidate_confidence": round(float(mine[row]), 4),
        }
        for row, (new, old) in enumerate(zip(own.answers.predictions, other.answers.predictions, strict=True))
        if new != old
    ]


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


def compare_accuracy(record: Record, baseline: Record | None, budget_points: float) -> Json:
    """A candidate's accuracy, and what it lost or gained against the baseline on the same rows.

    The baseline itself, and a candidate that is the same thing (`is_the_baseline`) and answers every row alike, is 'within'
    by construction: a thing loses nothing against itself, and no number of rows is needed to show it.

    Args:
        record: of the candidate.
        baseline: record of the candidate that is the baseline itself.
        budget_points: accuracy that may be lost, percentage points.

    Returns:
        Figures by name, or 'not measured' and why.
    """
    own = record.accuracy
    if not isinstance(own, Accuracy):
        return NotMeasured(reason=own.reason).model_dump(mode="json", include={"status", "reason"})
    logits, labels = np.asarray(own.answers.logits), np.asarray(own.labels)
    predicted = np.asarray(own.answers.predictions)
    found: Json = {
        "status": "measured",
        "accuracy": own.answers.accuracy,
        "rows": own.rows,
        "batch_size": own.answers.batch_size,
        "expected_calibration_error": expected_calibration_error(logits, labels),
        "recall_by_class": recall_by_class(predicted, labels, own.label_names),
        "labels_differing_by_batch_size": {
            size: int((np.asarray(answer.predictions) != predicted).sum())
            for size, answer in own.by_batch_size.items()
            if size != own.stated
        },
    }
    other = None if baseline is None else baseline.accuracy
    if baseline is None or not isinstance(other, Accuracy):
        return {**found, "against_baseline": missing("the baseline's answers were not measured")}
    if other.labels != own.labels:
        return {**found, "against_baseline": missing("the baseline answered other rows")}
    counted = flips(predicted, np.asarray(other.answers.predictions), labels)
    same = counted.differing == 0 and is_the_baseline(record, baseline)
    gained, lost = counted.wrong_to_right, counted.right_to_wrong
    low, high = (0.0, 0.0) if same else paired_difference_interval(gained, lost, counted.rows)
    budget = against_budget(gained, lost, counted.rows, budget_points=budget_points)
    bound = 100 * flip_rate_bound(counted.differing, counted.rows)
    reference = np.asarray(other.answers.logits)
    distance = np.abs(logits - reference)
    found["against_baseline"] = {
        "status": "measured",
        **{key: getattr(counted, key) for key in counted.__dataclass_fields__},
        "labels_differing": counted.differing,
        "difference_points": 100 * counted.difference,
        "difference_low_points": 100 * low,
        "difference_high_points": 100 * high,
        "mcnemar_exact_p": mcnemar_exact_p(lost, gained),
        "verdict": "within" if same else budget.verdict,
        "is_baseline": same,
        "loses_at_most_points": 0.0 if same else bound if not counted.differing else max(0.0, -100 * low),
        "rows_that_would_decide": None if same else budget.rows_that_would_decide,
        "largest_logit_difference": float(distance.max()),
        "mean_logit_difference": float(distance.mean()),
        "baseline_logit_span": float(reference.max() - reference.min()),
        "flipped": _flipped(own, other),
    }
    return found


def budget_in_reach(baseline: Record | None, budget_points: float) -> Json:
    """Which accuracy budget the test rows can decide, and how many rows the study's budget needs; {} without answers."""
    answers = None if baseline is None else baseline.accuracy
    if not isinstance(answers, Accuracy):
        return {}
    return {
        "rows": answers.rows,
        "decidable_budget_points": decidable_budget_points(answers.rows),
        "rows_to_decide": rows_to_decide(budget_points),
    }


def model_worth(baseline: Record | None) -> Json:
    """What the model is worth by the baseline's answers on the test split, with `warnings` in words; {} without answers."""
    answers = None if baseline is None else baseline.accuracy
    if not isinstance(answers, Accuracy):
        return {}
    found = worth(np.asarray(answers.answers.predictions), np.asarray(answers.labels), answers.label_names)
    return {**found.as_json(), "split": "test", "sentence": found.sentence("test"), "warnings": found.warnings("test")}
