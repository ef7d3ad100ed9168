"""Tags of words: flips are words, what is judged are whole entities (temper/statistics/entities.py), drawn by rows."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from temper.data.columns import words_in
from temper.evaluation import single_label
from temper.statistics import entities

METRICS = ("entity_f1", "accuracy", "macro_f1")
NONE = "–"  # a row without an entity

right, differ, follow = single_label.right, single_label.differ, single_label.follow
confidences, by_label = single_label.confidences, single_label.by_label


def judged(
    answers: npt.NDArray[np.int64],
    labels: npt.NDArray[np.int64],
    names: Sequence[str],
    groups: npt.NDArray[np.int64] | None,
) -> dict[str, Any]:
    """Where entities begin."""
    assert groups is not None
    return {"entities": entities.flags(answers, labels, groups, names)}


def beside(
    answers: npt.NDArray[np.int64],
    others: npt.NDArray[np.int64],
    names: Sequence[str],
    groups: npt.NDArray[np.int64] | None,
) -> dict[str, float]:
    """Entities that one of two models finds and the other does not, or with another kind or end."""
    assert groups is not None
    found = (set(entities.begun(each, groups, names)) for each in (answers, others))
    return {"entity flips": float(len(set.symmetric_difference(*found)))}


def worth(
    answers: npt.NDArray[np.int64],
    labels: npt.NDArray[np.int64],
    names: Sequence[str],
    groups: npt.NDArray[np.int64] | None = None,
) -> entities.Worth:
    """F1 of whole entities."""
    return entities.worth_of(answers, labels, names, np.zeros_like(labels) if groups is None else groups)


def told(text: str, answers: npt.NDArray[np.int64], words: Sequence[int], names: Sequence[str]) -> str:
    """A row's answer in words: its entities with their kinds.

    Args:
        text: of the row.
        answers: to the words that were answered, in their order.
        words: which words of the text those are.
        names: of the tags.
    """
    spans = words_in(text)
    found = entities.entities([names[tag] for tag in answers])
    return (
        "; ".join(f"{kind}: {text[spans[words[first]][0] : spans[words[last]][1]]}" for first, last, kind in found)
        or NONE
    )
