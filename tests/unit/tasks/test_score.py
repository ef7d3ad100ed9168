import numpy as np
import pytest

from temper.errors import DataError
from temper.tasks import score


def read(*values):
    return score.read_labels({"grade": list(values)}, "rows", ("score",), None)


def test_numbers_are_read_however_they_are_written():
    assert read("1", "2.5", " -3e-1", 4, np.float32(0.5)) == ([1.0, 2.5, -0.3, 4.0, 0.5], "numbers")


@pytest.mark.parametrize("value", ["good", "", None, "nan", "1,5", "inf", "1e300"])
def test_what_is_no_number_is_named(value):
    with pytest.raises(DataError) as caught:
        read("1", value)
    assert "1 row" in caught.value.happened
    assert repr(value) in caught.value.happened


def test_a_score_has_one_column_and_one_name():
    with pytest.raises(DataError) as caught:
        score.read_labels({"a": [1], "b": [2]}, "rows", ("score",), None)
    assert "names 2 columns: a, b" in caught.value.happened
    assert score.why_not_names(("low", "high")) == "a score is one output, and there are 2 names"
    assert score.why_not_names(("score",)) is None


def test_rows_of_one_score_teach_nothing():
    with pytest.raises(DataError):
        score.check_labels([2.0, 2.0], "rows", ("score",))
    score.check_labels([2.0, 2.5], "rows", ("score",))


def test_the_answer_is_the_output_with_six_digits():
    logits = np.array([[0.12345678], [-2.0]], np.float32)
    assert score.answers(logits, None).tolist() == [0.123457, -2.0]
    assert score.figure(score.answers(logits, None), np.array([5.0, 1.0])) == 1.0
