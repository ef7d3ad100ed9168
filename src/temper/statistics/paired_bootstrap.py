"""The difference of two candidates in a metric on the same rows: an interval by drawing rows again, and its verdict.

Efron & Tibshirani 1993, 'An Introduction to the Bootstrap', chapters 8 and 13: rows are drawn with replacement, both answers to
a row together, and the percentiles of the differences are the interval. A bootstrap knows the rows alone: where no answer
differs, or few do, it has no width. So it is never narrower, to either side, than the interval of the accuracy on these rows
(temper/statistics/paired_labels.py), which is that of counts. Where rows belong together, as those of a query do, they are drawn
together: then the groups are what is independent.
"""

from dataclasses import dataclass

import numpy as np

from temper.statistics.metrics import METRICS, Judged, value
from temper.statistics.paired_labels import CONFIDENCE, BudgetVerdict, Flips, paired_difference_interval

DRAWS, _AT_ONCE, SEED = 2000, 250, 20260  # draws of rows; each study's figures repeat
_MOST_ROWS = 10**8


@dataclass(frozen=True)
class Difference:
    """Of a candidate from the baseline in a metric, −1 to 1, with its interval of confidence `CONFIDENCE`."""

    candidate: float
    baseline: float
    low: float
    high: float

    @property
    def value(self) -> float:
        """The candidate's minus the baseline's."""
        return self.candidate - self.baseline


def paired_difference(metric: str, candidate: Judged, baseline: Judged, flips: Flips) -> Difference:
    """The difference in a metric, and its interval.

    Args:
        metric: a name of temper/statistics/metrics.py.
        candidate, baseline: answers on the same rows.
        flips: of their answers.
    """
    groups = baseline.groups
    rows = len(candidate.right) if groups is None else int(groups.max()) + 1
    generator = np.random.default_rng(SEED)
    found = []
    for _ in range(DRAWS // _AT_ONCE):
        drawn = generator.integers(0, rows, (_AT_ONCE, rows))
        places = drawn + rows * np.arange(_AT_ONCE)[:, None]
        weights = np.bincount(places.ravel(), minlength=_AT_ONCE * rows).reshape(_AT_ONCE, rows).astype(np.float64)
        weights = weights if groups is None else weights[:, groups]
        found.append(METRICS[metric](weights, candidate) - METRICS[metric](weights, baseline))
    tail = 100 * (1 - CONFIDENCE) / 2
    low, high = np.percentile(np.concatenate(found), [tail, 100 - tail])
    own = Difference(value(metric, candidate), value(metric, baseline), 0.0, 0.0)
    least, most = paired_difference_interval(flips.wrong_to_right, flips.right_to_wrong, flips.rows)
    return Difference(
        own.candidate,
        own.baseline,
        min(float(low), own.value - (flips.difference - least)),
        max(float(high), own.value + (most - flips.difference)),
    )


def budget_verdict(difference: Difference, budget_points: float) -> BudgetVerdict:
    """Whether the interval shows the metric to lose less than a budget, more, or neither."""
    budget = budget_points / 100
    if difference.low >= -budget:
        return "within"
    return "beyond" if difference.high < -budget else "undecided"


def rows_that_would_decide(difference: Difference, rows: int, budget_points: float) -> int | None:
    """How many rows like these would decide, by widths that shrink as the root of their number; None where no number would."""
    distance = abs(difference.value + budget_points / 100)
    inside = difference.value > -budget_points / 100
    width = difference.value - difference.low if inside else difference.high - difference.value
    if distance <= 0:
        return None
    needed = int(np.ceil(rows * (width / distance) ** 2))
    return needed if needed <= _MOST_ROWS else None
