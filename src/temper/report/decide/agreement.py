"""Whether one ONNX file gives the same answers on every runtime that was measured with it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np

from temper.evaluation.evaluation import evaluation_of
from temper.measurement.record import Accuracy, Record

HEADER = ("ONNX file", "runtimes", "rows", "labels that differ", "largest logit difference", "mean")


@dataclass(frozen=True)
class Agreement:
    """Two measured candidates that execute one ONNX file, held against each other on the same test rows.

    Attributes:
        onnx: row of the file.
        candidates: two names.
        rows: that both answered.
        labels_differing: of them.
        largest_logit_difference, mean_logit_difference: absolute, over rows and classes.
    """

    onnx: str
    candidates: tuple[str, str]
    rows: int
    labels_differing: int
    largest_logit_difference: float
    mean_logit_difference: float

    def as_json(self) -> dict[str, Any]:
        """What stands in comparison.json."""
        return {**asdict(self), "candidates": list(self.candidates)}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Agreement":
        """What `as_json` gave."""
        first, second = content["candidates"]
        return cls(**{**content, "candidates": (first, second)})


def onnx_row(loads: str, engines: Mapping[str, Mapping[str, Any]]) -> str | None:
    """The row of the ONNX file that a candidate executes, also where an engine was built from it; None for a checkpoint.

    Args:
        loads: of the candidate's row.
        engines: the section of that name.
    """
    kind, _, row = loads.partition("/")
    return str(engines[row]["onnx"]) if kind == "engines" else row if kind == "onnx" else None


def agreements(records: Sequence[Record], engines: Mapping[str, Mapping[str, Any]]) -> list[Agreement]:
    """Every two measured candidates that execute one ONNX file, held against each other on the same test rows.

    Args:
        records: of all candidates, in the order of params.yaml.
        engines: the section of that name: which ONNX file each was built from.
    """
    answered: dict[str, list[tuple[str, Accuracy]]] = {}
    for record in records:
        row = onnx_row(record.artifact.loads, engines) if record.artifact else None
        if row is not None and isinstance(record.accuracy, Accuracy):
            answered.setdefault(row, []).append((record.candidate, record.accuracy))
    found = []
    for row, answers in answered.items():
        for (first, one), (second, other) in combinations(answers, 2):
            if one.labels != other.labels:
                continue
            distance = np.abs(np.asarray(one.answers.logits) - np.asarray(other.answers.logits))
            differing = evaluation_of(one.task).differ(
                np.asarray(one.answers.predictions), np.asarray(other.answers.predictions)
            )
            found.append(
                Agreement(
                    onnx=row,
                    candidates=(first, second),
                    rows=one.rows,
                    labels_differing=int(differing.sum()),
                    largest_logit_difference=float(distance.max()),
                    mean_logit_difference=float(distance.mean()),
                )
            )
    return found


def agreement_cells(pairs: Sequence[Agreement]) -> list[list[str]]:
    """A line for each pair, under HEADER."""
    return [
        [
            pair.onnx,
            " and ".join(pair.candidates),
            f"{pair.rows:,}",
            str(pair.labels_differing),
            f"{pair.largest_logit_difference:.3g}",
            f"{pair.mean_logit_difference:.2g}",
        ]
        for pair in pairs
    ]
