"""A mean's interval at every moment: by its e-process, and by simulation with somebody who looks after each value."""

import math

import numpy as np
import pytest

from temper.statistics.confidence_sequence import PRECISION, mean_interval


def mixture(values, mean, precision):
    """The e-process of 'the mean is this one': sqrt(c² / (n + c²)) · (1 − S² / ((n + c²) V))^(−n / 2)."""
    count, off = len(values), np.asarray(values) - mean
    share = off.sum() ** 2 / ((count + precision) * (off**2).sum())
    return math.sqrt(precision / (count + precision)) * (1 - share) ** (-count / 2)


@pytest.mark.parametrize("error", [0.05, 0.001])
def test_the_bounds_are_where_the_e_process_reaches_one_over_the_error(error):
    values = np.random.default_rng(3).normal(0.4, 0.1, 9).tolist()
    found = mean_interval(values, error)
    assert found.mean == pytest.approx(np.mean(values))
    assert found.values == 9
    for bound in (found.low, found.high):
        assert mixture(values, bound, PRECISION) == pytest.approx(1 / error)


def test_a_series_that_is_too_short_says_nothing_of_where_its_mean_lies():
    assert mean_interval([], 0.05).high == math.inf
    for values in ([0.1], [0.1, 0.2]):
        found = mean_interval(values, 0.05)
        assert (found.low, found.high) == (-math.inf, math.inf)
        assert found.mean == pytest.approx(np.mean(values))


def ever_missed(draws, error, longest):
    values = []
    for value in draws.normal(0.0, 1.0, longest):
        values.append(value)
        found = mean_interval(values, error)
        if not found.low <= 0 <= found.high:
            return True
    return False


@pytest.mark.parametrize(("runs", "longest"), [(150, 40), pytest.param(3000, 200, marks=pytest.mark.long)])
def test_who_looks_after_every_value_is_misled_no_more_often_than_is_said(runs, longest):
    missed = sum(ever_missed(np.random.default_rng([5, run]), 0.2, longest) for run in range(runs))
    assert missed / runs <= 0.2
