"""Figures of answers with any number of labels, each row's as one number with a bit for each label."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from temper.tasks.label_sets import bits

Labels = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


def f1_by_label(given: Flags, wanted: Flags) -> npt.NDArray[np.float64]:
    """2 TP / (2 TP + FP + FN) of each label, float64 [labels]; NaN for a label that nobody wanted and nobody gave."""
    both, either = (given & wanted).sum(axis=0), given.sum(axis=0) + wanted.sum(axis=0)
    return np.where(either > 0, 2 * both / np.maximum(either, 1), np.nan)


@dataclass(frozen=True)
class Worth:
    """Answers on labelled rows. Shares from 0 to 1; None where it is not defined.

    Attributes:
        rows: how many.
        labels: number of labels.
        accuracy: share of rows of which every label is right.
        macro_f1: mean F1 of the labels that occur or are given.
        micro_f1: F1 of all decisions together.
        f1_by_label: None for a label that does not occur and is not given.
        given_per_row, wanted_per_row: labels, mean.
        macro_f1_of_all: what giving every label to every row would have.
        only_answer: whether all rows got the same answer.
    """

    rows: int
    labels: int
    accuracy: float
    macro_f1: float
    micro_f1: float
    f1_by_label: dict[str, float | None]
    given_per_row: float
    wanted_per_row: float
    macro_f1_of_all: float
    only_answer: bool

    def warnings(self, split: str) -> list[str]:
        """What a person has to know before taking the model for one that works, a sentence each without a full stop."""
        found = []
        if self.only_answer:
            found.append(f"the model gives all {self.rows:,} {split} rows the same labels")
        if self.macro_f1 <= self.macro_f1_of_all:
            found.append(
                f"the model is no better than giving every label to every row: macro-F1 {self.macro_f1:.2f} against "
                f"{self.macro_f1_of_all:.2f} on {self.rows:,} {split} rows"
            )
        return found

    def sentence(self, split: str) -> str:
        """The figures in words."""
        return (
            f"macro-F1 {100 * self.macro_f1:.1f} % of {self.rows:,} {split} rows (every label to every row: "
            f"{100 * self.macro_f1_of_all:.1f} %), micro-F1 {100 * self.micro_f1:.1f} %, all labels right "
            f"{100 * self.accuracy:.1f} %, {self.given_per_row:.2f} labels a row where {self.wanted_per_row:.2f} are true"
        )

    def as_json(self) -> dict[str, Any]:
        """All figures by name."""
        return asdict(self)


def worth_of(answers: Labels, labels: Labels, names: Sequence[str]) -> Worth:
    """What answers are worth.

    Args:
        answers, labels: int64 [rows], at least one row.
        names: of the labels.
    """
    given, wanted = bits(answers, len(names)), bits(labels, len(names))
    each = f1_by_label(given, wanted)
    every = f1_by_label(np.ones_like(wanted), wanted)
    sums = int(given.sum() + wanted.sum())
    return Worth(
        rows=len(labels),
        labels=len(names),
        accuracy=float((answers == labels).mean()),
        macro_f1=float(np.nanmean(each)) if not np.isnan(each).all() else 0.0,
        micro_f1=float(2 * (given & wanted).sum() / sums) if sums else 0.0,
        f1_by_label={name: None if np.isnan(value) else float(value) for name, value in zip(names, each, strict=True)},
        given_per_row=float(given.sum() / len(labels)),
        wanted_per_row=float(wanted.sum() / len(labels)),
        macro_f1_of_all=float(np.nanmean(every)),
        only_answer=len(set(answers.tolist())) == 1 and len(labels) > 1,
    )
