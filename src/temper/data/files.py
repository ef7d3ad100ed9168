"""Local files: TSV, CSV, JSON lines or Parquet, read through `datasets` with nothing left in its cache."""

import csv
import io
import json
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, model_validator

from temper.artifacts.manifest import sha256
from temper.data.source import NOTHING_WRITTEN, Columns, SourceOptions, Splits, splits_from_columns
from temper.errors import DataError

# what may stand between fields, the usual first: countries with a decimal comma save CSV with semicolons
_DELIMITERS = {"tsv": ("\t",), "csv": (",", ";", "\t", "|")}
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")


class File(BaseModel):
    """One split's file.

    path: relative to the study's folder.
    columns: null where the file names its columns itself (the first line of TSV and CSV; always JSON lines and
        Parquet); the names, in order, of a TSV or CSV file that has no such first line.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    path: str
    columns: Annotated[list[str], Field(min_length=2)] | None


LIBRARIES: tuple[str, ...] = ("datasets",)


class Options(SourceOptions):
    """Files and their columns. The header is a fact of each file, so splits of different origin go together.

    format: tsv, csv, jsonl or parquet.
    quoting: whether fields of TSV or CSV may stand in double quotes (SST-2: false); null for the other formats.
    train, validation, test: a file each; validation is null where it is drawn from train.
    text: one column, or two for pairs.
    label: column whose values are entries of label_names, or indices into it.
    label_names: names of the labels, in the order of the model's outputs.
    """

    source: Literal["files"]
    max_tokens: PositiveInt
    format: Literal["tsv", "csv", "jsonl", "parquet"]
    quoting: bool | None
    train: File
    validation: File | None
    test: File
    text: Annotated[list[str], Field(min_length=1, max_length=2)]
    label: str
    label_names: Annotated[list[str], Field(min_length=2)]

    @model_validator(mode="after")
    def _keys_agree(self) -> "Options":
        self.check_validation(None if self.validation is None else self.validation.path)
        delimited = self.format in _DELIMITERS
        if delimited != (self.quoting is not None):
            raise ValueError(f"quoting must be {'true or false' if delimited else 'null'} for format {self.format}")
        files = [self.train, self.test, *([self.validation] if self.validation else [])]
        if not delimited and any(file.columns for file in files):
            raise ValueError(f"columns must be null for format {self.format}: such a file names its columns itself")
        if len(set(self.label_names)) < len(self.label_names):
            raise ValueError(f"label_names holds a name twice: {self.label_names}")
        return self


def _error(path: str, happened: str, fix: str) -> DataError:
    return DataError(asked=f"read {path}", happened=happened, spoiled=NOTHING_WRITTEN, fix=fix)


def _read_bytes(path: str) -> bytes:
    try:
        content = Path(path).read_bytes()
    except FileNotFoundError:
        raise _error(
            path,
            "there is no such file below the study's folder",
            "correct its path in params.yaml, or bring it: the study's README.md, or this repository's, says where from; "
            "`make raw STUDY=…` copies what its raw.yaml lists",
        ) from None
    except IsADirectoryError:
        raise _error(path, "it is a folder", "name the file in it in params.yaml") from None
    if not content.strip():
        raise _error(path, f"it is empty ({len(content)} bytes)", "put the data there again; its copy may have failed")
    return content


def _read_text(path: str) -> str:
    content = _read_bytes(path)
    if content.startswith(_UTF_16) or content[:1000].count(0) > len(content[:1000]) // 4:
        raise _error(path, "it is UTF-16, not UTF-8", "convert it: iconv -f UTF-16 -t UTF-8 OLD > NEW")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise _error(
            path,
            f"it is not UTF-8: byte 0x{content[error.start]:02x} at position {error.start:,} (line {line:,})",
            "convert it, for example: iconv -f LATIN1 -t UTF-8 OLD > NEW",
        ) from None
    position = content.find(b"\0")
    if position >= 0:
        line = content.count(b"\n", 0, position) + 1
        raise _error(path, f"it holds a NUL byte at position {position:,} (line {line:,})", "write the file anew")
    return text


@dataclass(frozen=True)
class _Table:
    """How a file of fields is laid out: what stands between them, names of its columns, how many rows."""

    delimiter: str
    names: list[str]
    rows: int


def _laid_out(path: str, text: str, columns: list[str] | None, delimiter: str, quoting: Literal[0, 3]) -> _Table:
    """The layout with one delimiter.

    `datasets` reads through pandas, which takes the first column of too wide rows for an index and fills short rows
    with nothing. So the width of every row is checked here, where the line is still known.
    """
    csv.field_size_limit(max(len(text), csv.field_size_limit()))  # a text may be a book
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, quoting=quoting, strict=True)
    names, rows = columns, 0
    try:
        for fields in reader:
            if names is None:  # pandas saves its index as a first column without a name, and reads it by this one
                names = [name or f"Unnamed: {place}" for place, name in enumerate(fields)]
                continue
            rows += 1
            if len(fields) != len(names):
                raise _error(
                    path,
                    f"line {reader.line_num:,} has {len(fields)} fields, where the columns are {names}",
                    "correct that line, data.format, data.quoting, or the file's `columns`",
                )
    except csv.Error as error:
        raise _error(
            path,
            f"line {reader.line_num:,}: {error}",
            "where quotation marks are plain text, set data.quoting: false",
        ) from None
    assert names is not None  # an empty file was refused before
    if len(set(names)) < len(names):
        raise _error(path, f"it names a column twice: {names}", "rename one of them")
    return _Table(delimiter, names, rows)


def _layout(path: str, columns: list[str] | None, format: str, quoting: Literal[0, 3]) -> _Table:
    """The layout with the first delimiter that gives all rows as many fields, two at least where one does."""
    text = _read_text(path)
    usual, *others = _DELIMITERS[format]
    refused, found = None, None
    try:
        found = _laid_out(path, text, columns, usual, quoting)
    except DataError as error:
        refused = error
    if found is not None and len(found.names) > 1:
        return found
    for delimiter in others:
        try:
            other = _laid_out(path, text, columns, delimiter, quoting)
        except DataError:
            continue
        if len(other.names) > 1:
            return other
    if refused is not None:
        raise refused
    assert found is not None
    return found


def delimiter_of(path: str, *, format: str, quoting: bool, columns: list[str] | None) -> str:
    """What stands between the fields of a TSV or CSV file.

    Raises:
        DataError: it cannot be read as such a file.
    """
    return _layout(path, columns, format, csv.QUOTE_MINIMAL if quoting else csv.QUOTE_NONE).delimiter


def json_rows(path: str) -> list[str] | None:
    """The rows of a JSON array of objects, each as a line; None where the file is no such array.

    Raises:
        DataError: the file cannot be read as text.
    """
    text = _read_text(path)
    if not text.lstrip().startswith("["):
        return None
    try:
        content = json.loads(text)
    except ValueError:
        return None
    if not all(isinstance(row, dict) for row in content):
        return None
    return [json.dumps(row, ensure_ascii=False) for row in content]


def _check_json_lines(path: str) -> int:
    rows = 0
    for number, line in enumerate(_read_text(path).removesuffix("\n").split("\n"), start=1):
        try:
            is_object = isinstance(json.loads(line), dict)
        except ValueError:
            is_object = False
        if not is_object:
            fix = "one object per line, or one array of objects"
            raise _error(path, f"line {number:,} is not a JSON object: {line[:60]!r}", fix)
        rows += 1
    return rows


def _load(path: str, wanted: Iterable[str] | None, builder: str, **arguments: Any) -> tuple[dict[str, list[Any]], int]:
    """Values of the wanted columns by name (no values for the others), and the number of rows."""
    import datasets

    datasets.disable_progress_bars()
    with tempfile.TemporaryDirectory(prefix="temper-datasets.") as cache:
        files = {"rows": str(Path(path).resolve())}
        try:
            table = datasets.load_dataset(builder, data_files=files, split="rows", cache_dir=cache, **arguments)
        except Exception as error:  # pandas, pyarrow and datasets each raise their own kinds
            cause = error.__cause__ or error
            raise _error(
                path, f"{type(cause).__name__}: {str(cause).strip()[:400]}", "write the file anew in data.format"
            ) from error
        kept = [name for name in table.column_names if wanted is None or name in set(wanted)]
        values = table.select_columns(kept)[:]  # all at once: one by one each costs a look at all
        return {name: values[name] if name in kept else [] for name in table.column_names}, len(table)


def read_columns(
    path: str, *, format: str, quoting: bool | None, columns: list[str] | None, wanted: Iterable[str] | None
) -> Columns:
    """The columns of one file.

    Args:
        path: of the file.
        format: tsv, csv, jsonl or parquet.
        quoting: whether fields of TSV or CSV may stand in double quotes; read for these two alone.
        columns: names of the columns of a TSV or CSV file without a header; None where its first line names them.
        wanted: columns whose values are read; those of the others are left out. None: all.

    Raises:
        DataError: the file is missing, empty, not UTF-8, holds NUL bytes or rows of another width, or is of another format.
    """
    rows: int | None = None
    if format in _DELIMITERS:
        how: Literal[0, 3] = csv.QUOTE_MINIMAL if quoting else csv.QUOTE_NONE
        layout = _layout(path, columns, format, how)
        names, rows = layout.names, layout.rows
        if rows == 0:
            return Columns(origin=path, values={name: [] for name in names})
        import datasets

        values, found = _load(
            path,
            wanted,
            "csv",
            delimiter=layout.delimiter,
            quoting=how,
            column_names=names,
            header=0 if columns is None else None,
            features=datasets.Features({name: datasets.Value("string") for name in names}),
            keep_default_na=False,  # a sentence may be 'null' or 'NA'
            na_filter=False,
            skip_blank_lines=False,
        )
    elif format == "jsonl":
        array = json_rows(path)
        rows = _check_json_lines(path) if array is None else len(array)
        values, found = _load(path, wanted, "json")
    else:
        _read_bytes(path)
        values, found = _load(path, wanted, "parquet")
        rows = found
    if found != rows:
        happened = f"it has {rows:,} rows, of which {found:,} were read"
        raise _error(path, happened, "look for stray quotation marks or line ends, and set data.quoting")
    return Columns(origin=path, values=values)


def _read(file: File, options: Options) -> Columns:
    return read_columns(
        file.path,
        format=options.format,
        quoting=options.quoting,
        columns=file.columns,
        wanted=[*options.text, options.label],
    )


def load(options: Options, seed: int) -> Splits:
    """Read the files named in the options.

    Raises:
        DataError: a file is missing, empty, not UTF-8, holds NUL bytes or rows of another width, lacks a column, or
            has labels outside the label set.
    """
    files = {"train": options.train, "validation": options.validation, "test": options.test}
    given = {split: file for split, file in files.items() if file is not None}
    tables = {split: _read(file, options) for split, file in given.items()}
    splits = splits_from_columns(
        tables,
        text=options.text,
        label=options.label,
        label_names=options.label_names,
        notes={"source": {split: {"path": file.path, "sha256": sha256(file.path)} for split, file in given.items()}},
    )
    _check_numbers(splits, options)
    return splits


def _check_numbers(splits: Splits, options: Options) -> None:
    """Refuse numbers of labels of which none is 0: who counts from 1 would be read one label off."""
    if splits.notes["labels_given_as"] != "indices":
        return
    found = {
        label for part in (splits.train, splits.validation, splits.test) if part is not None for label in part.labels
    }
    if 0 not in found:
        raise DataError(
            asked=f"read labels from column {options.label!r} as numbers of data.label_names, the first being 0",
            happened=f"there are {', '.join(map(str, sorted(found)[:12]))} and no 0, so they may count from 1",
            spoiled=NOTHING_WRITTEN,
            fix="write into data.label_names what the column holds, in the order of the model's outputs "
            f"({', '.join(map(str, range(1, len(options.label_names) + 1)))[:40]} where it counts from 1)",
        )


def input_files(options: Options) -> list[str]:
    """The paths that a run with these options reads."""
    return [file.path for file in (options.train, options.validation, options.test) if file is not None]
