"""A tag for each word of a row, such as B-PER, I-PER and O: names in texts, parts of speech.

The answer to a word is that of its first token. Answers and labels are one number a word; which row a word belongs to, its group
says.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from temper.data.columns import NOTHING_WRITTEN, list_rows, words_in
from temper.errors import DataError
from temper.reading.bounded import Unreadable
from temper.reading.json_file import parse_json
from temper.tasks import single_label
from temper.tasks.heads import OF_WORDS

TITLE = "a tag for each word"
PROBLEM_TYPE = None  # its own class of networks says it
NETWORKS = OF_WORDS
ANSWERS_AT = "tokens"
LABEL_TYPE = "int64"
COUNTED = True
UNTAGGED = -100  # PyTorch's losses leave it out

why_not_names, rows_with, thresholds = single_label.why_not_names, single_label.rows_with, single_label.thresholds
possible, figure, probabilities = single_label.possible, single_label.figure, single_label.probabilities
named = single_label.named


def read_labels(
    columns: Mapping[str, Sequence[Any]], origin: str, names: Sequence[str], form: str | None
) -> tuple[list[list[int]], str]:
    """Tags of each row's words: a list of names or of places, or a text of them with blanks between, or a JSON list.

    Raises:
        DataError: there are several columns, tags are missing, or one is none of the names.
    """
    if len(columns) != 1:
        raise DataError(
            asked=f"read tags for the words of {origin}",
            happened=f"data.label names {len(columns)} columns: {', '.join(columns)}",
            affected=NOTHING_WRITTEN,
            fix="name the one that holds each row's tags",
        )
    ((name, column),) = columns.items()
    places = {each: place for place, each in enumerate(names)}
    places |= {str(place): place for place in range(len(names)) if str(place) not in places}
    lists = [tags_of(value) for value in column]
    bad = [row for row, tags in enumerate(lists) if not tags or any(tag not in places for tag in tags)]
    if bad:
        unknown = sorted({tag for row in bad for tag in lists[row] if tag not in places})
        raise DataError(
            asked=f"read tags from column {name!r} of {origin}",
            happened=f"it has no tags in {list_rows(bad)}"
            if not unknown
            else f"it holds {', '.join(map(repr, unknown[:8]))}{', …' if len(unknown) > 8 else ''}, which are none of "
            f"{', '.join(names)}: {list_rows(bad)}",
            affected=NOTHING_WRITTEN,
            fix="correct data.label_names in params.yaml, or the tags; a row has one for each word, with blanks between",
        )
    return [[places[tag] for tag in tags] for tags in lists], "tags"


def tags_of(value: Any) -> list[str]:
    """The tags of a row's words; empty where a value is none."""
    if isinstance(value, str):
        if value.strip().startswith("["):
            try:
                content = parse_json(value)
            except Unreadable:
                content = None
            if isinstance(content, list):
                return [str(each) for each in content]
        return value.split()
    return [str(each) for each in value] if isinstance(value, Sequence | np.ndarray) else []


def check_rows(texts: Sequence[tuple[str, ...]], labels: Sequence[Sequence[int]], origin: str) -> None:
    """Raise DataError where a row has not as many tags as words."""
    bad = [
        row for row, (text, tags) in enumerate(zip(texts, labels, strict=True)) if len(words_in(text[0])) != len(tags)
    ]
    if bad or any(len(text) != 1 for text in texts[:1]):
        shown = (
            f"row {bad[0] + 1} has {len(words_in(texts[bad[0]][0]))} words and {len(labels[bad[0]])} tags"
            if bad
            else ""
        )
        raise DataError(
            asked=f"take the words and tags of {origin}",
            happened=f"{shown}: {list_rows(bad)}" if bad else "data.text names two columns",
            affected=NOTHING_WRITTEN,
            fix="give each word one tag: words are a list, or a text with blanks between them, in one column",
        )


def check_labels(labels: Sequence[Sequence[int]], origin: str, names: Sequence[str]) -> None:
    """Raise DataError when all words of train have the same tag."""
    present = {tag for row in labels for tag in row}
    if len(present) < 2:
        raise DataError(
            asked=f"use {origin}",
            happened=f"all words of its {len(labels):,} rows have the tag {names[min(present)]!r}",
            affected=NOTHING_WRITTEN,
            fix="give it rows of at least two tags",
        )


def loss(logits: Any, labels: Any) -> Any:
    """Cross-entropy over the first tokens of words."""
    import torch

    return torch.nn.functional.cross_entropy(logits.flatten(0, -2), labels.flatten(), ignore_index=UNTAGGED)


def answers(logits: npt.NDArray[Any], thresholds: Sequence[float] | None) -> npt.NDArray[np.int64]:
    """Of each word the tag with the largest logit."""
    return single_label.answers(logits, thresholds)
