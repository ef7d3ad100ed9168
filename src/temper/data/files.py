"""Local files: TSV, CSV, JSON lines or Parquet."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, model_validator

from temper.artifacts.manifest import sha256
from temper.data.columns import NOTHING_WRITTEN, Columns
from temper.data.source import SourceOptions, Splits, splits_from_columns
from temper.errors import DataError
from temper.reading.rows_file import DELIMITERS, read_columns
from temper.tasks.task import task_of


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
    label: column whose values are entries of label_names, or indices into it; with `labels: multi_label` a column that lists a
        row's labels, or a column for each label.
    label_names: names of the labels, in the order of the model's outputs; of a score one name.
    """

    source: Literal["files"]
    max_tokens: PositiveInt
    format: Literal["tsv", "csv", "jsonl", "parquet"]
    quoting: bool | None
    train: File
    validation: File | None
    test: File
    text: Annotated[list[str], Field(min_length=1, max_length=2)]
    label: str | Annotated[list[str], Field(min_length=2)]
    label_names: Annotated[list[str], Field(min_length=1)]

    @model_validator(mode="after")
    def _keys_agree(self) -> "Options":
        self.check_validation(None if self.validation is None else self.validation.path)
        delimited = self.format in DELIMITERS
        if delimited != (self.quoting is not None):
            raise ValueError(f"quoting must be {'true or false' if delimited else 'null'} for format {self.format}")
        files = [self.train, self.test, *([self.validation] if self.validation else [])]
        if not delimited and any(file.columns for file in files):
            raise ValueError(f"columns must be null for format {self.format}: such a file names its columns itself")
        if len(set(self.label_names)) < len(self.label_names):
            raise ValueError(f"label_names holds a name twice: {self.label_names}")
        why = task_of(self.labels).why_not_names(self.label_names)
        if why is not None:
            raise ValueError(f"label_names is {self.label_names}: {why}")
        return self


def _read(file: File, options: Options) -> Columns:
    return read_columns(
        file.path,
        format=options.format,
        quoting=options.quoting,
        columns=file.columns,
        wanted=[
            *options.text,
            *([options.label] if isinstance(options.label, str) else options.label),
            *([options.group] if options.group else []),
        ],
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
        labels=options.labels,
        group=options.group,
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
            affected=NOTHING_WRITTEN,
            fix="write into data.label_names what the column holds, in the order of the model's outputs "
            f"({', '.join(map(str, range(1, len(options.label_names) + 1)))[:40]} where it counts from 1)",
        )


def input_files(options: Options) -> list[str]:
    """The paths that a run with these options reads."""
    return [file.path for file in (options.train, options.validation, options.test) if file is not None]
