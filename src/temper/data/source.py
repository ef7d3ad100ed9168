"""What every data source gives: a file `temper/data/<source>.py` with `Options` and `load(options, seed) -> Splits`.

Importing such a file must stay light (no datasets, scikit-learn, torch): planning reads `Options`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, PositiveInt

from temper.errors import DataError

NOTHING_WRITTEN = "everything that is made from this data; nothing was written"


class SourceOptions(BaseModel):
    """Keys of the `data:` section that all sources share. Closed.

    source: name of the file in temper/data/.
    validation_rows: rows drawn from train for validation; null where the source has a validation split of its own.
    calibration_rows: rows drawn from what is left of train; they stay in train.
    max_tokens: longest row in tokens, special tokens included; what is beyond is cut. Null for images.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    source: str
    validation_rows: PositiveInt | None
    calibration_rows: PositiveInt
    max_tokens: PositiveInt | None

    def check_validation(self, own_split: str | None) -> None:
        """Raise ValueError unless validation is either a split of the source or drawn from train."""
        if (own_split is None) == (self.validation_rows is None):
            both = "both are given" if own_split is not None else "neither is given"
            raise ValueError(f"give either a validation split or validation_rows, and null for the other: {both}")


class Images(Protocol):
    """Rows of images: an array, or what reads each from its file when it is asked for (temper/data/images.py)."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[npt.NDArray[np.uint8]]:
        """uint8, [height, width, 3]: red, green, blue."""
        ...

    def __getitem__(self, rows: slice | npt.NDArray[np.int64], /) -> "Images":
        """The given rows, in the given order."""
        ...


@dataclass(frozen=True, eq=False)
class Examples:
    """Labelled rows; exactly one of `texts` and `images` is there.

    origin: where they came from, for messages, such as the path of their file.
    labels: one index into the label names per row.
    texts: one or two texts per row.
    images: uint8, [rows, height, width, 3]; or files, each image with a height and width of its own.
    """

    origin: str
    labels: list[int]
    texts: list[tuple[str, ...]] | None = None
    images: Images | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: Sequence[int]) -> "Examples":
        """The given rows, in the given order."""
        return Examples(
            origin=self.origin,
            labels=[self.labels[row] for row in rows],
            texts=None if self.texts is None else [self.texts[row] for row in rows],
            images=None if self.images is None else self.images[np.asarray(rows, dtype=np.int64)],
        )


@dataclass(frozen=True, eq=False)
class Splits:
    """What a source holds. `validation` is None where it has to be drawn from train.

    notes: facts for the data card.
    warnings: what had to be done to the rows, in words; printed, and in the data card.
    """

    train: Examples
    validation: Examples | None
    test: Examples
    label_names: tuple[str, ...]
    notes: dict[str, Any]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Columns:
    """The named columns of one split as a file or a hub dataset holds them; None marks an absent value."""

    origin: str
    values: Mapping[str, Sequence[Any]]


def list_rows(rows: Sequence[int]) -> str:
    """'3 rows, the first being row 2, 7, 9' for 0-based positions; rows are counted from 1 in messages."""
    shown = ", ".join(str(row + 1) for row in rows[:5])
    return f"{len(rows):,} row{'s' if len(rows) > 1 else ''} (counted from 1, without a header: {shown}\
{', …' if len(rows) > 5 else ''})"


def select_columns(table: Columns, names: Sequence[str]) -> list[Sequence[Any]]:
    """The named columns.

    Raises:
        DataError: one is absent (the message lists those that are there), or the split has no rows.
    """
    missing = [name for name in names if name not in table.values]
    if missing:
        raise DataError(
            asked=f"read columns {', '.join(map(repr, names))} of {table.origin}",
            happened=f"it has no column {', '.join(map(repr, missing))}; it has {', '.join(map(repr, table.values))}",
            spoiled=NOTHING_WRITTEN,
            fix="set data.text and data.label to columns it has (a file without a header needs its `columns` listed)",
        )
    chosen = [table.values[name] for name in names]
    if not len(chosen[0]):
        raise DataError(
            asked=f"read {table.origin}",
            happened="it holds a header but not one row",
            spoiled=NOTHING_WRITTEN,
            fix="put rows into it, or point params.yaml at the file that has them",
        )
    return chosen


def texts_of(table: Columns, names: Sequence[str]) -> list[tuple[str, ...]]:
    """One or two texts of each row.

    Raises:
        DataError: a column is absent, the split has no rows, or a value is no text.
    """
    columns = select_columns(table, names)
    for name, column in zip(names, columns, strict=True):
        bad = [row for row, value in enumerate(column) if not isinstance(value, str)]
        if bad:
            kinds = sorted({"null" if column[row] is None else type(column[row]).__name__ for row in bad})
            raise DataError(
                asked=f"read text from column {name!r} of {table.origin}",
                happened=f"{list_rows(bad)} hold {', '.join(kinds)} instead of text",
                spoiled=NOTHING_WRITTEN,
                fix="fill or remove these rows, or name another column in data.text",
            )
    return list(zip(*columns, strict=True))


def _labels(table: Columns, name: str, label_names: Sequence[str], form: str | None) -> tuple[list[int], str]:
    (column,) = select_columns(table, [name])
    missing = [row for row, value in enumerate(column) if value is None or value == ""]
    if missing:
        raise DataError(
            asked=f"read labels from column {name!r} of {table.origin}",
            happened=f"the label is missing in {list_rows(missing)}",
            spoiled=NOTHING_WRITTEN,
            fix="label these rows or remove them; a split without labels cannot be used",
        )
    values = [str(value) for value in column]
    numbering = {
        "names": {label: index for index, label in enumerate(label_names)},
        "indices": {str(index): index for index in range(len(label_names))},
    }
    forms = ["names", "indices"] if form is None else [form]
    for candidate in forms:
        if all(value in numbering[candidate] for value in values):
            return [numbering[candidate][value] for value in values], candidate
    unknown = [row for row, value in enumerate(values) if not any(value in numbering[form] for form in forms)]
    seen = sorted(set(values))
    rule = (
        f"neither are all of them label names ({', '.join(label_names)}), nor all indices 0 to {len(label_names) - 1}"
        if form is None
        else f"train gives its labels as {form}, and these are not all {form} of ({', '.join(label_names)})"
    )
    raise DataError(
        asked=f"read labels from column {name!r} of {table.origin}",
        happened=f"it holds the labels {', '.join(map(repr, seen[:12]))}{', …' if len(seen) > 12 else ''}: {rule}"
        + (f"; unknown in {list_rows(unknown)}" if unknown else ""),
        spoiled=NOTHING_WRITTEN,
        fix="correct the label set in params.yaml (data.label_names), or the labels; -1 usually marks a hidden label",
    )


def splits_from_columns(
    tables: Mapping[str, Columns],
    *,
    text: Sequence[str],
    label: str,
    label_names: Sequence[str],
    notes: dict[str, Any],
) -> Splits:
    """Texts and label indices out of the named columns of train, test and, where given, validation.

    Labels are either entries of `label_names` or indices into it, in the same form in every split. Values that are
    both count as entries.

    Raises:
        DataError: a column is absent, a split has no rows, a text is no text, a label is missing or not in the set.
    """
    examples: dict[str, Examples] = {}
    form: str | None = None
    for split in ("train", "validation", "test"):
        if split in tables:
            texts = texts_of(tables[split], text)
            labels, form = _labels(tables[split], label, label_names, form)
            examples[split] = Examples(origin=tables[split].origin, labels=labels, texts=texts)
    return Splits(
        train=examples["train"],
        validation=examples.get("validation"),
        test=examples["test"],
        label_names=tuple(label_names),
        notes={**notes, "labels_given_as": form},
    )
