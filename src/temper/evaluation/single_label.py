"""One label of several: right or wrong, flips, how sure, and what a classifier is worth beside the majority label."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from temper.statistics import classification, paired_labels

METRICS = ("accuracy", "macro_f1", "matthews", "lowest_recall", "auroc")


def right(answers: npt.NDArray[np.int64], labels: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Those that are the label."""
    return np.asarray(answers == labels)


def differ(answers: npt.NDArray[np.int64], others: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Another label."""
    return np.asarray(answers != others)


def by_label(
    answers: npt.NDArray[np.int64], logits: npt.NDArray[Any], labels: npt.NDArray[np.int64], names: Sequence[str]
) -> dict[str, Any]:
    """Recall of each, and how honest the confidences are."""
    return {
        "expected_calibration_error": paired_labels.expected_calibration_error(logits, labels),
        "recall_by_class": paired_labels.recall_by_class(answers, labels, names),
    }


def follow(
    answers: npt.NDArray[np.int64], logits: npt.NDArray[np.float64], thresholds: Sequence[float] | None
) -> npt.NDArray[np.bool_]:
    """Whose logit none is above. Which of equals came first is not asked: rounding makes some equal."""
    return np.asarray(logits[np.arange(len(answers)), answers] >= logits.max(axis=1))


def confidences(logits: npt.NDArray[Any], answers: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """The answer's share of the softmax."""
    return paired_labels.confidences(logits)


def worth(
    answers: npt.NDArray[np.int64], labels: npt.NDArray[np.int64], names: Sequence[str], groups: Any = None
) -> classification.Worth:
    """Against the majority label, label by label, and as a whole."""
    return classification.worth(answers, labels, names)
