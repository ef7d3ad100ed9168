"""Figures of scores: the gain of a ranking, and what scores are worth."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from temper.tasks.ranks import spearman_of, weighted_correlation

Floats = npt.NDArray[np.float64]
CUT = 10  # rows of a query that a reader sees


def ndcg(values: Floats, truth: Floats, groups: npt.NDArray[np.int64] | None) -> tuple[npt.NDArray[np.int64], Floats]:
    """NDCG@10 of each query: Järvelin & Kekäläinen 2002, with gains as they are given and log₂(place + 1) below them.

    Rows of equal scores share the mean of their gains (McSherry & Najork 2008), so the order of the file counts for nothing.

    Args:
        values: the scores, float64 [rows].
        truth: how relevant each row is, float64 [rows]; below 0 counts as 0.
        groups: number of each row's query; None: all are one query's.

    Returns:
        A row of each query, and its NDCG, 0–1; NaN for a query without a relevant row, of which no ranking is better.
    """
    of = np.zeros(len(values), dtype=np.int64) if groups is None else groups
    gains = np.maximum(truth, 0.0)
    first, found = [], []
    for group in np.unique(of):
        rows = np.flatnonzero(of == group)
        discounts = 1 / np.log2(np.arange(2, len(rows) + 2))
        discounts[CUT:] = 0.0
        best = float(np.sort(gains[rows])[::-1] @ discounts)
        order = rows[np.argsort(-values[rows], kind="stable")]
        _, tied = np.unique(-values[order], return_inverse=True)
        shared = np.bincount(tied, gains[order]) / np.bincount(tied)
        first.append(int(rows[0]))
        found.append(float(shared[tied] @ discounts) / best if best > 0 else np.nan)
    return np.asarray(first, dtype=np.int64), np.asarray(found)


@dataclass(frozen=True)
class Worth:
    """Scores on rows whose true score is known.

    Attributes:
        rows: how many.
        spearman, pearson: correlation of ranks and of values, −1 to 1.
        mean_absolute_error: in the unit of the scores.
        mean_absolute_error_of_mean: of answering the mean true score to every row.
        only_answer: whether all rows got the same score.
    """

    rows: int
    spearman: float
    pearson: float
    mean_absolute_error: float
    mean_absolute_error_of_mean: float
    only_answer: bool

    def warnings(self, split: str) -> list[str]:
        """What a person has to know before taking the model for one that works, a sentence each without a full stop."""
        if self.only_answer:
            return [f"the model gives all {self.rows:,} {split} rows the same score"]
        least = 2 / np.sqrt(max(self.rows - 1, 1))  # of ranks in no relation, 95 of 100 are nearer to 0
        if self.spearman <= least:
            return [
                f"the model is not shown to rank better than chance: Spearman {self.spearman:.2f} of {self.rows:,} {split} "
                f"rows, where {least:.2f} may be chance"
            ]
        return []

    def sentence(self, split: str) -> str:
        """The figures in words."""
        return (
            f"Spearman {self.spearman:.3f} of {self.rows:,} {split} rows, Pearson {self.pearson:.3f}, mean absolute error "
            f"{self.mean_absolute_error:.3g} (always the mean: {self.mean_absolute_error_of_mean:.3g})"
        ).replace(" -", " −")

    def as_json(self) -> dict[str, Any]:
        """All figures by name."""
        return asdict(self)


def worth_of(answers: Floats, labels: Floats) -> Worth:
    """What scores are worth. Both float64 [rows], at least one row."""
    every = np.ones((1, len(labels)))
    return Worth(
        rows=len(labels),
        spearman=spearman_of(answers, labels),
        pearson=float(weighted_correlation(answers[None], labels[None], every)[0]),
        mean_absolute_error=float(np.abs(answers - labels).mean()),
        mean_absolute_error_of_mean=float(np.abs(labels - labels.mean()).mean()),
        only_answer=len(labels) > 1 and bool((answers == answers[0]).all()),
    )
