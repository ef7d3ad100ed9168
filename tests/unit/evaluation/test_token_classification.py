import numpy as np

from temper.evaluation import token_classification as evaluation

NAMES = ("O", "B-PER", "I-PER")


def test_an_answer_in_words_names_its_entities():
    text = "Anna Lee met  Bo ."
    assert evaluation.told(text, np.array([1, 2, 0, 1, 0]), [0, 1, 2, 3, 4], NAMES) == "PER: Anna Lee; PER: Bo"
    assert evaluation.told(text, np.array([0, 0]), [0, 1], NAMES) == "–"
    assert evaluation.told(text, np.array([1, 2]), [2, 3], NAMES) == "PER: met  Bo"


def test_entities_that_one_of_two_models_finds_are_counted():
    one, other, groups = np.array([1, 2, 0]), np.array([1, 0, 0]), np.array([0, 0, 0])
    assert evaluation.beside(one, other, NAMES, groups) == {"entity flips": 2.0}
    assert evaluation.beside(one, one, NAMES, groups) == {"entity flips": 0.0}
