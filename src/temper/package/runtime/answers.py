"""Logits as answers, of the kind that the signature names: one label of several, any number of labels, or a score."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import PackageError
from .signature import Signature

NONE = "–"  # of a row without a label


@dataclass(frozen=True)
class Answer:
    """Of one text or image.

    Attributes:
        label: the one with the largest logit, the first of equals.
        confidence: of the label, 0–1: softmax of the logits in double precision.
        confidences: of every label.
        cut: whether the text was longer than the model takes.
    """

    label: str
    confidence: float
    confidences: dict[str, float]
    cut: bool


@dataclass(frozen=True)
class Labels:
    """Of one text, which may have any number of labels.

    Attributes:
        labels: those whose sigmoid is their threshold or more, in the order of the model's outputs.
        label: the same as one text with commas between.
        confidence: of the answer to the label that is least sure, 0–1.
        confidences: the sigmoid of every label.
        cut: whether the text was longer than the model takes.
    """

    labels: list[str]
    label: str
    confidence: float
    confidences: dict[str, float]
    cut: bool


@dataclass(frozen=True)
class Score:
    """Of one text or pair.

    Attributes:
        score: the model's output.
        label: the same as a text with four digits.
        cut: whether the text was longer than the model takes.
    """

    score: float
    label: str
    cut: bool


Answers = Sequence[Answer] | Sequence[Labels] | Sequence[Score]


@dataclass(frozen=True)
class Output:
    """One output of a server: its name, the protocol's type, numbers of a row, and a row's values in an answer."""

    name: str
    datatype: str
    width: int
    read: Callable[[Any], list[Any]]


def _one(logits: npt.NDArray[np.float64], signature: Signature, cut: frozenset[int]) -> list[Answer]:
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    found = shifted / shifted.sum(axis=1, keepdims=True)
    names = signature.label_names
    return [
        Answer(names[int(own.argmax())], float(own.max()), dict(zip(names, map(float, own), strict=True)), row in cut)
        for row, own in enumerate(found)
    ]


def _several(logits: npt.NDArray[np.float64], signature: Signature, cut: frozenset[int]) -> list[Labels]:
    names = signature.label_names
    chances = 0.5 * (1 + np.tanh(logits / 2))  # the sigmoid, which overflows nowhere
    given = chances >= np.asarray(signature.thresholds or [0.5] * len(names))
    sure = np.where(given, chances, 1 - chances).min(axis=1)
    found = []
    for row, own in enumerate(chances):
        labels = [name for name, on in zip(names, given[row], strict=True) if on]
        confidences = dict(zip(names, map(float, own), strict=True))
        found.append(Labels(labels, ", ".join(labels) or NONE, float(sure[row]), confidences, row in cut))
    return found


def _score(logits: npt.NDArray[np.float64], signature: Signature, cut: frozenset[int]) -> list[Score]:
    return [Score(value, f"{value:.4f}", row in cut) for row, value in enumerate(map(float, logits[:, 0]))]


KINDS: dict[str | None, Callable[[npt.NDArray[np.float64], Signature, frozenset[int]], Any]] = {
    None: _one,
    "multi_label": _several,
    "score": _score,
}


def answers_of(logits: npt.NDArray[np.float32], signature: Signature, cut: frozenset[int] = frozenset()) -> Any:
    """The answers to rows.

    Args:
        logits: [rows, outputs].
        signature: of the model file.
        cut: rows, from 0, that were longer than the model takes.

    Returns:
        A list of Answer, Labels or Score.

    Raises:
        PackageError: a logit is not a number.
    """
    if not np.isfinite(logits).all():
        raise PackageError(
            asked=f"answer {len(logits)} rows",
            happened="a logit is not a number",
            affected="these answers",
            fix="package another candidate: files in half precision overflow where values are too large for them",
        )
    return KINDS[signature.labels](np.asarray(logits, dtype=np.float64), signature, cut)


def outputs_of(kind: str | None, names: Sequence[str]) -> list[Output]:
    """What a server answers.

    Args:
        kind: of KINDS.
        names: of the labels, in the order of the logits.
    """
    label = Output("LABEL", "BYTES", 1, lambda answer: [answer.label])
    if kind == "score":
        return [label, Output("SCORE", "FP32", 1, lambda answer: [answer.score])]
    found = [
        label,
        Output("CONFIDENCE", "FP32", 1, lambda answer: [answer.confidence]),
        Output("CONFIDENCES", "FP32", len(names), lambda answer: [answer.confidences[name] for name in names]),
    ]
    if kind == "multi_label":
        found.append(Output("GIVEN", "BOOL", len(names), lambda answer: [name in answer.labels for name in names]))
    return found
