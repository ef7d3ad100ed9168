"""Embeddings, judged by the cosine of each pair, as scores are; and how far outputs turned from another model's."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from temper.evaluation import score
from temper.statistics.ranking import Worth, worth_of
from temper.tasks.embedding import cosines, near

METRICS = ("spearman",)
ROUNDED = 2e-5  # of the cosine of outputs that a record keeps with six digits
Scores = npt.NDArray[np.float64]

right, differ, by_label, confidences = score.right, score.differ, score.by_label, score.confidences
judged = score.judged


def follow(answers: Scores, logits: Scores, thresholds: Sequence[float] | None) -> npt.NDArray[np.bool_]:
    """Which are their outputs' cosine, but for rounding."""
    return np.asarray(np.abs(answers - near(logits)) <= ROUNDED)


def drift(logits: npt.NDArray[Any], others: npt.NDArray[Any]) -> dict[str, float]:
    """How far outputs turned from another model's: one minus the cosine, which is 0 where they point the same way."""
    turned = 1 - cosines(logits, others)
    return {"cosine drift, mean": float(turned.mean()), "cosine drift, largest": float(turned.max())}


def worth(answers: Scores, labels: Scores, names: Sequence[str], groups: npt.NDArray[np.int64] | None = None) -> Worth:
    """Agreement of ranks over pairs."""
    return worth_of(answers[::2], labels[::2])
