"""Corrected p-values, letters and orders; and how often equal experiments are told apart."""

import math
from itertools import combinations

import numpy as np
import pytest

from temper.statistics.multiple_comparisons import FAMILY_WISE, by_what_is_shown, groups, holm, letters, quotient_p
from temper.statistics.paired_labels import flips, mcnemar_exact_p
from temper.statistics.ratio import Ratio, quotient, verdict

ROWS, EXPERIMENTS, DRAWS = 872, 5, 500  # as many rows as SST-2's dev split


def test_holms_example_is_adjusted_step_by_step():
    # R: p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm")
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_one_test_alone_is_not_corrected():
    assert holm([0.03]) == [0.03]


@pytest.mark.parametrize(
    "ratio", [(0.93, 0.90, 0.96), (0.90, 0.88, 0.949), (1.2, 1.04, 1.4), (1.2, 1.051, 1.4), (1, 0.9, 1.1)]
)
def test_a_p_value_is_below_5_per_cent_exactly_where_the_interval_lies_beyond_the_margin(ratio):
    found = Ratio(*ratio)
    assert (quotient_p(found, 0.05) < 0.05) == (verdict(found, 0.05) in ("win", "loss"))


def test_letters_are_shared_exactly_by_members_that_do_not_differ():
    generator = np.random.default_rng(3)
    for _ in range(50):
        differing = [pair for pair in combinations(range(7), 2) if generator.random() < 0.4]
        own = letters(7, differing)
        for pair in combinations(range(7), 2):
            assert bool(set(own[pair[0]]) & set(own[pair[1]])) == (pair not in differing)


def test_piephos_groups_are_the_largest_ones():
    assert groups(4, [(0, 3)]) == [[0, 1, 2], [1, 2, 3]]
    assert letters(4, [(0, 3)]) == ["a", "ab", "ab", "b"]
    assert letters(3, []) == ["a", "a", "a"]
    assert letters(0, []) == []
    assert letters(60, list(combinations(range(60), 2)))[-1] == "(60)"  # the alphabet is over


def test_one_is_ranked_behind_another_only_where_something_is_better_than_it():
    assert by_what_is_shown(4, []) == [0, 1, 2, 3]
    assert by_what_is_shown(4, [(3, 0)]) == [3, 1, 2, 0]
    assert by_what_is_shown(3, [(2, 0), (2, 1), (1, 0)]) == [2, 1, 0]


def _answers(generator: np.random.Generator, shares: np.ndarray) -> np.ndarray:
    """Answers of an experiment: whether each row is right, by its own share."""
    return (generator.random(len(shares)) < shares).astype(np.int64)


def _p_values(right: list[np.ndarray]) -> list[float]:
    ones = np.ones(ROWS, dtype=np.int64)
    counted = [flips(own, other, ones) for own, other in combinations(right, 2)]
    return [mcnemar_exact_p(each.right_to_wrong, each.wrong_to_right) for each in counted]


# sure and unsure rows as a fine-tuned model has them; and all rows alike, where every pair changes the most labels
@pytest.mark.parametrize("shares", [np.repeat([0.99, 0.5, 0.02], [740, 80, 52]), np.full(ROWS, 0.86)])
def test_equal_experiments_are_told_apart_in_at_most_5_per_cent_of_all_tables(shares):
    generator = np.random.default_rng(872)
    tables = [_p_values([_answers(generator, shares) for _ in range(EXPERIMENTS)]) for _ in range(DRAWS)]
    wrong = np.mean([min(holm(table)) < FAMILY_WISE for table in tables])
    uncorrected = np.mean([min(table) < FAMILY_WISE for table in tables])
    print(f"any false 'differs': {wrong:.1%} of {DRAWS} tables, without correction {uncorrected:.1%}")
    assert wrong <= FAMILY_WISE
    assert uncorrected > 2 * FAMILY_WISE  # what the correction is for


def test_an_experiment_that_loses_three_points_is_told_from_four_equal_ones_mostly_and_these_are_not_from_each_other():
    generator, shares = np.random.default_rng(3), np.repeat([0.99, 0.5, 0.02], [740, 80, 52])
    worse = shares - np.where(shares > 0.9, 0.05, 0.0)
    found = []
    for _ in range(100):
        right = [_answers(generator, shares) for _ in range(4)] + [_answers(generator, worse)]
        pairs = dict(zip(combinations(range(5), 2), holm(_p_values(right)), strict=True))
        found.append([pairs[member, 4] < FAMILY_WISE for member in range(4)])
    assert np.mean(found) > 0.5


def test_equal_latencies_are_told_apart_in_at_most_5_per_cent_of_all_tables():
    generator, deviation = np.random.default_rng(5), 0.01
    wrong = 0
    for _ in range(DRAWS):
        logs = generator.normal(math.log(0.5), deviation, EXPERIMENTS)
        cells = [Ratio(math.exp(x), math.exp(x - 1.96 * deviation), math.exp(x + 1.96 * deviation)) for x in logs]
        wrong += min(holm([quotient_p(quotient(*pair), 0.0) for pair in combinations(cells, 2)])) < FAMILY_WISE
    assert wrong / DRAWS <= FAMILY_WISE + 2 * math.sqrt(0.05 * 0.95 / DRAWS)
