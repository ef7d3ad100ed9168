import numpy as np

from temper.evaluation import embedding
from temper.tasks.embedding import answers

OUTPUTS = np.array([[1.0, 0.0], [0.0, 2.0], [1.0, 1.0], [3.0, 3.0], [0.0, 0.0], [1.0, 0.0]], np.float32)


def test_answers_follow_from_rounded_outputs():
    assert embedding.follow(answers(OUTPUTS, None), np.round(OUTPUTS, 6), None).all()


def test_drift_is_how_far_outputs_turn_and_not_how_long_they_are():
    turned = np.array([[0.0, 5.0], [0.0, 9.0]])
    found = embedding.drift(turned, np.array([[1.0, 0.0], [0.0, 1.0]]))
    assert found == {"cosine drift, mean": 0.5, "cosine drift, largest": 1.0}


def test_a_pair_counts_once():
    assert embedding.worth(np.array([1.0, 1, 2, 2]), np.array([0.0, 0, 5, 5]), ("similarity",)).rows == 2
