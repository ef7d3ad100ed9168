"""A pair that differs and a pair that does not; statistics/test_multiple_comparisons.py has how often that is wrong."""

import dataclasses
import math

import numpy as np
import pytest

from temper.comparison.pairs import (
    accuracy_pairs,
    against_baseline,
    answered_alike,
    latency_pairs,
    same_baseline,
    timed_alike,
)
from temper.comparison.rows import rows
from tests.unit.comparison.experiments import ALMOST, FEW, MANY, experiment, wrong

FOUND = rows([FEW, MANY, ALMOST])  # 30, 3 and 4 of 200 rows wrong


def test_a_pair_that_differs_and_one_that_does_not():
    differs, _, not_told = accuracy_pairs(FOUND)
    assert (differs.shown, differs.better) == ("differs", (1, 0))
    assert (differs.first_only_right, differs.second_only_right, differs.labels_differing) == (0, 27, 27)
    assert differs.difference_points == pytest.approx(-13.5)
    assert differs.low_points < -13.5 < differs.high_points < 0
    assert differs.mcnemar_exact_p == pytest.approx(2 / 2**27)
    assert differs.holm_p == pytest.approx(3 * 2 / 2**27)  # the smallest of three
    assert (not_told.shown, not_told.better, not_told.holm_p) == ("not told apart", None, 1.0)
    assert not_told.difference_points == pytest.approx(0.5)


def test_six_flips_against_seven_are_not_told_apart():
    six = experiment("six", wrong(*range(6)))
    seven = experiment("seven", wrong(*range(10, 17)))
    (pair,) = accuracy_pairs(rows([six, seven]))
    assert pair.shown == "not told apart"
    assert pair.low_points < 0 < pair.high_points


def test_rows_that_answered_other_test_rows_are_in_no_pair():
    other = dataclasses.replace(FOUND[0], labels=np.zeros(200, dtype=np.int64))
    assert answered_alike([other, *FOUND[1:]]) == [1, 2]
    assert [(pair.first, pair.second) for pair in accuracy_pairs([other, *FOUND[1:]])] == [(1, 2)]
    assert accuracy_pairs([dataclasses.replace(FOUND[0], labels=None)]) == []


def test_latencies_are_compared_by_their_quotient_and_what_lies_within_the_margin_is_not_told_apart():
    few_many, few_almost, many_almost = latency_pairs(FOUND, ["b1"], 0.05)
    assert few_many.ratio == pytest.approx(0.5 / 0.8)
    half = math.hypot(math.log(0.5 / 0.49), math.log(0.81 / 0.8))
    assert few_many.low == pytest.approx(few_many.ratio * math.exp(-half))
    assert (few_many.shown, few_many.better) == ("differs", (0, 1))
    assert (few_almost.shown, few_almost.better) == ("not told apart", None)
    assert many_almost.better == (2, 1)


def test_latencies_are_corrected_for_the_pairs_of_all_workloads_of_the_table():
    def twice(row):
        return dataclasses.replace(row, cells={**row.cells, "b8": row.cells["b1"]})

    one = latency_pairs(FOUND, ["b1"], 0.05)
    both = latency_pairs([twice(row) for row in FOUND], ["b1", "b8"], 0.05)
    assert [pair.workload for pair in both] == ["b1"] * 3 + ["b8"] * 3
    smallest = min(range(3), key=lambda number: one[number].p)
    assert both[smallest].holm_p == pytest.approx(2 * one[smallest].holm_p)


@pytest.mark.parametrize("holds", [False, None])
def test_ratios_that_do_not_hold_or_of_which_it_is_not_known_are_not_compared(holds):
    unsure = experiment("unsure", wrong(9), samples=2, holds=holds)
    found = rows([FEW, MANY, unsure])
    assert timed_alike(found, "b1") == [0, 1]
    assert len(latency_pairs(found, ["b1"], 0.05)) == 1
    assert len(accuracy_pairs(found)) == 3


def test_the_difference_from_the_baseline_has_an_interval():
    difference, low, high = against_baseline(FOUND[0])
    assert difference == -15
    assert low < -15 < high < 0
    assert against_baseline(dataclasses.replace(FOUND[0], baseline=None)) is None
    assert same_baseline(FOUND)
    assert not same_baseline([FOUND[0], dataclasses.replace(FOUND[1], baseline=np.ones(200, dtype=np.int64))])


def test_what_the_baseline_moved_between_two_ratios_is_in_the_interval_of_their_quotient():
    few, many = FOUND[0], FOUND[1]
    moved = dataclasses.replace(many, cells={"b1": dataclasses.replace(many.cells["b1"], baseline_level_ms=4.0)})
    (still,), (wide,) = latency_pairs([few, many], ["b1"], 0.05), latency_pairs([few, moved], ["b1"], 0.05)
    assert few.cells["b1"].baseline_level_ms == 2.0
    assert wide.ratio == still.ratio
    assert wide.low == pytest.approx(still.low / 2)
    assert wide.high == pytest.approx(still.high)
    unknown = dataclasses.replace(many, cells={"b1": dataclasses.replace(many.cells["b1"], baseline_level_ms=None)})
    assert latency_pairs([few, unknown], ["b1"], 0.05) == [still]
