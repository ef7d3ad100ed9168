import numpy as np
import pytest
from sklearn import metrics

from temper.statistics.multi_label import worth_of
from temper.tasks.label_sets import bits, numbers

NAMES = tuple("abcd")


@pytest.fixture
def rows():
    generator = np.random.default_rng(4)
    return numbers(generator.random((60, 4)) < 0.4), numbers(generator.random((60, 4)) < [0.4, 0.3, 0.6, 0.05])


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
