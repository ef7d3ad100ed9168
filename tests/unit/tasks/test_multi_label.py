import numpy as np
import pytest

from temper.errors import DataError
from temper.tasks import multi_label

NAMES = ("joy", "love, deep", "fear")


def read(*values, names=("joy", "love", "fear"), column="mood"):
    return multi_label.read_labels({column: list(values)}, "rows", names, None)[0]


@pytest.mark.parametrize(
    "rows",
    [
        ["joy;fear", "", "love", "fear; joy "],
        ["joy|fear", "", "love", "fear|joy"],
        ["joy,fear", " ", "love", "fear, joy"],
        ['["joy", "fear"]', "[]", '["love"]', "[2, 0]"],
        [["joy", "fear"], [], ["love"], [0, 2]],
        [np.array(["joy", "fear"]), np.array([]), np.array(["love"]), np.array([2, 0])],
    ],
)
def test_a_row_s_labels_are_read_however_they_are_listed(rows):
    assert read(*rows) == [0b101, 0, 0b010, 0b101]


def test_a_name_with_a_comma_is_one_name():
    assert read("joy;love, deep", "love, deep", names=NAMES) == [0b011, 0b010]


def test_a_column_for_each_label_says_yes_or_no():
    columns = {"joy": ["1", "0", "True"], "fear": [0, 1, 1]}
    assert multi_label.read_labels(columns, "rows", ("joy", "fear"), None) == ([0b01, 0b10, 0b11], "columns")


@pytest.mark.parametrize(
    ("columns", "names", "words"),
    [
        ({"mood": ["joy", "hate"]}, ("joy", "fear"), "it holds 'hate', which are none of joy, fear: 1 row"),
        ({"mood": ["joy", None]}, ("joy", "fear"), "the labels are missing in 1 row"),
        ({"joy": ["1"], "fear": ["-1"]}, ("joy", "fear"), "hold '-1' instead of 1 or 0"),
        (
            {"joy": ["1"], "hate": ["1"]},
            ("joy", "fear"),
            "names the columns joy, hate, and data.label_names is joy, fear",
        ),
        ({"mood": ["a"]}, tuple(map(str, range(53))), "has 53 labels, and 52 is the most"),
    ],
)
def test_what_is_no_label_is_named(columns, names, words):
    with pytest.raises(DataError) as caught:
        multi_label.read_labels(columns, "rows", names, None)
    assert words in caught.value.happened


@pytest.mark.parametrize(("labels", "refused"), [([3, 3, 3], True), ([0, 0], True), ([1, 3], False)])
def test_rows_that_all_have_the_same_labels_teach_nothing(labels, refused):
    if not refused:
        return multi_label.check_labels(labels, "rows", ("a", "b"))
    with pytest.raises(DataError, match="have the same labels"):
        multi_label.check_labels(labels, "rows", ("a", "b"))


def test_an_answer_is_named_by_its_labels():
    assert [multi_label.named(number, NAMES) for number in (0, 0b101, 0b010)] == ["–", "joy, fear", "love, deep"]


def test_loss_is_that_of_torch_on_the_flags():
    import torch

    logits = torch.tensor([[1.0, -2.0, 0.5], [0.0, 3.0, -1.0]])
    wanted = torch.tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
    expected = torch.nn.functional.binary_cross_entropy_with_logits(logits, wanted)
    assert multi_label.loss(logits, torch.tensor([0b101, 0b010])) == expected
