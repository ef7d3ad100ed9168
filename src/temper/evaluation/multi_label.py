"""Any number of labels for each row: right where all are, a flip where one differs, F1 of each label."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from temper.evaluation import single_label
from temper.statistics.multi_label import Worth, worth_of
from temper.tasks.label_sets import bits
from temper.tasks.multi_label import least, probabilities

METRICS = ("macro_f1", "micro_f1", "accuracy", "lowest_recall", "auroc")
ROUNDED = 1e-6  # of a probability whose logit has six digits


# the bits of a row's labels are one number: right where all of them are, another where one differs
right, differ = single_label.right, single_label.differ


def by_label(
    answers: npt.NDArray[np.int64], logits: npt.NDArray[Any], labels: npt.NDArray[np.int64], names: Sequence[str]
) -> dict[str, Any]:
    """Recall of each."""
    given, wanted = bits(answers, len(names)), bits(labels, len(names))
    return {
        "recall_by_class": {
            name: float(given[wanted[:, place], place].mean()) if wanted[:, place].any() else None
            for place, name in enumerate(names)
        }
    }


def follow(
    answers: npt.NDArray[np.int64], logits: npt.NDArray[np.float64], thresholds: Sequence[float] | None
) -> npt.NDArray[np.bool_]:
    """Which give what their logits give; a probability that rounding may have put across its threshold counts as either."""
    chances, lowest = probabilities(logits), least(logits, thresholds)
    given = bits(answers, logits.shape[1])
    return np.asarray(((given == (chances >= lowest)) | (np.abs(chances - lowest) <= ROUNDED)).all(axis=1))


def confidences(logits: npt.NDArray[Any], answers: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """That of the label of which it is least sure: of a given label its probability, of another what is left to 1."""
    chances, given = probabilities(logits), bits(answers, logits.shape[1])
    return np.asarray(np.where(given, chances, 1 - chances).min(axis=1), dtype=np.float64)


def worth(
    answers: npt.NDArray[np.int64], labels: npt.NDArray[np.int64], names: Sequence[str], groups: Any = None
) -> Worth:
    """F1 of each label and their mean, against what giving every label would have."""
    return worth_of(answers, labels, names)
