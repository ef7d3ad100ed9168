"""Many pairs at once: p-values corrected for their number, and which of several are not told apart."""

import math
from collections.abc import Collection, Sequence

from temper.statistics.ratio import Estimated

FAMILY_WISE = 0.05  # of one table: the chance of any false 'differs' in it
_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values corrected for how many they are: rejecting those below α errs with a chance of at most α in all of them.

    Holm 1979, 'A simple sequentially rejective multiple test procedure', Scandinavian Journal of Statistics 6:65–70. It
    asks nothing of how the tests depend on each other: pairs of one table share their members.

    Args:
        p_values: one of each test, 0–1.

    Returns:
        Adjusted p-values in the same order, 0–1.
    """
    adjusted, largest = [0.0] * len(p_values), 0.0
    for rank, number in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[number]))
        adjusted[number] = largest
    return adjusted


def ratio_p(log_ratio: float, log_half_width: float, log_margin: float) -> float:
    """Two-sided p-value of the hypothesis that a ratio lies within a margin of 1, out of its 95 % interval.

    The logarithm of the ratio is taken as normal, its standard deviation from the half of the interval that points to 1: the
    p-value is below 0.05 exactly where the interval lies wholly beyond the margin.

    Args:
        log_ratio: logarithm of the ratio.
        log_half_width: distance from it to the interval's end on the side of 0, above 0.
        log_margin: logarithm of the margin on that side, 0 or more.
    """
    from scipy import special  # here: answering imports this module, and scipy takes half a second

    z = float(special.ndtri(0.975))
    beyond = (abs(log_ratio) - log_margin) / (log_half_width / z) if log_half_width > 0 else float("inf")
    return min(1.0, 2 * float(special.ndtr(-beyond)))


def quotient_p(found: Estimated, margin: float) -> float:
    """The same of a ratio with its interval; `margin` is a share: 0.05 is 5 % to either side, as of a latency verdict.

    The ends are those of `temper.statistics.ratio.verdict`: 1 − margin below 1, 1 + margin above.
    """
    own = math.log(found.ratio)
    if own < 0:
        return ratio_p(own, math.log(found.high) - own, -math.log(1 - margin))
    return ratio_p(own, own - math.log(found.low), math.log(1 + margin))


def groups(count: int, differing: Collection[tuple[int, int]]) -> list[list[int]]:
    """Largest groups within which no pair differs: two members differ exactly where no group holds both.

    The compact letter display by insert-and-absorb: Piepho 2004, 'An algorithm for a letter-based representation of
    all-pairwise comparisons', Journal of Computational and Graphical Statistics 13:456–466.

    Args:
        count: of members, numbered from 0.
        differing: pairs that differ.

    Returns:
        Members of each group in ascending order, groups by their first members.
    """
    found = [frozenset(range(count))] if count else []
    for pair in differing:
        inserted: list[frozenset[int]] = []
        for group in found:
            inserted += [group - {member} for member in pair] if group.issuperset(pair) else [group]
        unique = list(dict.fromkeys(inserted))
        found = [group for group in unique if not any(group < other for other in unique)]
    return sorted(sorted(group) for group in found)


def letters(count: int, differing: Collection[tuple[int, int]]) -> list[str]:
    """The groups of each member as letters: two members share one exactly where they are not told apart.

    Beyond the alphabet's groups there are numbers in brackets.
    """
    found = [""] * count
    for number, group in enumerate(groups(count, differing)):
        for member in group:
            found[member] += _LETTERS[number] if number < len(_LETTERS) else f"({number + 1})"
    return found


def by_what_is_shown(count: int, better: Collection[tuple[int, int]]) -> list[int]:
    """Members in an order that puts one behind another only where something was shown better than it.

    First those that fewest were shown better than, of these those that were shown better than most; else as they came.

    Args:
        count: of members, numbered from 0.
        better: pairs of which the first was shown better than the second.
    """
    above = [sum(pair[1] == member for pair in better) for member in range(count)]
    below = [sum(pair[0] == member for pair in better) for member in range(count)]
    return sorted(range(count), key=lambda member: (above[member], -below[member]))
