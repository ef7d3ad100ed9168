import numpy as np
import pytest

from temper.statistics.metrics import Judged
from temper.statistics.paired_bootstrap import budget_verdict, paired_difference, rows_that_would_decide
from temper.statistics.paired_labels import flips, paired_difference_interval

EYE = np.eye(3, dtype=bool)


def judged(labels, answers):
    return Judged(answers == labels, EYE[answers], EYE[labels], EYE[answers].astype(float))


def difference(metric, labels, candidate, baseline):
    counted = flips(candidate, baseline, labels)
    return paired_difference(metric, judged(labels, candidate), judged(labels, baseline), counted)


@pytest.fixture
def rows():
    generator = np.random.default_rng(5)
    labels = generator.integers(0, 3, 600)
    baseline = np.where(generator.random(600) < 0.9, labels, generator.integers(0, 3, 600))
    candidate = np.where(generator.random(600) < 0.9, baseline, generator.integers(0, 3, 600))
    return labels, candidate, baseline


def test_accuracy_s_interval_is_that_of_counts_or_wider_by_little(rows):
    labels, candidate, baseline = rows
    found = difference("accuracy", labels, candidate, baseline)
    counted = flips(candidate, baseline, labels)
    low, high = paired_difference_interval(counted.wrong_to_right, counted.right_to_wrong, 600)
    assert found.value == pytest.approx(counted.difference)
    assert found.low == pytest.approx(low, abs=0.004)
    assert found.high == pytest.approx(high, abs=0.004)
    assert found.low <= low
    assert found.high >= high


@pytest.mark.parametrize("metric", ["macro_f1", "matthews", "lowest_recall", "auroc"])
def test_the_interval_covers_the_truth_as_often_as_it_says(metric):
    """Two classifiers of one kind: the true difference is 0."""
    covered = 0
    for seed in range(20):
        generator = np.random.default_rng(seed)
        labels = generator.integers(0, 3, 150)
        one, other = (np.where(generator.random(150) < 0.8, labels, generator.integers(0, 3, 150)) for _ in range(2))
        found = difference(metric, labels, one, other)
        covered += found.low <= 0 <= found.high
    assert covered >= 17


def test_it_repeats(rows):
    labels, candidate, baseline = rows
    assert difference("macro_f1", labels, candidate, baseline) == difference("macro_f1", labels, candidate, baseline)


def test_rows_without_a_flip_have_the_width_of_counts(rows):
    labels, _, baseline = rows
    found = difference("macro_f1", labels, baseline, baseline)
    low, high = paired_difference_interval(0, 0, 600)
    assert (found.value, found.low, found.high) == (0.0, low, high)
    assert budget_verdict(found, 1.0) == "within"
    assert budget_verdict(found, 0.1) == "undecided"  # 600 rows cannot show that


def test_verdicts_and_the_rows_that_would_decide(rows):
    labels, _, baseline = rows
    worse = np.where(np.random.default_rng(2).random(600) < 0.75, baseline, (baseline + 1) % 3)
    found = difference("macro_f1", labels, worse, baseline)
    assert budget_verdict(found, 1.0) == "beyond"
    assert budget_verdict(found, 90.0) == "within"
    between = -100 * (found.value + found.low) / 2
    assert budget_verdict(found, between) == "undecided"
    needed = rows_that_would_decide(found, 600, between)
    assert needed is not None
    assert needed > 600
    assert rows_that_would_decide(found, 600, -100 * found.value) is None
