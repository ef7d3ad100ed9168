"""Which columns of a table a new study reads, and what a row's label is: by the checkpoint's head and the table's form.

A checkpoint that is taken as it is says by its head what it answers. One that is trained learns what the table holds: lists of
labels, columns of 1 and 0, a tag for each word, numbers with decimals, or one label a row. Where head and table say two
things and both could be meant, somebody has to say it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.data.columns import words_in
from temper.errors import DataError
from temper.studies.checkpoint import NOT_MADE, Checkpoint
from temper.studies.data_file import (
    DataFile,
    are_scores,
    suggested_label,
    suggested_text,
    yes_no_columns,
)
from temper.studies.questions import Questions, one_of, some_of
from temper.tasks import multi_label, token_classification
from temper.tasks.task import USUAL, task_of

TASKS = [USUAL, "multi_label", "score", "token_classification", "embedding"]
_SURE = multi_label.BETWEEN[:2]  # ; and |: a comma stands in names of labels as well
_SHOWN = 12


@dataclass(frozen=True)
class Rows:
    """What a study reads of a table.

    labels: the task (temper/tasks/).
    text: one column, or two of pairs.
    label: the columns of the label; several where each is a yes or no to one.
    why: how the task was found, in words.
    """

    labels: str
    text: list[str]
    label: list[str]
    why: str


def rows_of(questions: Questions, text: list[str] | None, checkpoint: Checkpoint, data: DataFile) -> Rows:
    """Find out or ask what a study reads of a table.

    Args:
        questions: flags, and how to ask.
        text: columns that were given for the text.
        checkpoint: the model.
        data: the table.

    Raises:
        ConfigError: what a label is cannot be told, and nobody says it.
        DataError: a column that was named is not there.
    """
    if len(data.names) == 1:
        raise DataError(
            asked=f"make a study of {data.path.name}",
            happened=f"its only column is {data.names[0]!r}",
            affected=NOT_MADE,
            fix="give a file with a column of texts and one of labels: --data",
        )
    label = _label(questions, checkpoint, data)
    others = [name for name in data.names if name not in label]
    wanted = questions.given("labels") or checkpoint.kind
    if text is not None:
        for name in text:
            if name not in others:
                raise DataError(
                    asked=f"make a study with --text-column {name}",
                    happened=f"{data.path.name} has, beside the label, {', '.join(map(repr, others)) or 'no column'}",
                    affected=NOT_MADE,
                    fix="correct --text-column; a file without a header needs --columns",
                )
    else:
        pairs = checkpoint.pools or wanted in ("score", "embedding") or are_scores(data.distinct(label[0]))
        text = questions.answer(
            "text-column",
            f"column of the text, of {', '.join(others)}",
            some_of(others, 2),
            suggested_text(data, label, pairs=pairs),
        )
    found, why = _kind(questions, checkpoint, data, text, label)
    labels = questions.answer("labels", f"what a row's label is, of {', '.join(TASKS)}", one_of(TASKS), found)
    return Rows(labels, text, label, why if labels == found else "as it was said")


def _label(questions: Questions, checkpoint: Checkpoint, data: DataFile) -> list[str]:
    several = checkpoint.kind in (None, "multi_label") or questions.given("labels") == "multi_label"
    flags = yes_no_columns(data) if several else []
    own = [name for name in checkpoint.head.names if name in flags]
    if len(own) == len(checkpoint.head.names) > 1 and checkpoint.kind == "multi_label":
        flags = own
    suggestion = suggested_label(data, usual=checkpoint.kind == USUAL, scores=checkpoint.kind == "score")
    if len(flags) > 1 and (flags == own or suggestion is None):
        return flags
    most = len(data.names) if several else 1
    shown = ", ".join(data.names)
    return questions.answer("label-column", f"column of the label, of {shown}", some_of(data.names, most), suggestion)


def _kind(
    questions: Questions, checkpoint: Checkpoint, data: DataFile, text: list[str], label: list[str]
) -> tuple[str | None, str]:
    """The task and how it was found; None where both of two could be meant."""
    own, shown = checkpoint.kind, form_of(data, text, label)
    trained = questions.given("fine-tune") in ("yes", "y")
    by_table = f"by the form of {', '.join(label[:_SHOWN])}"
    if own is None:
        if checkpoint.pools and len(text) == 2 and shown in (USUAL, "score") and _numbers(data, label) and not trained:
            return "embedding", "its modules.json pools tokens, and the table has pairs with a number"
        return shown, by_table
    if not trained or own == shown:
        return own, "by the checkpoint's head"
    both = own == "multi_label" or (own == "score" and _numbers(data, label))
    return (None, "") if shown == USUAL and both else (shown, by_table)


def _numbers(data: DataFile, label: Sequence[str]) -> bool:
    def number(value: str) -> bool:
        try:
            return bool(np.isfinite(float(value)))
        except ValueError:
            return False

    return len(label) == 1 and all(map(number, data.distinct(label[0])))


def form_of(data: DataFile, text: Sequence[str], label: Sequence[str]) -> str:
    """The task that a table's labels are written for."""
    if len(label) > 1:
        return "multi_label"
    column = list(data.table.values[label[0]])
    if len(text) == 1 and _tagged(list(data.table.values[text[0]]), column):
        return "token_classification"
    if any(not isinstance(value, str | None) and isinstance(value, Sequence | np.ndarray) for value in column):
        return "multi_label"
    if _in_fields(column):
        return "multi_label"
    return "score" if are_scores(data.distinct(label[0])) else USUAL


def _tagged(texts: list[Any], column: list[Any]) -> bool:
    """Whether each row has as many tags as words, and some row more than one."""
    counts = [
        (len(words_in(text)) if isinstance(text, str) else len(text), len(token_classification.tags_of(tags)))
        for text, tags in zip(texts, column, strict=True)
        if text is not None
    ]
    return all(words == tags for words, tags in counts) and any(tags > 1 for _, tags in counts)


def _in_fields(column: list[Any]) -> bool:
    """Whether fields list labels: JSON lists, or names with ; or | between them of which some stand in other fields too."""
    texts = {value.strip() for value in column if isinstance(value, str) and value.strip()}
    if texts and all(text.startswith("[") and text.endswith("]") for text in texts):
        return True
    for separator in _SURE:
        parts = [part.strip() for text in texts if separator in text for part in text.split(separator)]
        if parts and (len(set(parts)) < len(parts) or not texts.isdisjoint(parts)):
            return True
    return False


def label_values(data: DataFile, rows: Rows, names: Sequence[str]) -> list[str]:
    """Distinct labels of a table as it writes them, sorted; of columns their names; of scores none.

    Args:
        data: the table.
        rows: what is read of it.
        names: of the checkpoint's outputs where they are of this task; else none.

    Raises:
        DataError: a row has no labels where it has to have some.
    """
    if len(rows.label) > 1:
        return list(rows.label)
    column = list(data.table.values[rows.label[0]])
    if rows.labels == "multi_label":
        lists = multi_label.lists_of(rows.label[0], column, str(data.path), names)
    elif rows.labels == "token_classification":
        lists = [token_classification.tags_of(value) for value in column]
    else:
        return data.distinct(rows.label[0]) if task_of(rows.labels).COUNTED else []
    return sorted({str(each) for row in lists for each in row})
