"""Agreement of ranks, of many weightings of the rows at once."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


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
