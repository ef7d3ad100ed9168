import numpy as np
import pytest

from temper.evaluation import multi_label
from temper.tasks.multi_label import answers as answers_of
from temper.tasks.multi_label import probabilities


def test_an_answer_at_its_threshold_follows_from_rounded_logits_either_way():
    logits = np.array([[0.1234567, 4.0]])
    least = (float(probabilities(logits)[0, 0]), 0.5)
    kept = np.round(logits, 6)
    assert multi_label.follow(np.array([0b11]), kept, least).all()
    assert multi_label.follow(np.array([0b10]), kept, least).all()
    assert not multi_label.follow(np.array([0b01]), kept, least).any()


def test_a_confidence_is_that_of_the_label_it_is_least_sure_of():
    logits = np.array([[4.0, -4.0], [4.0, 0.1]])
    answers = answers_of(logits, None)
    assert answers.tolist() == [0b01, 0b11]
    sure = multi_label.confidences(logits, answers)
    assert sure[0] == pytest.approx(1 / (1 + np.exp(-4.0)))
    assert sure[1] == pytest.approx(1 / (1 + np.exp(-0.1)))
