"""A file of rows: TSV, CSV, JSON lines or Parquet, read through `datasets` with nothing left in its cache."""

import csv
import io
import json
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from temper.data.columns import NOTHING_WRITTEN, Columns
from temper.errors import DataError
from temper.reading.bounded import Unreadable, read_bytes
from temper.reading.encodings import wide_letters
from temper.reading.json_file import parse_json

# what may stand between fields, the usual first: countries with a decimal comma save CSV with semicolons
DELIMITERS = {"tsv": ("\t",), "csv": (",", ";", "\t", "|")}
MOST_BYTES, MOST_COLUMNS, MOST_ROWS = 2**32, 4096, 20_000_000
_FEWER = "keep the columns and rows that the study needs"


def _error(path: str, happened: str, fix: str) -> DataError:
    return DataError(asked=f"read {path}", happened=happened, affected=NOTHING_WRITTEN, fix=fix)


def data_bytes(path: str) -> bytes:
    """The bytes of a file of rows.

    Raises:
        DataError: it is absent, empty, no ordinary file, or too large.
    """
    try:
        content = read_bytes(path, MOST_BYTES)
    except FileNotFoundError:
        raise _error(
            path,
            "there is no such file below the study's folder",
            "correct its path in params.yaml, or bring it: the study's README.md, or this repository's, says where from; "
            "`temper raw` copies what its raw.yaml lists",
        ) from None
    except Unreadable as error:
        raise _error(path, str(error), "name an ordinary file in params.yaml, or give the study fewer rows") from None
    except OSError as error:
        raise _error(
            path, f"it cannot be read: {error.strerror}", "correct its path, or give yourself permission"
        ) from None
    if not content.strip():
        raise _error(path, f"it is empty ({len(content)} bytes)", "put the data there again; its copy may have failed")
    return content


def _read_text(path: str) -> str:
    content = data_bytes(path)
    wide = wide_letters(content[:1000])
    if wide is not None:
        named = wide.removesuffix("LE").removesuffix("BE")
        raise _error(path, f"it is {named}, not UTF-8", f"convert it: iconv -f {wide} -t UTF-8 OLD > NEW")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise _error(
            path,
            f"it is not UTF-8: byte 0x{content[error.start]:02x} at position {error.start:,} (line {line:,})",
            # it holds Latin-1 and what Windows has where Latin-1 has control characters, such as quotes
            "convert it; where it is of Western Europe: iconv -f WINDOWS-1252 -t UTF-8 OLD > NEW",
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


def _of_width(text: str) -> str:
    """What to do about a row of another width."""
    other = "correct that line, data.format, data.quoting, or the file's `columns`"
    if "\r" not in text.replace("\r\n", ""):
        return other
    # pandas leaves such a field without quotes, and cannot read it either
    return (
        "a carriage return ends a line where no quotes are around its field: write the file with quotes around all fields, or "
        f"without such characters; else {other}"
    )


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
                if len(names) > MOST_COLUMNS:
                    raise _error(
                        path, f"it has {len(names):,} columns, and {MOST_COLUMNS:,} is the most that is read", _FEWER
                    )
                continue
            rows += 1
            if len(fields) != len(names):
                raise _error(
                    path,
                    f"line {reader.line_num:,} has {len(fields)} fields, where the columns are {names}"[:600],
                    _of_width(text),
                )
    except csv.Error as error:
        raise _error(
            path,
            f"line {reader.line_num:,}: {error}",
            "where quotation marks are plain text, set data.quoting: false",
        ) from None
    assert names is not None  # an empty file was refused before
    if len(set(names)) < len(names):
        raise _error(path, f"it names a column twice: {names}"[:400], "rename one of them")
    return _Table(delimiter, names, rows)


def _layout(path: str, columns: list[str] | None, format: str, quoting: Literal[0, 3]) -> _Table:
    """The layout with the first delimiter that gives all rows as many fields, two at least where one does."""
    text = _read_text(path)
    usual, *others = DELIMITERS[format]
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
        content = parse_json(text)
    except Unreadable:
        return None
    if not all(isinstance(row, dict) for row in content):
        return None
    return [json.dumps(row, ensure_ascii=False) for row in content]


def _check_json_lines(path: str) -> int:
    rows = 0
    for number, line in enumerate(_read_text(path).removesuffix("\n").split("\n"), start=1):
        why = None
        try:
            is_object = isinstance(parse_json(line), dict)
        except Unreadable as error:
            is_object, why = False, error
        if not is_object:
            fix = "one object per line, or one array of objects"
            because = f" ({why})" if why is not None else ""
            raise _error(path, f"line {number:,} is not a JSON object{because}: {line[:60]!r}", fix)
        rows += 1
    return rows


def _check_parquet(path: str) -> None:
    """Refuse a file whose head says that it holds more than can be meant: a kilobyte may stand for a billion equal rows."""
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            rows, columns = file.metadata.num_rows, file.metadata.num_columns
    except Exception as error:  # pyarrow raises many types
        happened = f"{type(error).__name__}: {str(error).strip()[:400]}"
        raise _error(path, happened, "write the file anew in data.format") from None
    if columns > MOST_COLUMNS or not 0 <= rows <= MOST_ROWS:
        most = f"{MOST_ROWS:,} rows of {MOST_COLUMNS:,} columns is the most that is read"
        raise _error(path, f"its head says {rows:,} rows of {columns:,} columns, and {most}", _FEWER)


def _load(path: str, wanted: Iterable[str] | None, builder: str, **arguments: Any) -> tuple[dict[str, list[Any]], int]:
    """Values of the wanted columns by name (no values for the others), and the number of rows."""
    import datasets

    datasets.disable_progress_bars()
    with tempfile.TemporaryDirectory(prefix="temper-datasets.") as cache:
        link = Path(cache) / f"rows{Path(path).suffix}"  # `datasets` takes brackets and stars in a path for a pattern
        link.symlink_to(Path(path).resolve())
        files = {"rows": str(link)}
        try:
            table = datasets.load_dataset(builder, data_files=files, split="rows", cache_dir=cache, **arguments)
            kept = [name for name in table.column_names if wanted is None or name in set(wanted)]
            values = table.select_columns(kept)[:]  # all at once: one by one each costs a look at all
        except Exception as error:  # pandas, pyarrow and datasets each raise their own kinds
            cause = error.__cause__ or error
            raise _error(
                path, f"{type(cause).__name__}: {str(cause).strip()[:400]}", "write the file anew in data.format"
            ) from error
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
    if format in DELIMITERS:
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
        data_bytes(path)
        _check_parquet(path)
        values, found = _load(path, wanted, "parquet")
        rows = found
    if found != rows:
        happened = f"it has {rows:,} rows, of which {found:,} were read"
        raise _error(path, happened, "look for stray quotation marks or line ends, and set data.quoting")
    return Columns(origin=path, values=values)
