"""Two candidates' answers on the same rows: flips, exact test, interval of the difference, verdict against a budget."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Labels = npt.NDArray[np.int64]
Logits = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
BudgetVerdict = Literal["within", "beyond", "undecided"]

CONFIDENCE = 0.95
ECE_BINS = 15
_MOST_ROWS = 10**8


@dataclass(frozen=True)
class Flips:
    """How a candidate's answers differ from the baseline's, by rows."""

    rows: int
    both_right: int
    right_to_wrong: int  # the baseline was right, the candidate is not
    wrong_to_right: int
    wrong_to_other_wrong: int  # both wrong, with different labels; only with more than two classes
    both_wrong_alike: int

    @property
    def differing(self) -> int:
        """Rows with another label than the baseline's."""
        return self.right_to_wrong + self.wrong_to_right + self.wrong_to_other_wrong

    @property
    def difference(self) -> float:
        """Accuracy of the candidate minus the baseline's, −1 to 1."""
        return (self.wrong_to_right - self.right_to_wrong) / self.rows


def flips(candidate: Labels, baseline: Labels, labels: Labels) -> Flips:
    """Count flips. All three int64 [rows]: predicted by the candidate, by the baseline, and the true labels."""
    return flips_of(candidate == labels, baseline == labels, candidate != baseline)


def flips_of(right: Flags, was_right: Flags, differ: Flags) -> Flips:
    """Count flips, bool [rows] each: whether the candidate and the baseline are right, and whether their answers differ."""
    same = ~differ
    return Flips(
        rows=len(right),
        both_right=int((right & was_right).sum()),
        right_to_wrong=int((~right & was_right).sum()),
        wrong_to_right=int((right & ~was_right).sum()),
        wrong_to_other_wrong=int((~right & ~was_right & ~same).sum()),
        both_wrong_alike=int((~right & ~was_right & same).sum()),
    )


def mcnemar_exact_p(right_to_wrong: int, wrong_to_right: int) -> float:
    """Two-sided exact conditional McNemar test (McNemar 1947): 1 where no row changed between right and wrong."""
    changed = right_to_wrong + wrong_to_right
    from scipy import special  # here: planning imports this module, and scipy takes half a second

    # twice the smaller tail of binomial(changed, 1/2); from scipy.special, because scipy.stats takes half a second to import
    return min(1.0, 2 * float(special.bdtr(min(right_to_wrong, wrong_to_right), changed, 0.5)))


def _score(difference: float, gained: float, lost: float, rows: float) -> float:
    """Tango's score statistic of the hypothesis that the true difference is this one."""
    b = (2 * rows - gained + lost) * difference - gained - lost
    c = -lost * difference * (1 - difference)
    lost_share = (np.sqrt(max(b * b - 8 * rows * c, 0.0)) - b) / (4 * rows)  # of (lost), most likely under it
    variance = rows * (2 * lost_share + difference * (1 - difference))
    distance = gained - lost - rows * difference
    if variance <= 0:
        return 0.0 if distance == 0 else float(np.copysign(np.inf, distance))
    return float(distance / np.sqrt(variance))


def paired_difference_interval(gained: float, lost: float, rows: float) -> tuple[float, float]:
    """Interval of the difference of two paired proportions, (gained − lost) / rows, by Tango's asymptotic score method.

    Tango 1998, 'Equivalence test and confidence interval for the difference in proportions for the paired-sample design',
    Statistics in Medicine 17:891–908; recommended by Fagerland, Lydersen & Laake 2014 (Statistics in Medicine 33:2850–75),
    whose worked example is a test of this one. Its confidence is `CONFIDENCE`.

    Args:
        gained: rows that the first has right and the second wrong.
        lost: rows that the second has right and the first wrong.
        rows: all rows. Counts may be fractions, so that expected counts of other sizes can be asked about.

    Returns:
        Lower and upper bound, −1 to 1.
    """
    from scipy import optimize, special

    z = float(special.ndtri((1 + CONFIDENCE) / 2))
    estimate = (gained - lost) / rows
    edge = 1 - 1e-12

    def bound(end: float, target: float) -> float:
        def off(difference: float) -> float:
            return float(np.clip(_score(difference, gained, lost, rows), -1e6, 1e6)) - target

        return (
            end if off(end) * off(estimate) > 0 else float(optimize.brentq(off, *sorted((end, estimate)), xtol=1e-12))
        )

    return bound(-edge, z), bound(edge, -z)


