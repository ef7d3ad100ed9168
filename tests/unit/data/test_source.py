import subprocess
import sys

import pytest

from temper.data.columns import Columns
from temper.data.source import splits_from_columns
from temper.errors import DataError

NAMES = ["bad", "fine"]


def splits(train, test, label_names=NAMES):
    tables = {
        split: Columns(origin=f"{split}.csv", values={"s": ["x"] * len(labels), "y": labels})
        for split, labels in {"train": train, "test": test}.items()
    }
    return splits_from_columns(tables, text=["s"], label="y", label_names=label_names, notes={})


@pytest.mark.parametrize("module", ["synthetic", "files", "hub", "digits", "encoded"])
def test_planning_imports_nothing_heavy(module: str):
    heavy = "{'torch', 'transformers', 'datasets', 'pandas', 'sklearn', 'tokenizers'}"
    code = f"import sys, temper.data.{module}; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("train", "test", "names", "expected"),
    [
        (["0", "1"], ["1", "1"], NAMES, [0, 1]),
        ([1, 0], [1, 0], NAMES, [1, 0]),
        (["fine", "bad"], ["bad"], NAMES, [1, 0]),
        (["2", "1"], ["1"], ["1", "2"], [1, 0]),  # both a name and an index: the name counts
        (["1", "0"], ["1"], ["1", "2"], [1, 0]),
    ],
)
def test_labels_are_names_or_indices(train, test, names, expected):
    assert splits(train, test, names).train.labels == expected


@pytest.mark.parametrize(
    ("train", "test", "message"),
    [
        (["0", "1"], ["bad", "fine"], "test.csv.*train gives its labels as indices"),
        (["bad", "fine"], ["0", "1"], "test.csv.*train gives its labels as names"),
        (["0", "1"], ["-1", "-1"], r"'-1'.*unknown in 2 rows .*1, 2.*hidden label"),
        (["0", "3", "1"], ["0"], r"train.csv.*'0', '1', '3'.*indices 0 to 1.*unknown in 1 row .*: 2\)"),
        (["0", None, "1"], ["0"], r"label is missing in 1 row .*: 2\)"),
        (["0", "1", ""], ["0"], r"label is missing in 1 row .*: 3\)"),
        (["0", "1"], [], r"test.csv.*not one row"),
    ],
)
def test_a_wrong_label_names_split_row_and_value(train, test, message):
    with pytest.raises(DataError, match=f"(?s){message}"):
        splits(train, test)
