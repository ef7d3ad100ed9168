"""What a classifier is worth: against figures by hand, another implementation, and by simulation."""

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics

from temper.statistics.classification import LEVEL, worth

NAMES = ["a", "b", "c"]


def of(answered, labels, names=NAMES):
    return worth(np.array(answered), np.array(labels), names)


def test_figures_by_hand():
    found = of([0, 0, 1, 1, 1, 0], [0, 0, 0, 1, 1, 1], ["a", "b"])
    assert (found.majority_label, found.majority_rate) == ("a", 0.5)
    assert found.accuracy == found.balanced_accuracy == found.macro_f1 == pytest.approx(4 / 6)
    assert found.matthews == pytest.approx(1 / 3)
    assert found.recall_by_label == {"a": pytest.approx(2 / 3), "b": pytest.approx(2 / 3)}


def test_the_figures_are_those_of_another_implementation():
    draws = np.random.default_rng(5)
    labels = draws.choice(4, 500, p=[0.5, 0.3, 0.15, 0.05])
    answered = np.where(draws.random(500) < 0.7, labels, draws.integers(0, 4, 500))
    found = of(answered, labels, ["a", "b", "c", "d"])
    assert found.matthews == pytest.approx(metrics.matthews_corrcoef(labels, answered))
    assert found.balanced_accuracy == pytest.approx(metrics.balanced_accuracy_score(labels, answered))
    assert found.macro_f1 == pytest.approx(metrics.f1_score(labels, answered, average="macro"))
    assert not found.no_better_than_majority
    assert found.warnings("test") == []


def test_one_label_for_every_row_is_said():
    """A checkpoint that answers the majority label to all 1,043 rows of a development set: 69 % right, and useless."""
    labels = [1] * 721 + [0] * 322
    found = of([1] * 1043, labels, ["unacceptable", "acceptable"])
    assert (found.accuracy, found.balanced_accuracy, found.matthews) == (pytest.approx(0.691, abs=1e-3), 0.5, None)
    assert found.warnings("test") == [
        "the model answers 'acceptable' to all 1,043 test rows",
        "the model is not shown to be better than always answering 'acceptable': accuracy 69.1 % against 69.1 % of 1,043 "
        "test rows (exact test, p = 1)",
    ]
    assert "MCC not defined" in found.sentence("test")


def test_a_label_without_rows_has_no_recall_and_no_part_in_the_means():
    found = of([0, 1, 1], [0, 1, 1])
    assert found.recall_by_label == {"a": 1.0, "b": 1.0, "c": None}
    assert (found.balanced_accuracy, found.macro_f1, found.only_label) == (1.0, 1.0, None)


def test_a_point_above_the_majority_is_not_enough():
    """6 rows won, 4 lost: 5 % better by the point, and nothing that the exact test would tell from chance."""
    labels = [0] * 20 + [1] * 20
    answered = [0] * 16 + [1] * 4 + [1] * 6 + [0] * 14
    found = of(answered, labels, ["a", "b"])
    assert found.accuracy > found.majority_rate
    assert found.better_than_majority_p == pytest.approx(stats.binomtest(6, 10, 0.5, alternative="greater").pvalue)
    assert found.no_better_than_majority


def test_a_model_that_guesses_is_called_better_in_at_most_5_per_cent_of_1000_runs():
    draws = np.random.default_rng(0)
    labels = np.arange(200) % 2
    shown = sum(not of(draws.integers(0, 2, 200), labels, ["a", "b"]).no_better_than_majority for _ in range(1000))
    assert shown / 1000 <= LEVEL
