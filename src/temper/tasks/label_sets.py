"""The labels of a row as one number: bit n is set where it has label n."""

import numpy as np
import numpy.typing as npt

Labels = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

MOST_LABELS = 52  # their numbers are exact in every reader of JSON, also one that reads floats


def bits(labels: Labels, count: int) -> Flags:
    """Whether each row has each of `count` labels, bool [rows, labels]."""
    return np.asarray(labels[:, None] >> np.arange(count) & 1, dtype=bool)


def numbers(flags: Flags) -> Labels:
    """The other way round: int64 [rows] of bool [rows, labels]."""
    return np.asarray(flags.astype(np.int64) @ (1 << np.arange(flags.shape[1], dtype=np.int64)), dtype=np.int64)


def best_threshold(chances: npt.NDArray[np.float64], wanted: Flags) -> float:
    """The probability from which giving a label has the best F1 on rows, halfway to the next lower one.

    Of equals the one nearest to 0.5. A label that no row or every row has gets 0.5: nothing can be told.

    Args:
        chances: of the label, float64 [rows].
        wanted: whether a row has it, bool [rows].
    """
    if wanted.all() or not wanted.any():
        return 0.5
    order = np.argsort(-chances, kind="stable")
    ordered, hits = chances[order], np.cumsum(wanted[order])
    taken = np.arange(1, len(ordered) + 1)
    last = np.append(ordered[1:] < ordered[:-1], True)  # a threshold stands between two values
    f1 = np.where(last, 2 * hits / (taken + wanted.sum()), -1.0)
    below = np.append(ordered[1:], 0.0)
    middles = (ordered + below) / 2
    equals = np.flatnonzero(f1 >= f1.max() - 1e-12)
    return round(float(min((middles[each] for each in equals), key=lambda value: abs(value - 0.5))), 6)
