import pytest

from temper.data.columns import Columns, codes, list_rows, select_columns
from temper.errors import DataError

TABLE = Columns(origin="rows.tsv", values={"text": ["a", "b"], "label": ["0", "1"]})


def test_named_columns_are_given_in_the_order_of_their_names():
    assert select_columns(TABLE, ["label", "text"]) == [["0", "1"], ["a", "b"]]


@pytest.mark.parametrize(
    ("table", "names", "words"),
    [
        (TABLE, ["mark"], "it has no column 'mark'; it has 'text', 'label'"),
        (Columns("rows.tsv", {"text": []}), ["text"], "it holds a header but not one row"),
    ],
)
def test_what_is_not_there_is_named(table, names, words):
    with pytest.raises(DataError) as caught:
        select_columns(table, names)
    assert words in caught.value.happened


def test_rows_are_counted_from_one():
    assert list_rows([1]) == "1 row (counted from 1, without a header: 2)"
    assert list_rows(range(7)) == "7 rows (counted from 1, without a header: 1, 2, 3, 4, 5, …)"


def test_groups_are_numbered_as_they_come():
    assert codes(["b", "a", "b", 3]) == [0, 1, 0, 2]
