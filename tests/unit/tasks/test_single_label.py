import numpy as np
import pytest

from temper.errors import DataError
from temper.tasks import single_label


def test_labels_are_places_by_name_or_by_number():
    assert single_label.read_labels({"mark": ["yes", "no"]}, "rows", ("no", "yes"), None) == ([1, 0], "names")
    assert single_label.read_labels({"mark": [1, 0]}, "rows", ("no", "yes"), None) == ([1, 0], "indices")
    assert single_label.read_labels({"mark": ["1", "0"]}, "rows", ("1", "0"), None) == ([0, 1], "names")


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"mark": ["yes", ""]}, "the label is missing in 1 row"),
        ({"mark": ["yes", "maybe"]}, "it holds the labels 'maybe', 'yes'"),
        ({"yes": ["1"], "no": ["0"]}, "data.label names 2 columns: yes, no"),
    ],
)
def test_what_is_no_label_is_named(columns, words):
    with pytest.raises(DataError) as caught:
        single_label.read_labels(columns, "rows", ("no", "yes"), None)
    assert words in caught.value.happened


def test_the_first_of_equal_logits_is_the_answer():
    found = single_label.answers(np.array([[0.1, 0.2], [3, -1], [0.5, 0.5]], np.float32), None)
    assert found.tolist() == [1, 0, 0]
    assert found.dtype == np.int64


def test_probabilities_add_up_to_one():
    assert single_label.probabilities(np.array([[0.0, 1000.0], [1.0, 1.0]])).tolist() == [[0.0, 1.0], [0.5, 0.5]]


def test_one_label_teaches_nothing():
    with pytest.raises(DataError, match="have the label 'yes'"):
        single_label.check_labels([1, 1], "rows", ("no", "yes"))


def test_accuracy_is_the_share_of_right_rows():
    assert single_label.figure(np.array([1, 0, 1, 1]), np.array([1, 0, 0, 1])) == 0.75
