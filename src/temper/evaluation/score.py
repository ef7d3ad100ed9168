"""Scores, judged by ranks: Spearman, and NDCG@10 where rows belong to queries.

A score is neither right nor wrong, and scores of two models never agree to the last digit: a flip is one that moved by more than
`MOVED`.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from temper.statistics.ranking import Worth, worth_of

METRICS = ("spearman", "ndcg_at_10")
MOVED = 0.1  # standard deviations of the other model's scores
ROUNDED = 2e-6  # of a score that a record keeps with six digits
Scores = npt.NDArray[np.float64]


def right(answers: Scores, labels: Scores) -> npt.NDArray[np.bool_]:
    """None: a score is nearer or farther."""
    return np.zeros(len(answers), dtype=bool)


def differ(answers: Scores, others: Scores) -> npt.NDArray[np.bool_]:
    """Those that are more than `MOVED` standard deviations from the other model's."""
    return np.asarray(np.abs(answers - others) > max(MOVED * float(np.std(others)), ROUNDED))


def by_label(answers: Scores, logits: npt.NDArray[Any], labels: Scores, names: Sequence[str]) -> dict[str, Any]:
    """Nothing: there are no labels."""
    return {}


def follow(answers: Scores, logits: Scores, thresholds: Sequence[float] | None) -> npt.NDArray[np.bool_]:
    """Which are their output, but for rounding."""
    return np.asarray(np.abs(answers - logits[:, 0]) <= ROUNDED)


def confidences(logits: npt.NDArray[Any], answers: Scores) -> Scores:
    """NaN: the model says nothing of how sure it is."""
    return np.full(len(answers), np.nan)


def judged(
    answers: Scores, labels: Scores, names: Sequence[str], groups: npt.NDArray[np.int64] | None
) -> dict[str, Any]:
    """The scores themselves."""
    return {"answers": answers, "truth": labels}


def worth(answers: Scores, labels: Scores, names: Sequence[str], groups: Any = None) -> Worth:
    """Agreement of ranks, and the distance from the true scores."""
    return worth_of(answers, labels)
