"""Which sequence lengths to build for: exact, by dynamic programming over the lengths that occur.

A row is padded to the smallest limit that is not below its length. Lengths between two limits cost the same, so only
lengths that occur (rounded up) can be limits of a best choice; the sum over rows splits at any limit, so a best choice of
k limits up to one length is a best choice of k − 1 up to a shorter one, and that length.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Lengths = npt.NDArray[np.int64]
Cost = Callable[[Lengths], Lengths]  # of one row padded to each of these lengths, in a unit of its own; never falls


@dataclass(frozen=True)
class Choice:
    """Limits and what they make of the rows.

    Attributes:
        limits: sequence lengths in tokens, ascending; a row goes to the first that is not below its length.
        rows: how many rows go to each.
        cost: of all rows, in the unit of the cost.
    """

    limits: tuple[int, ...]
    rows: tuple[int, ...]
    cost: int

    @property
    def tokens(self) -> int:
        """Tokens computed for all rows, padding included."""
        return sum(limit * rows for limit, rows in zip(self.limits, self.rows, strict=True))


def token_cost(lengths: Lengths) -> Lengths:
    """Every token costs the same: a model whose products with weights outweigh attention's own."""
    return lengths


def transformer_cost(hidden_size: int) -> Cost:
    """Floating-point operations of a transformer layer, divided by 4 × hidden_size.

    Forward, a layer takes 24·L·h² + 4·L²·h for a row of L tokens: 2 for each multiply-add of the four projections (4·h²),
    of the two products of a feed-forward network four times as wide (8·h²), and of attention's own two (2·L·h)
    (Narayanan et al. 2021, Efficient large-scale language model training on GPU clusters, appendix). With h = 384 the second
    term is 3 % of the first at 64 tokens and 22 % at 512.

    Args:
        hidden_size: h, the width of the layers.
    """

    def cost(lengths: Lengths) -> Lengths:
        return lengths * (6 * hidden_size + lengths)

    return cost


def rounded(lengths: Lengths, multiple_of: int, longest: int) -> Lengths:
    """Lengths rounded up to a multiple, never beyond the longest that the model takes; int64, the shape of `lengths`."""
    return np.minimum(-(-lengths // multiple_of) * multiple_of, longest).astype(np.int64)


def choose(lengths: Lengths, *, profiles: int, longest: int, cost: Cost) -> list[Choice]:
    """The cheapest limits for every number of them up to `profiles`.

    The last limit is always `longest`, whether or not a row is that long: a row longer than any of these must still be
    served. Where that takes a limit that holds no row, it counts among them.

    Args:
        lengths: of every row, rounded, int64 [rows], at least one.
        profiles: the most limits.
        longest: tokens; no row is longer.
        cost: of a row by the length that it is padded to.

    Returns:
        The best choice of at most 1, 2, … `profiles` limits: fewer where more would save nothing.
    """
    limits, counts = np.unique(np.append(lengths, longest), return_counts=True)
    counts[-1] -= 1  # the one appended
    price = cost(limits.astype(np.int64))
    upto = np.append(0, np.cumsum(counts))  # rows of the first 0, 1, … lengths
    least = price * upto[1:]  # cost of the lengths up to each, where it is their only limit
    before = [np.full(len(limits), -1)]  # the limit before each, for every budget; -1: none
    best = [least]
    for _ in range(1, profiles):
        least, chosen = least.copy(), before[-1].copy()
        for last in range(1, len(limits)):
            # the limit before may be any below; with it come the best choices of one limit fewer
            split = best[-1][:last] + price[last] * (upto[last + 1] - upto[1 : last + 1])
            at = int(split.argmin())
            if split[at] < least[last]:
                least[last], chosen[last] = split[at], at
        best.append(least)
        before.append(chosen)
    return [_choice(limits, upto, best, before, budget) for budget in range(profiles)]


def _choice(limits: Lengths, upto: Lengths, best: list[Lengths], before: list[Lengths], budget: int) -> Choice:
    """Walk back from the longest limit. A limit before another has a budget of one limit fewer."""
    at, left, found = len(limits) - 1, budget, []
    while at >= 0:
        found.append(at)
        at, left = int(before[left][at]), left - 1
    found.reverse()
    ends = [int(upto[at + 1]) for at in found]
    rows = tuple(end - start for start, end in zip([0, *ends], ends, strict=False))
    return Choice(tuple(int(limits[at]) for at in found), rows, int(best[budget][-1]))