@dataclass(frozen=True)
class AgainstBudget:
    """What the interval says of an accuracy budget."""

    verdict: BudgetVerdict
    rows_that_would_decide: (
        int | None
    )  # in all, were the shares of flips as seen; None where decided, or where none would


def _budget_verdict(gained: float, lost: float, rows: float, budget: float) -> BudgetVerdict:
    low, high = paired_difference_interval(gained, lost, rows)
    return "within" if low >= -budget else "beyond" if high < -budget else "undecided"


def against_budget(gained: int, lost: int, rows: int, *, budget_points: float) -> AgainstBudget:
    """Hold a paired difference against the accuracy that may be lost.

    Args:
        gained: rows wrong before and right now.
        lost: rows right before and wrong now.
        rows: all rows.
        budget_points: accuracy that may be lost, in percentage points.

    Returns:
        'within' where the interval excludes a larger loss, 'beyond' where it excludes a smaller one, else 'undecided' with the
        number of rows at which the same shares of flips would decide.
    """
    budget = budget_points / 100
    found = _budget_verdict(gained, lost, rows, budget)
    if found != "undecided":
        return AgainstBudget(found, None)

    def decided(number: int) -> bool:
        scale = number / rows
        return _budget_verdict(gained * scale, lost * scale, number, budget) != "undecided"

    low, high = rows, 2 * rows
    while not decided(high):
        low, high = high, 2 * high
        if high > _MOST_ROWS:
            return AgainstBudget("undecided", None)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if decided(middle) else (middle, high)
    return AgainstBudget("undecided", high)


def decidable_budget_points(rows: int) -> float:
    """The smallest accuracy budget, in percentage points, that so many rows can show a candidate to be within.

    It is the lower end of the interval where no row changed between right and wrong: z² / (rows + z²) by Tango's method. A
    smaller budget is undecided whatever the answers, those of the baseline itself included.
    """
    return -100 * paired_difference_interval(0, 0, rows)[0]


def rows_to_decide(budget_points: float) -> int:
    """The fewest rows that can show a candidate to be within a budget: those that do where none of them changed.

    Args:
        budget_points: accuracy that may be lost, in percentage points, above 0.
    """
    low, high = 0, 1
    while decidable_budget_points(high) > budget_points:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if decidable_budget_points(middle) <= budget_points else (middle, high)
    return high


def flip_rate_bound(differing: int, rows: int) -> float:
    """Upper end of the exact interval of the share of rows whose label differs, 0–1.

    Clopper & Pearson 1934, Biometrika 26:404–413, two-sided with the confidence `CONFIDENCE`. An accuracy cannot fall by more
    than the share of labels that change, so it bounds the loss as well: 0.74 points with no flip on 500 rows.
    """
    from scipy import special

    # the quantile of beta(differing + 1, rows − differing); from scipy.special, see mcnemar_exact_p
    return (
        1.0 if differing == rows else float(special.betaincinv(differing + 1, rows - differing, (1 + CONFIDENCE) / 2))
    )


def confidences(logits: Logits) -> npt.NDArray[np.float64]:
    """Probability of the predicted label of each row, float64 [rows], by softmax over logits [rows, labels]."""
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(shifted.max(axis=1) / shifted.sum(axis=1), dtype=np.float64)


def expected_calibration_error(logits: Logits, labels: Labels) -> float:
    """Mean distance between confidence and accuracy over equal-width bins, weighted by their rows, 0–1.

    Guo, Pleiss, Sun & Weinberger 2017, 'On Calibration of Modern Neural Networks', equation 3, with 15 bins.

    Args:
        logits: float64 [rows, labels].
        labels: true labels, int64 [rows].
    """
    confidence, right = confidences(logits), logits.argmax(axis=1) == labels
    bins = np.minimum((confidence * ECE_BINS).astype(int), ECE_BINS - 1)
    gaps = np.bincount(bins, right - confidence, ECE_BINS)
    return float(np.abs(gaps).sum() / len(labels))


def recall_by_class(candidate: Labels, labels: Labels, names: Sequence[str]) -> dict[str, float | None]:
    """Share of the rows of each class that are predicted as it, 0–1; None for a class without rows."""
    return {
        name: float((candidate[labels == number] == number).mean()) if (labels == number).any() else None
        for number, name in enumerate(names)
    }
