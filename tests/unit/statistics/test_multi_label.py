import numpy as np
import pytest
from sklearn import metrics

from temper.statistics.multi_label import MOST_LABELS, best_threshold, bits, numbers, worth_of

NAMES = tuple("abcd")


@pytest.fixture
def rows():
    generator = np.random.default_rng(4)
    return numbers(generator.random((60, 4)) < 0.4), numbers(generator.random((60, 4)) < [0.4, 0.3, 0.6, 0.05])


def test_numbers_and_flags_are_the_same():
    flags = np.random.default_rng(0).random((9, MOST_LABELS)) < 0.5
    assert np.array_equal(bits(numbers(flags), MOST_LABELS), flags)
    assert all(int(float(number)) == number for number in numbers(flags).tolist())  # exact as a float


def test_figures_are_those_of_scikit_learn(rows):
    answers, labels = rows
    given, wanted = bits(answers, 4), bits(labels, 4)
    found = worth_of(answers, labels, NAMES)
    assert found.macro_f1 == pytest.approx(metrics.f1_score(wanted, given, average="macro"))
    assert found.micro_f1 == pytest.approx(metrics.f1_score(wanted, given, average="micro"))
    assert found.accuracy == metrics.accuracy_score(wanted, given)
    each = metrics.f1_score(wanted, given, average=None)
    assert list(found.f1_by_label.values()) == pytest.approx(each.tolist())
    assert "labels a row" in found.sentence("test")


def test_a_model_that_gives_everything_or_one_answer_is_warned_of(rows):
    _, labels = rows
    found = worth_of(np.full_like(labels, 0b1111), labels, NAMES).warnings("test")
    assert len(found) == 2
    assert "all 60 test rows the same labels" in found[0]
    assert "no better than giving every label" in found[1]
    assert worth_of(labels, labels, NAMES).warnings("test") == []


def test_the_best_threshold_is_found_by_trying_all():
    generator = np.random.default_rng(1)
    for _ in range(20):
        chances = np.round(generator.random(40), 1)  # with equals
        wanted = generator.random(40) < 0.2 + 0.6 * chances
        threshold = best_threshold(chances, wanted)

        def f1(least, chances=chances, wanted=wanted):
            return metrics.f1_score(wanted, chances >= least)

        best = max(f1(least) for least in np.unique(np.append(chances, 0.0)))
        assert f1(threshold) == pytest.approx(best)


@pytest.mark.parametrize("wanted", [[True] * 4, [False] * 4])
def test_rows_that_cannot_tell_leave_one_half(wanted):
    assert best_threshold(np.array([0.1, 0.2, 0.3, 0.4]), np.array(wanted)) == 0.5
