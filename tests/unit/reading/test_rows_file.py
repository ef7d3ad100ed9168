"""Rows of a file by themselves; tests/unit/data/test_files.py has them as a study's splits, with what is refused."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from temper.errors import DataError
from temper.reading import rows_file
from temper.reading.rows_file import read_columns


@pytest.mark.parametrize("name", ["rows [1].tsv", "a*b?.tsv", "it's {one}.tsv"])
def test_a_file_is_itself_and_no_pattern(tmp_path, name):
    (tmp_path / name).write_text("text\tlabel\na film\t1\n")
    (tmp_path / "rows 1.tsv").write_text("text\tlabel\nanother\t0\n")
    found = read_columns(str(tmp_path / name), format="tsv", quoting=False, columns=None, wanted=["text"])
    assert found.values == {"text": ["a film"], "label": []}


def test_a_head_that_says_more_rows_than_can_be_meant_is_refused(tmp_path, monkeypatch):
    pq.write_table(pa.table({"text": ["a"] * 9}), tmp_path / "rows.parquet")
    monkeypatch.setattr(rows_file, "MOST_ROWS", 8)
    with pytest.raises(DataError, match="9 rows of 1 columns"):
        read_columns(str(tmp_path / "rows.parquet"), format="parquet", quoting=None, columns=None, wanted=None)
