"""What a file of this folder says of answers of its kind, and which of them is a study's: how they are judged.

What a label and an answer are says the file of the same name in temper/tasks/. Jobs that make data, checkpoints and artifacts
import that one and none of these.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from temper.environment import plugins
from temper.tasks.task import USUAL, Logits, Numbers


class Evaluation(Protocol):
    """The content of such a file.

    Attributes:
        METRICS: by which a budget may be set (temper/statistics/metrics.py), the usual first.
    """

    METRICS: tuple[str, ...]

    def right(self, answers: Numbers, labels: Numbers) -> npt.NDArray[np.bool_]:
        """Which answers are right, bool [rows]; none where they are not counted."""
        ...

    def differ(self, answers: Numbers, others: Numbers) -> npt.NDArray[np.bool_]:
        """Which of two models' answers to the same rows are flips, bool [rows]."""
        ...

    def by_label(self, answers: Numbers, logits: Logits, labels: Numbers, names: Sequence[str]) -> dict[str, Any]:
        """Figures of single labels for the comparison, by name; empty where there are none."""
        ...

    def follow(self, answers: Numbers, logits: Logits, thresholds: Sequence[float] | None) -> npt.NDArray[np.bool_]:
        """Which answers are those of logits as a record keeps them, float64 [rows, outputs] of six digits: bool [rows]."""
        ...

    def confidences(self, logits: Logits, answers: Numbers) -> npt.NDArray[np.float64]:
        """Probability that an answer is right by the model's own word, float64 [rows]; NaN where it has none."""
        ...

    def worth(self, answers: Numbers, labels: Numbers, names: Sequence[str], groups: Numbers | None = None) -> Any:
        """What answers are worth: has `sentence`, `warnings` and `as_json`, as temper/statistics/classification.py's has.

        Args:
            groups: what each answer belongs to: a row's query, a word's row.
        """
        ...


def metric_fields(
    evaluation: Evaluation, answers: Numbers, labels: Numbers, names: Sequence[str], groups: Numbers | None
) -> dict[str, Any]:
    """What its metrics take beside right answers, by its `judged`: fields of temper/statistics/metrics.py's Judged."""
    own = getattr(evaluation, "judged", None)
    return {} if own is None else dict(own(answers, labels, names, groups))


def beside(
    evaluation: Evaluation, answers: Numbers, others: Numbers, names: Sequence[str], groups: Numbers | None
) -> dict[str, float]:
    """What is counted beside flips of two models' answers, by its `beside`: figures by their titles."""
    own = getattr(evaluation, "beside", None)
    return {} if own is None else dict(own(answers, others, names, groups))


def drift(evaluation: Evaluation, logits: Logits, others: Logits) -> dict[str, float]:
    """How far two models' outputs are from each other, by an evaluation's `drift`: figures by their titles."""
    own = getattr(evaluation, "drift", None)
    return {} if own is None else dict(own(logits, others))


def evaluation_of(name: str | None) -> Evaluation:
    """How answers of a task are judged; of data, or a signature, that names none the usual."""
    return plugins.load("evaluation", name or USUAL)
