"""Figures of scores: agreement of ranks, of many weightings of the rows at once, and the gain of a ranking."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
CUT = 10  # rows of a query that a reader sees


def weighted_ranks(values: Floats, weights: Floats) -> Floats:
    """Ranks of values as if each stood as often as its weight says; equal values share the mean of theirs.

    Args:
        values: float64 [rows].
        weights: how often each row counts, float64 [draws, rows].

    Returns:
        float64 [draws, rows], from 1 on.
    """
    _, group = np.unique(values, return_inverse=True)
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    sums = np.add.reduceat(weights[:, order], starts, axis=1)
    return np.asarray((np.cumsum(sums, axis=1) - (sums - 1) / 2)[:, group])


def weighted_correlation(one: Floats, other: Floats, weights: Floats) -> Floats:
    """Pearson's correlation of each draw, float64 [draws]; 0 where one side does not vary. All arguments [draws, rows]."""
    total = weights.sum(axis=1, keepdims=True)
    one, other = (each - (weights * each).sum(axis=1, keepdims=True) / total for each in (one, other))
    spread = np.sqrt((weights * one**2).sum(axis=1) * (weights * other**2).sum(axis=1))
    together = (weights * one * other).sum(axis=1)
    return np.asarray(np.divide(together, spread, out=np.zeros(len(spread)), where=spread > 1e-12 * total[:, 0]))


def spearman(values: Floats, truth: Floats, weights: Floats) -> Floats:
    """Spearman's rank correlation of each draw: Pearson's of the ranks (Spearman 1904), float64 [draws]."""
    return weighted_correlation(weighted_ranks(values, weights), weighted_ranks(truth, weights), weights)


def spearman_of(values: Floats, truth: Floats) -> float:
    """Spearman's rank correlation of all rows, −1 to 1; 0 where one side is all one number."""
    return float(spearman(values, truth, np.ones((1, len(values))))[0])


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


def codes(values: Sequence[Any]) -> list[int]:
    """A number for each value, from 0 on, by when it came first."""
    known: dict[Any, int] = {}
    return [known.setdefault(value, len(known)) for value in values]
