"""What is to be answered: texts or images from the command line, or a file of rows."""

import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from temper.data.columns import list_rows
from temper.data.examples import Examples
from temper.data.images import ENDINGS, ImageFiles
from temper.data.prepare import check_examples
from temper.data.source import texts_of
from temper.errors import ConfigError, DataError, restated
from temper.reading.rows_file import data_bytes, read_columns

FORMATS = {".tsv": "tsv", ".csv": "csv", ".jsonl": "jsonl", ".parquet": "parquet", ".txt": "txt"}
STANDARD_INPUT = "-"
ID = "id"  # the column that names a file's rows where no other is named
NOTHING = "nothing was predicted"
_WORDS = {
    "set data.quoting: false": "give --no-quoting",
    "data.quoting": "--quoting",
    "the file's `columns`": "--columns",
}


@dataclass(frozen=True)
class RowsFile:
    """How a file of rows is read where the study does not say it; None: as the study says.

    text: one column, or two for pairs.
    columns: names of the columns of TSV or CSV without a header.
    quoting: whether fields of TSV or CSV may stand in double quotes.
    id: the column that names the rows.
    """

    text: list[str] | None
    columns: list[str] | None
    quoting: bool | None
    id: str | None = None


@dataclass(frozen=True, eq=False)
class Asked:
    """Rows to be answered.

    examples: texts or images; their labels mean nothing.
    shown: what stands for each row in a table: the text, or the image's path.
    from_file: whether they are the rows of one file, or the lines of standard input.
    columns: of a file what says which row is which, by name: its id, where it has one, and its texts.
    """

    examples: Examples
    shown: list[str]
    from_file: bool
    columns: Mapping[str, Sequence[Any]] = field(default_factory=dict)


def _refused(happened: str, fix: str, *, asked: str = "predict what the command line names") -> ConfigError:
    return ConfigError(asked=asked, happened=happened, affected=NOTHING, fix=fix)


def _is_there(base: Path, argument: str) -> bool:
    try:
        return bool(argument.strip()) and (base / argument).exists()
    except (OSError, ValueError):  # a text that is too long for a path, or holds what no path does
        return False


def _looks_like(argument: str, endings: Sequence[str], base: Path) -> bool:
    """A path with one of these endings, rather than a sentence: there is no such sentence of one word, or it is there."""
    if Path(argument).suffix.lower() not in endings:
        return False
    return not any(letter.isspace() for letter in argument) or _is_there(base, argument)


def _images(arguments: Sequence[str], base: Path) -> Asked:
    for argument in arguments:
        is_folder = (base / argument).is_dir()
        if is_folder or _looks_like(argument, list(FORMATS), base):
            raise _refused(
                f"{argument} is {'a folder' if is_folder else 'a file of rows'}, and this study's model takes images",
                f"name image files: {', '.join(f'*{ending}' for ending in ENDINGS)}",
            )
    paths = [str(base / argument) for argument in arguments]
    examples = Examples(origin="the command line", labels=[0] * len(paths), images=ImageFiles(paths))
    return Asked(examples, list(arguments), from_file=False)


def _rows(path: str, how: RowsFile, data: Mapping[str, Any]) -> Asked:
    format = FORMATS[Path(path).suffix.lower()]
    columns = how.text or data.get("text")
    if columns is None:
        raise _refused(
            f"the study's data has no text column that {path} could share",
            "name the column: --text-column NAME",
            asked=f"predict the rows of {path}",
        )
    if how.columns is not None and format not in ("tsv", "csv"):
        raise _refused(f"{path} names its columns itself", "leave out --columns", asked=f"predict the rows of {path}")
    quoting = how.quoting
    if quoting is None and format in ("tsv", "csv"):
        same = data.get("format") == format and data.get("quoting") is not None
        quoting = bool(data["quoting"]) if same else format == "csv"  # as both formats are usually written
    table = read_columns(path, format=format, quoting=quoting, columns=how.columns, wanted=None)
    texts = texts_of(table, columns)
    examples = Examples(origin=path, labels=[0] * len(texts), texts=texts)
    beside: dict[str, Sequence[Any]] = {}
    if how.id is not None and how.id not in table.values:
        raise _refused(
            f"it has no column {how.id!r}; it has {', '.join(map(repr, table.values))}",
            "name one of these with --id-column",
            asked=f"predict the rows of {path}",
        )
    if (how.id or ID) in table.values:
        beside[how.id or ID] = table.values[how.id or ID]
    beside |= dict(zip(columns, zip(*texts, strict=True), strict=False))
    return Asked(examples, ["\t".join(row) for row in texts], from_file=True, columns=beside)


