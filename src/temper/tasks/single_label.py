"""One label of several for each row: a softmax over the outputs, of which the largest counts."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from temper.data.columns import NOTHING_WRITTEN, list_rows
from temper.errors import DataError
from temper.tasks.heads import OF_ROWS

TITLE = "one label of several"
PROBLEM_TYPE = "single_label_classification"
NETWORKS = OF_ROWS
ANSWERS_AT = None
LABEL_TYPE = "int64"
COUNTED = True


def why_not_names(names: Sequence[str]) -> str | None:
    """One label is no choice."""
    return None if len(names) > 1 else "one label alone is no choice"


def read_labels(
    columns: Mapping[str, Sequence[Any]], origin: str, names: Sequence[str], form: str | None
) -> tuple[list[int], str]:
    """Places of the labels among the names: the column holds names, or places; values that are both count as names.

    Raises:
        DataError: a label is missing, or not in the set; or there are several columns.
    """
    if len(columns) != 1:
        raise DataError(
            asked=f"read one label for each row of {origin}",
            happened=f"data.label names {len(columns)} columns: {', '.join(columns)}",
            affected=NOTHING_WRITTEN,
            fix="name one; or set data.labels to multi_label, where each column says yes or no to one label",
        )
    ((name, column),) = columns.items()
    missing = [row for row, value in enumerate(column) if value is None or value == ""]
    if missing:
        raise DataError(
            asked=f"read labels from column {name!r} of {origin}",
            happened=f"the label is missing in {list_rows(missing)}",
            affected=NOTHING_WRITTEN,
            fix="label these rows or remove them; a split without labels cannot be used",
        )
    values = [str(value) for value in column]
    numbering = {
        "names": {label: index for index, label in enumerate(names)},
        "indices": {str(index): index for index in range(len(names))},
    }
    forms = ["names", "indices"] if form is None else [form]
    for candidate in forms:
        if all(value in numbering[candidate] for value in values):
            return [numbering[candidate][value] for value in values], candidate
    unknown = [row for row, value in enumerate(values) if not any(value in numbering[each] for each in forms)]
    seen = sorted(set(values))
    rule = (
        f"neither are all of them label names ({', '.join(names)}), nor all indices 0 to {len(names) - 1}"
        if form is None
        else f"train gives its labels as {form}, and these are not all {form} of ({', '.join(names)})"
    )
    raise DataError(
        asked=f"read labels from column {name!r} of {origin}",
        happened=f"it holds the labels {', '.join(map(repr, seen[:12]))}{', …' if len(seen) > 12 else ''}: {rule}"
        + (f"; unknown in {list_rows(unknown)}" if unknown else ""),
        affected=NOTHING_WRITTEN,
        fix="correct the label set in params.yaml (data.label_names), or the labels; -1 usually marks a hidden label",
    )


def check_labels(labels: Sequence[int], origin: str, names: Sequence[str]) -> None:
    """Raise DataError when train has examples of one label only."""
    present = sorted(set(labels))
    if len(present) < 2:
        raise DataError(
            asked=f"use {origin}",
            happened=f"all of its {len(labels):,} rows have the label {names[present[0]]!r}; the label set is "
            f"{', '.join(names)}",
            affected=NOTHING_WRITTEN,
            fix="give it examples of at least two labels (a file sorted by label and cut short looks like this)",
        )


def rows_with(labels: npt.NDArray[np.int64], place: int) -> npt.NDArray[np.bool_]:
    """See Task."""
    return np.asarray(labels == place)


def loss(logits: Any, labels: Any) -> Any:
    """Cross-entropy."""
    import torch

    return torch.nn.functional.cross_entropy(logits, labels)


def thresholds(logits: npt.NDArray[Any], labels: npt.NDArray[np.int64]) -> None:
    """Nothing beside the logits decides."""
    return


def answers(logits: npt.NDArray[Any], thresholds: Sequence[float] | None) -> npt.NDArray[np.int64]:
    """The largest logit, the first where several are equal."""
    return np.asarray(logits.argmax(axis=1), dtype=np.int64)


def possible(numbers: npt.NDArray[Any], names: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Whole numbers, from 0 to the last place."""
    whole = np.issubdtype(numbers.dtype, np.integer)
    return np.asarray((numbers >= 0) & (numbers < len(names)) & whole)


def figure(answers: npt.NDArray[np.int64], labels: npt.NDArray[np.int64]) -> float:
    """Accuracy, 0–1."""
    return float((answers == labels).mean())


def probabilities(logits: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Softmax; each row adds up to 1."""
    exact = np.asarray(logits, dtype=np.float64)
    shifted = np.exp(exact - exact.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True), dtype=np.float64)


def named(answer: int, names: Sequence[str]) -> str:
    """The label."""
    return names[answer]
