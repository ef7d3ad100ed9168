import numpy as np
import pytest

from temper.data.examples import Examples
from temper.data.prepare import one_by_one
from temper.errors import DataError
from temper.tasks import embedding

OUTPUTS = np.array([[1.0, 0.0], [0.0, 2.0], [1.0, 1.0], [3.0, 3.0], [0.0, 0.0], [1.0, 0.0]], np.float32)


def test_the_answer_of_both_rows_of_a_pair_is_their_cosine():
    assert embedding.answers(OUTPUTS, None).tolist() == [0, 0, 1, 1, 0, 0]
    assert embedding.answers(OUTPUTS[:3], None).tolist() == [0, 0, 1]  # left over, its own partner
    assert embedding.probabilities(OUTPUTS).shape == (6, 1)


def test_a_pair_of_the_data_is_two_rows_of_the_model():
    part = one_by_one(Examples("rows", [0.5, 1.0], texts=[("a", "b"), ("c", "d")]))
    assert part.texts == [("a",), ("b",), ("c",), ("d",)]
    assert part.labels == [0.5, 0.5, 1.0, 1.0]
    assert part.groups == [0, 0, 1, 1]


def test_one_text_a_row_is_no_pair():
    with pytest.raises(DataError) as caught:
        embedding.check_rows([("a",)], [1.0], "rows")
    assert "names one column" in caught.value.happened
    embedding.check_rows([("a", "b")], [1.0], "rows")
    assert "2 names" in str(embedding.why_not_names(("a", "b")))
