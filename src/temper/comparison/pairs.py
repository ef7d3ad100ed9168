"""Any two rows of a comparison: accuracy on the same test rows, latency by the quotient of their ratios; corrected for all."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from typing import Literal

import numpy as np

from temper.comparison.rows import Cell, Row
from temper.statistics.multiple_comparisons import FAMILY_WISE, holm, quotient_p
from temper.statistics.paired_labels import flips, mcnemar_exact_p, paired_difference_interval
from temper.statistics.ratio import Ratio, quotient

Shown = Literal["differs", "not told apart"]
_interval = cache(paired_difference_interval)  # many pairs have the same counts


@dataclass(frozen=True)
class AccuracyPair:
    """Two rows' answers to the same test rows. The interval is this pair's own, 95 %; `shown` is by `holm_p`."""

    first: int  # numbers of the rows, from 0
    second: int
    rows: int  # of the test split
    labels_differing: int
    first_only_right: int
    second_only_right: int
    difference_points: float  # accuracy of the first minus the second's
    low_points: float
    high_points: float
    mcnemar_exact_p: float
    holm_p: float  # corrected for all pairs of the table
    shown: Shown

    @property
    def better(self) -> tuple[int, int] | None:
        """The better and the worse row, where they differ."""
        if self.shown != "differs":
            return None
        return (self.first, self.second) if self.difference_points > 0 else (self.second, self.first)


@dataclass(frozen=True)
class LatencyPair:
    """Two rows' latencies on one workload, out of their ratios to the same baseline."""

    workload: str
    first: int
    second: int
    ratio: float  # latency of the first over the second's, with this pair's own 95 % interval
    low: float
    high: float
    p: float  # of a difference within the margin
    holm_p: float  # corrected for all pairs of the table, of all workloads
    shown: Shown

    @property
    def better(self) -> tuple[int, int] | None:
        """The faster and the slower row, where they differ."""
        if self.shown != "differs":
            return None
        return (self.first, self.second) if self.ratio < 1 else (self.second, self.first)


def _shown(holm_p: float) -> Shown:
    return "differs" if holm_p < FAMILY_WISE else "not told apart"


def _most_common(keys: Sequence[object]) -> list[int]:
    """Numbers of those that have the key most of them have, the first of these where there are several; None is no key."""
    counted = Counter(key for key in keys if key is not None)
    if not counted:
        return []
    most = counted.most_common(1)[0][0]
    return [number for number, key in enumerate(keys) if key == most]


def answered_alike(found: Sequence[Row]) -> list[int]:
    """Numbers of the rows that answered the same test rows; those that answered others are in the minority."""
    return _most_common([None if row.labels is None else row.labels.tobytes() for row in found])


def accuracy_pairs(found: Sequence[Row]) -> list[AccuracyPair]:
    """Every two rows that answered the same test rows, with McNemar's exact test corrected by Holm over all of them."""
    taken = []
    for first, second in combinations(answered_alike(found), 2):
        own, other, labels = found[first].predictions, found[second].predictions, found[first].labels
        assert own is not None
        assert other is not None
        assert labels is not None
        taken.append((first, second, flips(own, other, labels)))
    tested = [mcnemar_exact_p(counted.right_to_wrong, counted.wrong_to_right) for *_, counted in taken]
    pairs = []
    for (first, second, counted), p, corrected in zip(taken, tested, holm(tested), strict=True):
        low, high = _interval(counted.wrong_to_right, counted.right_to_wrong, counted.rows)
        pairs.append(
            AccuracyPair(
                first=first,
                second=second,
                rows=counted.rows,
                labels_differing=counted.differing,
                first_only_right=counted.wrong_to_right,
                second_only_right=counted.right_to_wrong,
                difference_points=100 * counted.difference,
                low_points=100 * low,
                high_points=100 * high,
                mcnemar_exact_p=p,
                holm_p=corrected,
                shown=_shown(corrected),
            )
        )
    return pairs


def timed_alike(found: Sequence[Row], workload: str) -> list[int]:
    """Numbers of the rows whose ratios hold, and were taken beside the same baseline, on the same inputs and machine."""
    cells = [row.cells.get(workload) for row in found]
    return _most_common([None if cell is None or cell.holds is not True else cell.beside for cell in cells])


def _quotient(own: Cell, other: Cell) -> Ratio:
    """One latency over the other, with what the baseline moved between them in the interval."""
    if own.baseline_level_ms is None or other.baseline_level_ms is None:
        return quotient(own, other)
    return quotient(own, other, own.baseline_level_ms / other.baseline_level_ms)


def latency_pairs(found: Sequence[Row], workloads: Sequence[str], margin: float) -> list[LatencyPair]:
    """Every two rows whose ratios of a workload may be compared, corrected by Holm over all pairs of all workloads.

    Args:
        found: the rows.
        workloads: their names.
        margin: difference of latencies that does not count, as a share: two processes of one file differ too.
    """
    taken = [
        (name, first, second, _quotient(found[first].cells[name], found[second].cells[name]))
        for name in workloads
        for first, second in combinations(timed_alike(found, name), 2)
    ]
    tested = [quotient_p(ratio, margin) for *_, ratio in taken]
    return [
        LatencyPair(name, first, second, ratio.ratio, ratio.low, ratio.high, p, corrected, _shown(corrected))
        for (name, first, second, ratio), p, corrected in zip(taken, tested, holm(tested), strict=True)
    ]


def against_baseline(row: Row) -> tuple[float, float, float] | None:
    """Accuracy minus that of its experiment's baseline, in points, with this row's own 95 % interval."""
    if row.predictions is None or row.baseline is None or row.labels is None:
        return None
    counted = flips(row.predictions, row.baseline, row.labels)
    low, high = _interval(counted.wrong_to_right, counted.right_to_wrong, counted.rows)
    return 100 * counted.difference, 100 * low, 100 * high


def same_baseline(found: Sequence[Row]) -> bool:
    """Whether all rows that have one were held against one and the same baseline: the same answers to the same test rows."""
    theirs = [row.baseline for row in found if row.baseline is not None]
    return all(np.array_equal(theirs[0], other) for other in theirs)
