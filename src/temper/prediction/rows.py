"""Answers to rows in words, of logits of rows or of their words."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from temper.artifacts.signature import Signature
from temper.data.examples import Examples
from temper.evaluation.evaluation import evaluation_of
from temper.tasks.task import answered, task_of


@dataclass(frozen=True, eq=False)
class Rows:
    """What is said of each row.

    labels: its answer in words.
    confidences: that it is right, by the model's own word, float64 [rows]; of words that of the one it is least sure of.
    probabilities: of each label, float64 [rows, labels]; of words the highest that one of them has.
    """

    labels: list[str]
    confidences: npt.NDArray[np.float64]
    probabilities: npt.NDArray[np.float64]


def by_row(
    logits: npt.NDArray[Any],
    signature: Signature,
    examples: Examples,
    places: Sequence[npt.NDArray[np.int64]] | None,
) -> Rows:
    """Answers of each row.

    Args:
        logits: float32 [answers, labels], a row's or its words'.
        signature: what decides them.
        examples: what was asked.
        places: by row, the first token of each word, -1 of one without an answer; None where rows are answered.
    """
    task, given, names = task_of(signature.labels), answered(logits, signature), signature.label_names
    evaluation = evaluation_of(signature.labels)
    chances, sure = task.probabilities(logits), evaluation.confidences(logits, given)
    if getattr(task, "PAIRS", False):
        given, chances, sure = given[::2], chances[::2], sure[::2]
    if places is None:
        return Rows([task.named(each, names) for each in given.tolist()], sure, chances)
    found = Rows([], np.zeros(len(places)), np.zeros((len(places), len(names))))
    start = 0
    for row, own in enumerate(places):
        words = np.flatnonzero(own >= 0)
        part = slice(start, start := start + len(words))
        assert examples.texts is not None
        found.labels.append(told(evaluation, examples.texts[row][0], given[part], words.tolist(), names))
        found.confidences[row] = sure[part].min(initial=1.0)
        found.probabilities[row] = chances[part].max(axis=0, initial=0.0)
    return found


def told(evaluation: Any, text: str, answers: npt.NDArray[Any], words: Sequence[int], names: Sequence[str]) -> str:
    """The answers to a row's words in words, as the evaluation of their task has it."""
    return str(evaluation.told(text, answers, words, names))
