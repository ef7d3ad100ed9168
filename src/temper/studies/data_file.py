"""A file of labelled texts, or a folder of images by label, for a study that is to be made of it."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from temper.data.columns import Columns
from temper.errors import DataError, PipelineError
from temper.reading.rows_file import delimiter_of, json_rows, read_columns

FORMATS = {".tsv": "tsv", ".csv": "csv", ".jsonl": "jsonl", ".json": "jsonl", ".parquet": "parquet"}
DELIMITED = ("tsv", "csv")
NOT_MADE = "nothing: no study was made"
MOST_LABELS = 50  # distinct values of a column that is suggested as labels
_LABEL_NAMES = ("label", "labels", "class", "category", "target")
_TEXT_NAMES = ("text", "sentence", "review", "content", "message")
_WORDS_OF_A_ROW = 6  # a column's name has fewer


@dataclass(frozen=True)
class DataFile:
    """A file of rows and how it is read.

    columns: names that were given to a file without a header; None where it names them itself.
    """

    path: Path
    format: str
    quoting: bool | None
    columns: list[str] | None
    table: Columns

    @property
    def names(self) -> list[str]:
        """Names of its columns."""
        return list(self.table.values)

    @property
    def rows(self) -> int:
        """How many rows it has."""
        return len(next(iter(self.table.values.values())))

    def distinct(self, column: str) -> list[str]:
        """Distinct values of a column as text, sorted; missing ones left out."""
        return sorted({str(value) for value in self.table.values[column] if value is not None and value != ""})


def _refused(path: Path, happened: str, fix: str) -> DataError:
    return DataError(asked=f"make a study of {path}", happened=happened, affected=NOT_MADE, fix=fix)


def _read(path: Path, format: str, quoting: bool | None, columns: list[str] | None) -> Columns:
    return read_columns(str(path), format=format, quoting=quoting, columns=columns, wanted=None)


def _first_row_as_header(table: Columns) -> bool:
    """Whether the names of the columns look like a row: a label that others have too, or a sentence."""
    for name, values in table.values.items():
        counted = {str(value) for value in values}
        if len(name.split()) >= _WORDS_OF_A_ROW or (len(counted) <= MOST_LABELS and name in counted):
            return True
    return False


def read_data_file(path: Path, *, columns: list[str] | None, quoting: bool | None) -> DataFile:
    """Read a file of rows.

    Args:
        path: of the file; its ending says the format.
        columns: names of the columns where TSV or CSV has no header.
        quoting: whether fields may stand in double quotes; None finds out: CSV usually does it, TSV usually not.

    Raises:
        DataError: it is absent, of an unknown format, cannot be read, has no rows, or no header.
    """
    if not path.is_file():
        raise _refused(path, "there is no such file", "correct its path")
    format = FORMATS.get(path.suffix.lower())
    if format is None:
        raise _refused(path, f"its ending is {path.suffix or 'missing'}", f"give it one of {', '.join(FORMATS)}")
    if format not in DELIMITED:
        table, quoting = _read(path, format, None, None), None
    elif quoting is not None:
        table = _read(path, format, quoting, columns)
    else:
        quoting = format == "csv"
        try:
            table = _read(path, format, quoting, columns)
        except PipelineError as usual:
            try:
                table = _read(path, format, not quoting, columns)
            except PipelineError:
                raise usual from None
            quoting = not quoting
    found = DataFile(path, format, quoting, columns, table)
    if not found.rows:
        raise _refused(path, "it has no rows", "put rows into it")
    if columns is None and format in DELIMITED and _first_row_as_header(table):
        raise _refused(
            path,
            f"its first line looks like a row and not like names of columns: {', '.join(map(repr, found.names))[:200]}",
            "name its columns, in their order: --columns NAME NAME …; or write such a first line",
        )
    return found


def suggested_label(data: DataFile) -> str | None:
    """The column that holds labels by its name, else the only one with few distinct values; None in doubt."""
    named = [name for name in data.names if name.lower() in _LABEL_NAMES]
    few = [name for name in data.names if 2 <= len(data.distinct(name)) <= min(MOST_LABELS, max(2, data.rows // 4))]
    found = named or few
    return found[0] if len(found) == 1 else None


def suggested_text(data: DataFile, label: str) -> str | None:
    """The only other column of texts, else the one that has a usual name; None in doubt."""
    columns = {name: data.table.values[name] for name in data.names if name != label}
    texts = [name for name, values in columns.items() if all(isinstance(value, str) for value in values)]
    texts = [name for name in texts if not all(value.isdecimal() for value in columns[name])]  # row numbers are none
    named = [name for name in texts if name.lower() in _TEXT_NAMES]
    found = texts if len(texts) == 1 else named
    return found[0] if len(found) == 1 else None


def draw_test(data: DataFile, test_rows: int, seed: int, folder: Path) -> tuple[str, str]:
    """Write a file's rows as two files of the same format: train, and test rows drawn by seed.

    Args:
        data: what is split.
        test_rows: rows of test; fewer than there are.
        seed: draws them; rows keep their order.
        folder: where the files go.

    Returns:
        Names of the files.
    """
    drawn = set(np.random.default_rng(seed).permutation(data.rows)[:test_rows].tolist())
    parts = {"train": [row for row in range(data.rows) if row not in drawn], "test": sorted(drawn)}
    names = {part: f"{part}.{data.format}" for part in parts}
    if data.format == "parquet":
        import pyarrow.parquet as pq

        table = pq.read_table(data.path)
        for part, rows in parts.items():
            pq.write_table(table.take(rows), folder / names[part])
    elif data.format == "jsonl":
        array = json_rows(str(data.path))
        lines = array or data.path.read_text(encoding="utf-8-sig").removesuffix("\n").split("\n")
        for part, rows in parts.items():
            (folder / names[part]).write_text("".join(lines[row] + "\n" for row in rows), encoding="utf-8")
    else:
        for part, rows in parts.items():
            (folder / names[part]).write_text(_delimited(data, rows), encoding="utf-8")
    return names["train"], names["test"]


def _delimited(data: DataFile, rows: Sequence[int]) -> str:
    """These rows, with the header where the file has one."""
    # all, because a field with a bare carriage return would be left without quotes, and end a row where it is read
    form: Mapping[str, Any] = (
        {"quoting": csv.QUOTE_ALL} if data.quoting else {"quoting": csv.QUOTE_NONE, "quotechar": None}
    )
    text = io.StringIO()
    path, quoting = str(data.path), bool(data.quoting)
    delimiter = delimiter_of(path, format=data.format, quoting=quoting, columns=data.columns)
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\n", **form)
    columns = list(data.table.values.values())
    if data.columns is None:
        writer.writerow(data.names)
    writer.writerows([column[row] for column in columns] for row in rows)
    return text.getvalue()


def image_labels(folder: Path) -> list[str]:
    """Names of the folders in a folder of images by label, sorted.

    Raises:
        DataError: there are fewer than two.
    """
    names = sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    if len(names) < 2:
        raise _refused(
            folder,
            f"it holds {len(names)} folders",
            "put the images of each label into a folder with the label's name; or name a file of texts",
        )
    return names
