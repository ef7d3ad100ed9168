import numpy as np
import pytest

from temper.errors import DataError
from temper.tasks import token_classification as task

NAMES = ("O", "B-PER", "I-PER")


@pytest.mark.parametrize(
    "rows",
    [
        ["O B-PER", "I-PER"],
        ['["O", "B-PER"]', '["I-PER"]'],
        [["O", "B-PER"], ["I-PER"]],
        [[0, 1], [2]],
        [np.array([0, 1]), np.array([2])],
        ["0 1", "2"],
    ],
)
def test_tags_are_read_however_they_are_listed(rows):
    assert task.read_labels({"tags": rows}, "rows", NAMES, None) == ([[0, 1], [2]], "tags")


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (["O B-LOC", "O"], "it holds 'B-LOC', which are none of O, B-PER, I-PER: 1 row"),
        (["O", ""], "it has no tags in 1 row"),
        ([None, "O"], "it has no tags in 1 row"),
        ([[3], ["O"]], "it holds '3'"),
    ],
)
def test_what_is_no_tag_is_named(rows, words):
    with pytest.raises(DataError) as caught:
        task.read_labels({"tags": rows}, "rows", NAMES, None)
    assert words in caught.value.happened


def test_a_row_has_as_many_tags_as_words():
    task.check_rows([("Anna  met\tBo",)], [[1, 0, 1]], "rows")
    with pytest.raises(DataError) as caught:
        task.check_rows([("Anna met Bo",), ("Bo",)], [[1, 0, 1], [1, 0]], "rows")
    assert "row 2 has 1 words and 2 tags" in caught.value.happened


def test_an_answer_in_words_names_its_entities():
    text = "Anna Lee met  Bo ."
    assert task.told(text, np.array([1, 2, 0, 1, 0]), [0, 1, 2, 3, 4], NAMES) == "PER: Anna Lee; PER: Bo"
    assert task.told(text, np.array([0, 0]), [0, 1], NAMES) == "–"
    assert task.told(text, np.array([1, 2]), [2, 3], NAMES) == "PER: met  Bo"


def test_entities_that_one_of_two_models_finds_are_counted():
    one, other, groups = np.array([1, 2, 0]), np.array([1, 0, 0]), np.array([0, 0, 0])
    assert task.beside(one, other, NAMES, groups) == {"entity flips": 2.0}
    assert task.beside(one, one, NAMES, groups) == {"entity flips": 0.0}


def test_words_of_one_tag_teach_nothing():
    with pytest.raises(DataError):
        task.check_labels([[0, 0], [0]], "rows", NAMES)
    task.check_labels([[0, 1]], "rows", NAMES)