def _lines(name: str, content: bytes, texts_per_row: int, columns: Sequence[str]) -> Asked:
    """A text a line; of pairs both, with a tab between them."""
    try:
        lines = content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise DataError(
            asked=f"predict the lines of {name}",
            happened=f"it is not UTF-8: {error.reason} at byte {error.start}",
            affected=NOTHING,
            fix="convert it to UTF-8",
        ) from None
    texts = [tuple(line.split("\t")) if texts_per_row > 1 else (line,) for line in lines]
    other = [number for number, row in enumerate(texts) if len(row) != texts_per_row]
    if other:
        raise DataError(
            asked=f"predict the lines of {name}",
            happened=f"this study's rows are pairs, and {list_rows(other)} have no tab, or several",
            affected=NOTHING,
            fix="put one tab between the two texts of each line",
        )
    examples = Examples(origin=name, labels=[0] * len(texts), texts=texts)
    named = dict(zip(columns, zip(*texts, strict=True), strict=False))
    return Asked(examples, ["\t".join(row) for row in texts], from_file=True, columns=named)


def _texts(arguments: Sequence[str], count: int) -> Asked:
    if len(arguments) % count:
        raise _refused(
            f"{len(arguments)} texts were given, and this study's rows are pairs",
            "give two texts for each row, or a file with both columns",
        )
    rows = [tuple(arguments[start : start + count]) for start in range(0, len(arguments), count)]
    examples = Examples(origin="the command line", labels=[0] * len(rows), texts=rows)
    return Asked(examples, [" | ".join(row) for row in rows], from_file=False)


def _file(path: Path, how: RowsFile, data: Mapping[str, Any]) -> Asked:
    if path.suffix.lower() != ".txt":
        return _rows(str(path), how, data)
    columns = data.get("text") or ["text"]
    return _lines(str(path), data_bytes(str(path)), len(columns), columns)


def _checked(found: Asked, task: str, arguments: Sequence[str]) -> Asked:
    """What was read, once its rows are such as a study's own; an error says what was typed, and speaks of no params.yaml."""
    words = {
        f"use {found.examples.origin}": f"predict {shlex.join(arguments)}",
        "point params.yaml at data that has rows": "give it rows",
    }
    if not found.from_file:
        words["remove these rows, or fill them; if a field before is to blame, check data.quoting"] = (
            "give a text, or leave it out"
        )
        words["remove it from the data"] = "leave it out of the text"
    with restated(NOTHING, words):
        check_examples(found.examples, task)
    return found


def read_inputs(
    arguments: Sequence[str], *, base: Path, task: str, data: Mapping[str, Any], how: RowsFile, as_text: bool
) -> Asked:
    """Texts, images or the rows of a file, checked as those of a study are.

    Args:
        arguments: texts, paths of images, or the path of one file of rows; '-' alone: the lines of standard input.
        base: the folder that paths start at.
        task: of the study's model.
        data: the `data:` section of the study.
        how: of a file of rows.
        as_text: take every argument for a text, also where it looks like a path.

    Raises:
        ConfigError: the model takes something else, or more than one file is named.
        DataError: a file is absent or broken, a column is missing, or a text is empty.
    """
    with restated(NOTHING, _WORDS):
        if task == "image-classification":
            asked = _images(arguments, base)
            return _checked(asked, task, arguments)
        if list(arguments) == [STANDARD_INPUT] and not as_text:
            count = len(data.get("text") or [""])
            asked = _lines("standard input", sys.stdin.buffer.read(), count, data.get("text") or ["text"])
            return _checked(asked, task, arguments)
        pictures = [] if as_text else [argument for argument in arguments if _looks_like(argument, ENDINGS, base)]
        if pictures:
            raise _refused(
                f"{pictures[0]} looks like an image, and this study's model takes texts",
                "name a study of images with --directory; or --text, where it is a text",
            )
        files = [] if as_text else [argument for argument in arguments if _looks_like(argument, list(FORMATS), base)]
        other = [] if as_text or files else [argument for argument in arguments if _is_there(base, argument)]
        if other:
            raise _refused(
                f"{other[0]} is there, as a {'folder' if (base / other[0]).is_dir() else 'file of another kind'}",
                f"name a file of rows ({', '.join(f'*{ending}' for ending in FORMATS)}); or --text, where it is a text",
            )
        if not files:
            asked = _texts(arguments, len(data.get("text") or [""]))
        elif len(arguments) > 1:
            raise _refused(
                f"{files[0]} stands beside {len(arguments) - 1} more",
                "name one file alone; or --text, where it is a text",
            )
        elif not (base / files[0]).is_file():
            raise DataError(
                asked=f"predict the rows of {files[0]}",
                happened="there is no such file",
                affected=NOTHING,
                fix="correct its path; or --text, where it is a text",
            )
        else:
            asked = _file(base / files[0], how, data)
        return _checked(asked, task, arguments)
