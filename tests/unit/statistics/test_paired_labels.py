"""Paired accuracy against published examples, and by simulation."""

import numpy as np
import pytest
from scipy import stats

from temper.statistics.paired_labels import (
    against_budget,
    confidences,
    decidable_budget_points,
    expected_calibration_error,
    flip_rate_bound,
    flips,
    mcnemar_exact_p,
    paired_difference_interval,
    recall_by_class,
    rows_to_decide,
)


def test_flips_by_hand():
    labels = np.array([0, 1, 2, 2, 1])
    found = flips(np.array([0, 0, 2, 1, 2]), np.array([1, 1, 2, 0, 2]), labels)
    assert (found.wrong_to_right, found.right_to_wrong, found.both_right) == (1, 1, 1)
    assert (found.wrong_to_other_wrong, found.both_wrong_alike, found.differing) == (1, 1, 3)
    assert found.difference == 0.0


def test_the_interval_and_the_exact_test_agree_with_the_published_example():
    """Airway hyper-responsiveness before and after stem cell transplantation (Bentur et al. 2009), the worked example of
    Fagerland, Lydersen & Laake 2014, tables 3 and 5: 1 pair lost, 7 gained, 21 in all."""
    low, high = paired_difference_interval(1, 7, 21)
    assert (round(low, 3), round(high, 3)) == (-0.517, -0.026)
    assert round(mcnemar_exact_p(1, 7), 4) == 0.0703


def test_the_bounds_solve_tangos_quadratic():
    """At a bound Δ the score (b − c − nΔ)² is z² times its variance under Δ (Tango 1998, equations 3 to 5)."""
    gained, lost, rows = 12, 2, 50
    for bound in paired_difference_interval(gained, lost, rows):
        a, b, c = 2 * rows, -gained - lost + (2 * rows - gained + lost) * bound, -lost * bound * (1 - bound)
        share = (np.sqrt(b * b - 4 * a * c) - b) / (2 * a)
        variance = rows * (2 * share + bound * (1 - bound))
        assert (gained - lost - rows * bound) ** 2 == pytest.approx(1.959964**2 * variance, rel=1e-5)


def test_without_any_flip_the_interval_is_not_a_point():
    low, high = paired_difference_interval(0, 0, 872)
    assert low == pytest.approx(-high)
    assert high == pytest.approx(1.96**2 / (872 + 1.96**2), rel=1e-3)


def test_swapping_the_two_turns_the_interval_over():
    low, high = paired_difference_interval(3, 11, 400)
    assert paired_difference_interval(11, 3, 400) == pytest.approx((-high, -low))


@pytest.mark.parametrize(
    ("rows", "gained", "lost"), [(872, 0.006, 0.008), (872, 0.03, 0.06), (300, 0.1, 0.1), (2693, 0.004, 0.005)]
)
def test_the_interval_covers_the_true_difference_in_93_to_98_per_cent_of_1000_runs(rows, gained, lost, record_property):
    draws = np.random.default_rng(0).multinomial(rows, [gained, lost, 1 - gained - lost], size=1000)
    bounds = [paired_difference_interval(b, c, rows) for b, c, _ in draws]
    covered = sum(low <= gained - lost <= high for low, high in bounds) / 1000
    record_property("coverage", covered)
    assert 0.93 <= covered <= 0.98


def test_without_a_change_the_exact_test_says_1():
    assert mcnemar_exact_p(0, 0) == 1.0
    assert mcnemar_exact_p(5, 5) == 1.0
    assert mcnemar_exact_p(10, 0) == pytest.approx(2 / 1024)


@pytest.mark.parametrize("changed", [1, 2, 7, 40])
def test_the_exact_test_is_scipys_binomial_test(changed):
    for lost in range(changed + 1):
        expected = stats.binomtest(lost, changed, 0.5).pvalue
        assert mcnemar_exact_p(lost, changed - lost) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("gained", "lost", "verdict"), [(0, 0, "within"), (20, 0, "within"), (10, 80, "beyond"), (4, 6, "undecided")]
)
def test_the_budget_is_decided_by_the_interval(gained, lost, verdict):
    assert against_budget(gained, lost, 872, budget_points=0.5).verdict == verdict


def test_undecided_says_how_many_rows_would_decide_and_they_do():
    found = against_budget(4, 6, 872, budget_points=0.5)
    scale = found.rows_that_would_decide / 872
    low, _ = paired_difference_interval(4 * scale, 6 * scale, found.rows_that_would_decide)
    assert low >= -0.005
    fewer = (found.rows_that_would_decide - 50) / 872
    assert paired_difference_interval(4 * fewer, 6 * fewer, 872 * fewer)[0] < -0.005


def test_a_loss_that_is_the_budget_itself_is_never_decided():
    assert against_budget(5, 10, 1000, budget_points=0.5).rows_that_would_decide is None


def test_the_budget_that_rows_can_decide_is_the_one_at_which_no_flip_is_within():
    assert decidable_budget_points(500) == pytest.approx(0.762, abs=0.001)
    assert against_budget(0, 0, 500, budget_points=0.77).verdict == "within"
    assert against_budget(0, 0, 500, budget_points=0.76).verdict == "undecided"


@pytest.mark.parametrize("budget_points", [0.2, 0.5, 0.8, 10.0])
def test_the_rows_that_decide_a_budget_are_the_fewest(budget_points):
    rows = rows_to_decide(budget_points)
    assert against_budget(0, 0, rows, budget_points=budget_points).verdict == "within"
    assert against_budget(0, 0, rows - 1, budget_points=budget_points).verdict == "undecided"
    assert rows_to_decide(0.5) == 765


@pytest.mark.parametrize(("differing", "rows"), [(0, 500), (3, 500), (7, 40), (40, 40)])
def test_the_share_of_flips_is_bounded_by_the_exact_interval(differing, rows):
    expected = stats.binomtest(differing, rows).proportion_ci(0.95, method="exact").high
    assert flip_rate_bound(differing, rows) == pytest.approx(expected, rel=1e-9)


def test_confidence_and_calibration_by_hand():
    logits = np.log(np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.4, 0.6]]))
    assert confidences(logits) == pytest.approx([0.9, 0.8, 0.6, 0.6])
    # bins of 1/15: 0.9 alone (right), 0.8 alone (right), both 0.6 in one (one right): (0.1 + 0.2 + |0.5 − 0.6| × 2) / 4
    assert expected_calibration_error(logits, np.array([0, 1, 0, 0])) == pytest.approx((0.1 + 0.2 + 0.2) / 4)


def test_recall_is_by_class_and_none_for_a_class_without_rows():
    found = recall_by_class(np.array([0, 1, 1]), np.array([0, 0, 1]), ["a", "b", "c"])
    assert found == {"a": 0.5, "b": 1.0, "c": None}
