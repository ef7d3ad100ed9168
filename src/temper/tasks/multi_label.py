"""Any number of labels for each row: a sigmoid for each output, held against a threshold of its own.

The labels of a row are one number: bit n is set where it has label n. So rows of equal labels have equal numbers, and what
counts rows that differ need not know of it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from temper.data.columns import NOTHING_WRITTEN, list_rows
from temper.errors import DataError
from temper.reading.bounded import Unreadable
from temper.reading.json_file import parse_json
from temper.tasks.heads import OF_ROWS
from temper.tasks.label_sets import MOST_LABELS, best_threshold, bits, numbers

TITLE = "any number of labels"
PROBLEM_TYPE = "multi_label_classification"
NETWORKS = OF_ROWS
ANSWERS_AT = None
LABEL_TYPE = "int64"
COUNTED = True
NONE = "–"  # a row without a label
BETWEEN = (";", "|", ",")  # labels of one field; the first that no name holds and that makes names of all of them
_TRUE, _FALSE = ("1", "true", "yes", "1.0"), ("0", "false", "no", "0.0")


def why_not_names(names: Sequence[str]) -> str | None:
    """Two at least; too many are found where they are read."""
    return None if len(names) > 1 else "a yes or no to one label is single_label with two"


def _refused(name: str, origin: str, happened: str, fix: str) -> DataError:
    asked = f"read labels from column {name!r} of {origin}"
    return DataError(asked=asked, happened=happened, affected=NOTHING_WRITTEN, fix=fix)


def read_labels(
    columns: Mapping[str, Sequence[Any]], origin: str, names: Sequence[str], form: str | None
) -> tuple[list[int], str]:
    """Bits of the labels: from a column of each label that says yes or no, or from one column that lists a row's labels.

    A list is one of JSON or Parquet, or a text with ; | or , between the names. An empty one is a row without a label.

    Raises:
        DataError: there are too many labels, a value is neither yes nor no, or a name is none of the labels.
    """
    if len(names) > MOST_LABELS:
        raise DataError(
            asked=f"read labels of {origin}",
            happened=f"data.label_names has {len(names):,} labels, and {MOST_LABELS} is the most of multi_label",
            affected=NOTHING_WRITTEN,
            fix="leave out the rarest, or make a study for each group of them",
        )
    if len(columns) > 1:
        return _from_flags(columns, origin, names), "columns"
    ((name, column),) = columns.items()
    lists = lists_of(name, column, origin, names)
    known = {label: 1 << place for place, label in enumerate(names)}
    unknown = [row for row, labels in enumerate(lists) if any(label not in known for label in labels)]
    if unknown:
        seen = sorted({label for row in unknown for label in lists[row] if label not in known})
        raise _refused(
            name,
            origin,
            f"it holds {', '.join(map(repr, seen[:12]))}{', …' if len(seen) > 12 else ''}, which are none of "
            f"{', '.join(names)}: {list_rows(unknown)}",
            f"correct data.label_names in params.yaml, or the labels; several go with {' or '.join(BETWEEN)} between them",
        )
    return [sum(known[label] for label in set(labels)) for labels in lists], "lists"


def _from_flags(columns: Mapping[str, Sequence[Any]], origin: str, names: Sequence[str]) -> list[int]:
    if list(columns) != list(names):
        raise DataError(
            asked=f"read labels of {origin} from a column for each",
            happened=f"data.label names the columns {', '.join(columns)}, and data.label_names is {', '.join(names)}",
            affected=NOTHING_WRITTEN,
            fix="give the same names in the same order in both",
        )
    found = np.zeros(len(next(iter(columns.values()))), np.int64)
    for place, (name, column) in enumerate(columns.items()):
        values = [str(value).strip().lower() for value in column]
        bad = [row for row, value in enumerate(values) if value not in (*_TRUE, *_FALSE)]
        if bad:
            raise _refused(
                name,
                origin,
                f"{list_rows(bad)} hold {', '.join(sorted({repr(values[row]) for row in bad})[:6])} instead of 1 or 0",
                "write 1 or 0 (-1 usually marks a row that nobody labelled: remove it)",
            )
        found |= np.array([value in _TRUE for value in values], np.int64) << place
    return [int(number) for number in found]


def lists_of(name: str, column: Sequence[Any], origin: str, names: Sequence[str]) -> list[list[str]]:
    """The labels of each row of one column.

    Raises:
        DataError: a row has no value.
    """
    found: list[list[str]] = []
    separator = next((each for each in BETWEEN if not any(each in label for label in names)), None)
    texts = [value for value in column if isinstance(value, str)]
    for each in BETWEEN:  # one that stands in the column comes before one that might
        if any(each in text for text in texts) and not any(each in label for label in names):
            separator = each
            break
    for row, value in enumerate(column):
        if value is None:
            raise _refused(
                name, origin, f"the labels are missing in {list_rows([row])}", "write an empty list for none"
            )
        if isinstance(value, str):
            found.append(_of_text(value, separator, names))
        elif isinstance(value, Sequence | np.ndarray):
            found.append([names[int(each)] if _is_place(each, names) else str(each) for each in value])
        else:
            found.append([str(value)])
    return found


def _is_place(value: Any, names: Sequence[str]) -> bool:
    return isinstance(value, int | np.integer) and str(value) not in names and 0 <= int(value) < len(names)


def _of_text(text: str, separator: str | None, names: Sequence[str]) -> list[str]:
    text = text.strip()
    if text in names or not text:
        return [text] if text else []
    if text.startswith("["):
        try:
            content = parse_json(text)
        except Unreadable:
            content = None
        if isinstance(content, list):
            return [names[each] if _is_place(each, names) else str(each) for each in content]
    return [part.strip() for part in text.split(separator) if part.strip()] if separator else [text]


def check_labels(labels: Sequence[int], origin: str, names: Sequence[str]) -> None:
    """Raise DataError when no label of train is on some rows and off others."""
    on = bits(np.asarray(labels, np.int64), len(names)).sum(axis=0)
    if not ((on > 0) & (on < len(labels))).any():
        raise DataError(
            asked=f"use {origin}",
            happened=f"all of its {len(labels):,} rows have the same labels",
            affected=NOTHING_WRITTEN,
            fix="give it rows with a label and rows without it",
        )


def rows_with(labels: npt.NDArray[np.int64], place: int) -> npt.NDArray[np.bool_]:
    """See Task."""
    return np.asarray(labels >> place & 1, dtype=bool)


def loss(logits: Any, labels: Any) -> Any:
    """Binary cross-entropy, the mean over rows and labels."""
    import torch

    places = torch.arange(logits.shape[1], device=labels.device)
    wanted = (labels[:, None] >> places & 1).to(logits.dtype)
    return torch.nn.functional.binary_cross_entropy_with_logits(logits, wanted)


def thresholds(logits: npt.NDArray[Any], labels: npt.NDArray[np.int64]) -> tuple[float, ...]:
    """The probability above which each label is given: the one of best F1 on these rows, 0.5 for a label without rows."""
    chances, wanted = probabilities(logits), bits(labels, logits.shape[1])
    return tuple(best_threshold(chances[:, place], wanted[:, place]) for place in range(logits.shape[1]))


def answers(logits: npt.NDArray[Any], thresholds: Sequence[float] | None) -> npt.NDArray[np.int64]:
    """Every label whose probability is its threshold or more; 0.5 where none was chosen."""
    return numbers(probabilities(logits) >= least(logits, thresholds))


def possible(numbers: npt.NDArray[Any], names: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Whole numbers, from no label to every label at once."""
    whole = np.issubdtype(numbers.dtype, np.integer)
    return np.asarray((numbers >= 0) & (numbers < 1 << min(len(names), MOST_LABELS)) & whole)


def figure(answers: npt.NDArray[np.int64], labels: npt.NDArray[np.int64]) -> float:
    """Share of rows of which every label is right, 0–1."""
    return float((answers == labels).mean())


def least(logits: npt.NDArray[Any], thresholds: Sequence[float] | None) -> npt.NDArray[np.float64]:
    """The probability of each label from which it is given, float64 [labels]."""
    return np.full(logits.shape[1], 0.5) if thresholds is None else np.asarray(thresholds, dtype=np.float64)


def probabilities(logits: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Sigmoid of each output."""
    exact = np.asarray(logits, dtype=np.float64)
    return np.asarray(0.5 * (1 + np.tanh(exact / 2)), dtype=np.float64)


def named(answer: int, names: Sequence[str]) -> str:
    """The labels with a comma between them."""
    return ", ".join(name for place, name in enumerate(names) if answer >> place & 1) or NONE
