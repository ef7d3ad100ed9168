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


def test_words_of_one_tag_teach_nothing():
    with pytest.raises(DataError):
        task.check_labels([[0, 0], [0]], "rows", NAMES)
    task.check_labels([[0, 1]], "rows", NAMES)
