"""What a file of this folder says of its kind of label, and which of them is a study's.

Labels and answers are one number a row, so that splits, records and comparisons hold any of them the same way. What the number
means, the task says: `single_label` the place of a label, `multi_label` a bit for each label, `score` the number itself. How
answers are judged stands in temper/evaluation/, so that another judgement makes no data, checkpoint or artifact anew.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from temper.artifacts.signature import Signature
from temper.environment import plugins

Numbers = npt.NDArray[Any]
Logits = npt.NDArray[np.floating[Any]]
USUAL = "single_label"  # of data that says nothing


class Task(Protocol):
    """The content of such a file.

    Attributes:
        TITLE: of the kind, for sentences.
        PROBLEM_TYPE: transformers' name of it, in config.json; None where the class of the network says it.
        NETWORKS: transformers' classes that answer so, by the `task` of a signature (temper/tasks/heads.py).
        ANSWERS_AT: 'tokens' where each word of a row has an answer; None: each row has.
        LABEL_TYPE: NumPy's name of the type of labels and answers.
        COUNTED: whether an answer is right or wrong; else it is nearer to the truth or farther from it.
    """

    TITLE: str
    PROBLEM_TYPE: str | None
    NETWORKS: Mapping[str, str]
    ANSWERS_AT: Literal["tokens"] | None
    LABEL_TYPE: str
    COUNTED: bool

    def why_not_names(self, names: Sequence[str]) -> str | None:
        """Why these cannot be the names of its outputs, in words; None where they can."""
        ...

    def read_labels(
        self, columns: Mapping[str, Sequence[Any]], origin: str, names: Sequence[str], form: str | None
    ) -> tuple[list[Any], str]:
        """Labels of rows from the columns that hold them, and the form they are given in.

        Args:
            columns: values by name of the column.
            origin: of the rows, for errors.
            names: of the labels, in the order of the outputs.
            form: what another split was found to be given in; None: not known yet.

        Raises:
            DataError: a label is missing or none of the names.
        """
        ...

    def check_labels(self, labels: Sequence[Any], origin: str, names: Sequence[str]) -> None:
        """Check that a model can learn from train rows with these labels.

        Raises:
            DataError: it cannot.
        """
        ...

    def rows_with(self, labels: Numbers, place: int) -> npt.NDArray[np.bool_]:
        """Which rows have the label of an output, bool [rows]."""
        ...

    def loss(self, logits: Any, labels: Any) -> Any:
        """What training makes small: a tensor of PyTorch without axes, of float32 logits [rows, outputs]."""
        ...

    def thresholds(self, logits: Logits, labels: Numbers) -> tuple[float, ...] | None:
        """What decides answers beside the logits, chosen on validation rows; None where nothing does."""
        ...

    def answers(self, logits: Logits, thresholds: Sequence[float] | None) -> Numbers:
        """The answer of each row, [rows], of logits [rows, outputs]."""
        ...

    def possible(self, numbers: Numbers, names: Sequence[str]) -> npt.NDArray[np.bool_]:
        """Which numbers are labels or answers among these, bool [rows]."""
        ...

    def figure(self, answers: Numbers, labels: Numbers) -> float:
        """How good answers are, in one figure: what a record holds as accuracy and training stops by; more is better."""
        ...

    def probabilities(self, logits: Logits) -> npt.NDArray[np.float64]:
        """Of each output, float64 [rows, outputs]."""
        ...

    def named(self, answer: Any, names: Sequence[str]) -> str:
        """A label or an answer in words."""
        ...


def check_rows(task: Task, texts: Sequence[tuple[str, ...]], labels: Sequence[Any], origin: str) -> None:
    """Check that texts and labels go together, by a task's `check_rows`.

    Raises:
        DataError: they do not.
    """
    own = getattr(task, "check_rows", None)
    if own is not None:
        own(texts, labels, origin)


def answered(logits: Logits, signature: Signature) -> Numbers:
    """The answer of each row by what a signature says: its task, and thresholds where that decides by them."""
    return task_of(signature.labels).answers(logits, signature.thresholds)


def task_of(name: str | None) -> Task:
    """The task of data, or of a signature, that says so; of one that says nothing the usual."""
    return plugins.load("tasks", name or USUAL)
