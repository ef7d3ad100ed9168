"""What every data source gives: a file `temper/data/<source>.py` with `Options` and `load(options, seed) -> Splits`.

Importing such a file must stay light (no datasets, scikit-learn, torch): planning reads `Options`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, PositiveInt

from temper.data.columns import NOTHING_WRITTEN, Columns, codes, list_rows, select_columns
from temper.data.examples import Examples
from temper.errors import DataError
from temper.tasks.task import check_rows, task_of


class SourceOptions(BaseModel):
    """Keys of the `data:` section that all sources share. Closed.

    source: name of the file in temper/data/.
    validation_rows: rows drawn from train for validation; null where the source has a validation split of its own.
    calibration_rows: rows drawn from what is left of train; they stay in train.
    max_tokens: longest row in tokens, special tokens included; what is beyond is cut. Null for images.
    labels: what a row's label is: a file of temper/tasks/; where it is not given, single_label.
    group: column of what rows belong to, such as their query: they are judged together; where it is not given, none.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    source: str
    validation_rows: PositiveInt | None
    calibration_rows: PositiveInt
    max_tokens: PositiveInt | None
    labels: Literal["single_label", "multi_label", "score", "token_classification", "embedding"] | None = None
    group: str | None = None

    def check_validation(self, own_split: str | None) -> None:
        """Raise ValueError unless validation is either a split of the source or drawn from train."""
        if (own_split is None) == (self.validation_rows is None):
            both = "both are given" if own_split is not None else "neither is given"
            raise ValueError(f"give either a validation split or validation_rows, and null for the other: {both}")


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


def _joined(value: Any) -> Any:
    """Words with blanks between them; anything else as it is."""
    words = list(value) if isinstance(value, list | tuple | np.ndarray) else []
    whole = words and all(isinstance(word, str) and len(word.split()) == 1 for word in words)
    return " ".join(word.strip() for word in words) if whole else value


def texts_of(table: Columns, names: Sequence[str], *, words: bool = False) -> list[tuple[str, ...]]:
    """One or two texts of each row; where words are answered, also as lists of words.

    Raises:
        DataError: a column is absent, the split has no rows, or a value is no text.
    """
    columns = select_columns(table, names)
    if words:
        columns = [[_joined(value) for value in column] for column in columns]
    for name, column in zip(names, columns, strict=True):
        bad = [row for row, value in enumerate(column) if not isinstance(value, str)]
        if bad:
            kinds = sorted({"null" if column[row] is None else type(column[row]).__name__ for row in bad})
            raise DataError(
                asked=f"read text from column {name!r} of {table.origin}",
                happened=f"{list_rows(bad)} hold {', '.join(kinds)} instead of text",
                affected=NOTHING_WRITTEN,
                fix="fill or remove these rows, or name another column in data.text",
            )
    return list(zip(*columns, strict=True))


def splits_from_columns(
    tables: Mapping[str, Columns],
    *,
    text: Sequence[str],
    label: str | Sequence[str],
    label_names: Sequence[str],
    notes: dict[str, Any],
    labels: str | None = None,
    group: str | None = None,
) -> Splits:
    """Texts and labels out of the named columns of train, test and, where given, validation.

    Args:
        tables: by split.
        text: one column, or two of a pair.
        label: the column that holds labels, or several where the task has them so.
        label_names: in the order of the outputs.
        notes: facts for the data card.
        labels: the task, which reads them, in the same form in every split.
        group: the column of what rows belong to.

    Raises:
        DataError: a column is absent, a split has no rows, a text is no text, or labels are not what the task reads.
    """
    examples: dict[str, Examples] = {}
    form: str | None = None
    columns = [label] if isinstance(label, str) else list(label)
    task = task_of(labels)
    for split in ("train", "validation", "test"):
        if split in tables:
            texts = texts_of(tables[split], text, words=task.ANSWERS_AT is not None)
            values = dict(zip(columns, select_columns(tables[split], columns), strict=True))
            found, form = task.read_labels(values, tables[split].origin, label_names, form)
            check_rows(task, texts, found, tables[split].origin)
            groups = None if group is None else codes(select_columns(tables[split], [group])[0])
            examples[split] = Examples(origin=tables[split].origin, labels=found, texts=texts, groups=groups)
    return Splits(
        train=examples["train"],
        validation=examples.get("validation"),
        test=examples["test"],
        label_names=tuple(label_names),
        notes={**notes, "labels_given_as": form},
    )
