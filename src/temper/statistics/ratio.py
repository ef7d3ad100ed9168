"""The ratio of two latencies that were taken in turns, with an interval that holds the machine's drift."""

import math
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

Latencies = npt.NDArray[np.float64]
Statistic = Literal["median", "mean"]
Verdict = Literal["win", "loss", "tie", "undecided"]

CONFIDENCE = 0.95
MAX_GROUPS = 64  # more blocks than this are joined with their neighbours: what lasts for several blocks stays in one
_CELLS = 2_000_000  # of one bootstrap table in memory


@dataclass(frozen=True)
class Ratio:
    """Candidate over baseline: below 1 is faster. The interval's confidence is `CONFIDENCE`."""

    ratio: float
    low: float
    high: float

    @property
    def relative_half_width(self) -> float:
        """Half of the interval's width, as a share of the ratio."""
        return (self.high - self.low) / 2 / self.ratio


class Estimated(Protocol):
    """A ratio with its interval: a `Ratio`, or what a record holds of one."""

    @property
    def ratio(self) -> float: ...

    @property
    def low(self) -> float: ...

    @property
    def high(self) -> float: ...


def quotient(own: Estimated, other: Estimated, shift: float = 1.0) -> Ratio:
    """The ratio of two latencies out of their ratios to one baseline, with a 95 % interval.

    On the scale of logarithms it is a difference of two estimates, whose interval follows from theirs by the method of
    variance estimates recovery (Zou & Donner 2008, Statistics in Medicine 27:1693–1702, equation 4). The two were timed in
    different processes, each beside the baseline: the estimates are independent, and the interval is wider for it than that
    of two candidates timed in turns.

    Where the baseline took `shift` times as long beside `own` as beside `other`, two readings are open: the whole machine was
    slower meanwhile, and the ratios take it out; or the baseline alone was, and the latencies stand in the ratio of
    `shift` times the quotient. The levels cannot tell which. The interval is the union of both readings' intervals, so it
    covers the true ratio with its confidence under either, and under any mixture of them.

    Args:
        own: ratio of the first to the baseline.
        other: ratio of the second to the baseline.
        shift: the baseline's latency beside `own` over that beside `other`; 1 where it did not move.
    """
    point = math.log(own.ratio / other.ratio)
    below = math.hypot(math.log(own.ratio / own.low), math.log(other.high / other.ratio))
    above = math.hypot(math.log(own.high / own.ratio), math.log(other.ratio / other.low))
    moved = math.log(shift)
    return Ratio(math.exp(point), math.exp(point - below + min(moved, 0.0)), math.exp(point + above + max(moved, 0.0)))


def are_told_apart(found: Ratio, floor: float) -> bool:
    """Whether a quotient of two latencies says which is the faster.

    Args:
        found: one latency over the other, with its interval.
        floor: the smallest difference from 1 that the machine could have told: what the baseline beside itself shows. A
            quotient within it, in either direction, is what one candidate held against itself could have given.
    """
    if found.low <= 1 <= found.high:
        return False
    return min(found.ratio, 1 / found.ratio) < 1 - floor


def _groups(blocks: int) -> npt.NDArray[np.int64]:
    """The group of each block: consecutive blocks together, at most MAX_GROUPS groups of nearly equal size."""
    return np.arange(blocks) * min(blocks, MAX_GROUPS) // blocks


def statistic_of(values: Latencies, statistic: Statistic) -> float:
    """The mean of all calls, or their lower median."""
    return float(values.mean() if statistic == "mean" else np.sort(values, axis=None)[(values.size - 1) // 2])


def _resampled(
    values: Latencies, groups: npt.NDArray[np.int64], weights: npt.NDArray[np.int64], statistic: Statistic
) -> Latencies:
    """The statistic of each resample: `weights` [resamples, groups] says how often each group was drawn."""
    calls = values.shape[1]
    if statistic == "mean":
        sums = np.bincount(groups, values.sum(axis=1), weights.shape[1])
        sizes = np.bincount(groups, minlength=weights.shape[1]) * calls
        return np.asarray((weights @ sums) / (weights @ sizes), dtype=np.float64)
    order = np.argsort(values, axis=None, kind="stable")
    ordered, group_of = values.ravel()[order], np.repeat(groups, calls)[order]
    found = np.empty(len(weights))
    step = max(1, _CELLS // len(ordered))
    for start in range(0, len(weights), step):
        cumulated = np.cumsum(weights[start : start + step][:, group_of], axis=1, dtype=np.int32)
        reached = (
            2 * cumulated >= cumulated[:, -1:]
        )  # the lower median: the smallest value with half of all at or below
        found[start : start + step] = ordered[reached.argmax(axis=1)]
    return found


def _tail(groups: int) -> float:
    """Share left out at each end. Percentile intervals of few draws are too narrow; this widens them to a t interval's
    width (Hesterberg 2015, 'What Teachers Should Know About the Bootstrap', section 3.3: expanded percentiles)."""
    # the functions behind scipy.stats' t and norm: importing those costs each worker of a measurement half a second
    from scipy import special  # here: answering imports this module, and scipy takes half a second

    quantile = special.stdtrit(groups - 1, (1 - CONFIDENCE) / 2) * math.sqrt(groups / (groups - 1))
    return float(special.ndtr(quantile))


def ratio_interval(
    candidate: Latencies, baseline: Latencies, *, statistic: Statistic, resamples: int, seed: int, paired: bool = True
) -> Ratio:
    """The ratio of two latencies with a bootstrap interval over blocks.

    A block is the resampled unit: the candidate's and the baseline's calls of one block were taken one after the other, so
    what slows the machine for a while slows both, and leaves their ratio alone. More than MAX_GROUPS blocks are joined into
    groups of neighbours. The interval is the bootstrap's percentile interval (Efron & Tibshirani 1993, chapter 13), with
    expanded percentiles.

    Args:
        candidate: latencies, float64 [blocks, calls per block], in the order they were taken; one unit for both.
        baseline: the same of the baseline.
        statistic: 'median' (lower median of all calls), or 'mean' where calls differ in size (the ratio of total times).
        resamples: number of bootstrap draws.
        seed: of the draws; equal latencies and seed give an equal interval.
        paired: False where the two were not taken in turns: each is then resampled on its own.

    Raises:
        ValueError: fewer than two blocks.
    """
    if min(len(candidate), len(baseline)) < 2:
        raise ValueError("an interval needs two blocks")
    generator = np.random.default_rng(seed)
    own, other = _groups(len(candidate)), _groups(len(baseline))
    count = int(own[-1]) + 1
    weights = generator.multinomial(count, np.full(count, 1 / count), size=resamples)
    others = weights
    if not paired:
        number = int(other[-1]) + 1
        others = generator.multinomial(number, np.full(number, 1 / number), size=resamples)
    draws = _resampled(candidate, own, weights, statistic) / _resampled(baseline, other, others, statistic)
    tail = _tail(count)
    low, high = np.quantile(draws, [tail, 1 - tail])
    return Ratio(statistic_of(candidate, statistic) / statistic_of(baseline, statistic), float(low), float(high))


def verdict(found: Ratio, margin: float) -> Verdict:
    """'win' where the interval lies wholly below 1 − margin, 'loss' above 1 + margin, 'tie' inside, else 'undecided'."""
    if found.high < 1 - margin:
        return "win"
    if found.low > 1 + margin:
        return "loss"
    if found.low >= 1 - margin and found.high <= 1 + margin:
        return "tie"
    return "undecided"
