"""Intervals for a mean that hold at every moment of a series: who looks after each value, and stops when he likes, is right."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

# What the sequence is tuned to, whatever it is it stays valid: effects of 1 / sqrt(PRECISION) standard deviations. A candidate
# that takes half as long again lies 5 to 15 of its blocks' standard deviations away, an equal one none.
PRECISION = 0.05


@dataclass(frozen=True)
class Interval:
    """A mean with what surrounds it; the bounds are infinite while the series is too short to say anything."""

    mean: float
    low: float
    high: float
    values: int


def mean_interval(values: Sequence[float], error: float, precision: float = PRECISION) -> Interval:
    """The confidence sequence of a mean, at the end of a series of any length.

    P(some moment's interval misses the mean) ≤ `error` for independent normal values of unknown variance: the mixture of
    t-likelihood ratios over effects N(0, 1 / precision) is an e-process, and Ville's inequality bounds where it ever gets to
    1 / error (Robbins 1970, Annals of Mathematical Statistics 41:1397–1409; Lai 1976, Annals of Statistics 4:265–280; in this
    form Wang & Ramdas 2025, 'Anytime-valid t-tests and confidence sequences for Gaussian means with unknown variance',
    Sequential Analysis 44). With c² = precision and r = (error² c² / (n + c²))^(1/n):

        |mean − μ|² < (1 − r) (n + c²) / (r (n + c²) − c²) · Σ(x − mean)² / n

    Args:
        values: in the order in which they came.
        error: of both sides together.
        precision: see PRECISION.
    """
    count = len(values)
    if count == 0:
        return Interval(0.0, -math.inf, math.inf, 0)
    mean = math.fsum(values) / count
    variance = math.fsum((value - mean) ** 2 for value in values) / count
    ratio = math.exp((2 * math.log(error) + math.log(precision) - math.log(count + precision)) / count)
    below = ratio * (count + precision) - precision
    if count < 2 or below <= 0:
        return Interval(mean, -math.inf, math.inf, count)
    radius = math.sqrt((1 - ratio) * (count + precision) / below * variance)
    return Interval(mean, mean - radius, mean + radius, count)
