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
MOST_SCORES = 10  # numbers with decimals that may still be classes, such as half stars from 0.5 to 5
_LABEL_NAMES = ("label", "labels", "class", "category", "target")
_OTHER_LABEL_NAMES = ("score", "similarity", "grade", "relevance", "rating", "tags", "ner_tags", "pos_tags")
_TEXT_NAMES = ("text", "sentence", "review", "content", "message", "tokens", "words")
_BOOLEANS = {"True", "False"}
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
        why = "it is a pipe, a socket or a device, and no file" if path.exists() else "there is no such file"
        raise _refused(path, why, "correct its path")
    format = FORMATS.get(path.suffix.lower())
    if format is None:
        raise _refused(path, f"its ending is {path.suffix or 'missing'}", f"save it as one of {', '.join(FORMATS)}")
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


def _one_value(value: Any) -> bool:
    return not isinstance(value, list | tuple | np.ndarray | Mapping)


def suggested_label(data: DataFile, *, usual: bool, scores: bool) -> str | None:
    """The column that holds labels by its name, else the only one with few distinct values; None in doubt.

    Args:
        data: the table.
        usual: whether the model gives one label of several: then only such a column is suggested.
        scores: whether it gives a number: then how many values a column has says nothing.
    """
    named = [name for name in data.names if name.lower() in _LABEL_NAMES]
    single = [name for name in data.names if all(map(_one_value, data.table.values[name][:1000]))]
    few = [name for name in single if 2 <= len(data.distinct(name)) <= min(MOST_LABELS, max(2, data.rows // 4))]
    others = [] if usual else [name for name in data.names if name.lower() in _OTHER_LABEL_NAMES]
    numbers = [] if usual else [name for name in single if are_scores(data.distinct(name))]
    orders = (named, others, numbers, few) if scores else (named, few, others, numbers)
    found: list[str] = next((each for each in orders if each), [])
    return found[0] if len(found) == 1 else None


def are_scores(values: Sequence[str]) -> bool:
    """Whether distinct values are numbers with decimals, and too many to be classes."""
    try:
        numbers = [float(value) for value in values]
    except ValueError:
        return False
    return len(values) > MOST_SCORES and any(number % 1 for number in numbers)


def yes_no_columns(data: DataFile) -> list[str]:
    """The columns that hold nothing but 1 and 0, both of them."""
    return [
        name
        for name in data.names
        if all(map(_one_value, data.table.values[name][:1000])) and set(data.distinct(name)) in ({"0", "1"}, _BOOLEANS)
    ]


def text_columns(data: DataFile, label: Sequence[str]) -> list[str]:
    """The columns beside the label that hold texts, or lists of words."""
    columns = {name: data.table.values[name] for name in data.names if name not in label}
    texts = [name for name, values in columns.items() if all(map(_is_text, values))]
    return [name for name in texts if not all(str(value).isdecimal() for value in columns[name])]  # row numbers


def _is_text(value: Any) -> bool:
    words = value if isinstance(value, list | tuple | np.ndarray) else None
    return isinstance(value, str) or (words is not None and all(isinstance(word, str) for word in words))


def suggested_text(data: DataFile, label: Sequence[str], *, pairs: bool) -> str | None:
    """The only other column of texts, else the one that has a usual name, or the two of pairs; None in doubt."""
    texts = text_columns(data, label)
    if pairs and len(texts) == 2:
        return ",".join(texts)
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
