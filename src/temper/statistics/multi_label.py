"""Figures of answers with any number of labels, each row's as one number with a bit for each label."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Labels = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

MOST_LABELS = 52  # their numbers are exact in every reader of JSON, also one that reads floats


def bits(labels: Labels, count: int) -> Flags:
    """Whether each row has each of `count` labels, bool [rows, labels]."""
    return np.asarray(labels[:, None] >> np.arange(count) & 1, dtype=bool)


def numbers(flags: Flags) -> Labels:
    """The other way round: int64 [rows] of bool [rows, labels]."""
    return np.asarray(flags.astype(np.int64) @ (1 << np.arange(flags.shape[1], dtype=np.int64)), dtype=np.int64)


def f1_by_label(given: Flags, wanted: Flags) -> npt.NDArray[np.float64]:
    """2 TP / (2 TP + FP + FN) of each label, float64 [labels]; NaN for a label that nobody wanted and nobody gave."""
    both, either = (given & wanted).sum(axis=0), given.sum(axis=0) + wanted.sum(axis=0)
    return np.where(either > 0, 2 * both / np.maximum(either, 1), np.nan)


def best_threshold(chances: npt.NDArray[np.float64], wanted: Flags) -> float:
    """The probability from which giving a label has the best F1 on rows, halfway to the next lower one.

    Of equals the one nearest to 0.5. A label that no row or every row has gets 0.5: nothing can be told.

    Args:
        chances: of the label, float64 [rows].
        wanted: whether a row has it, bool [rows].
    """
    if wanted.all() or not wanted.any():
        return 0.5
    order = np.argsort(-chances, kind="stable")
    ordered, hits = chances[order], np.cumsum(wanted[order])
    taken = np.arange(1, len(ordered) + 1)
    last = np.append(ordered[1:] < ordered[:-1], True)  # a threshold stands between two values
    f1 = np.where(last, 2 * hits / (taken + wanted.sum()), -1.0)
    below = np.append(ordered[1:], 0.0)
    middles = (ordered + below) / 2
    equals = np.flatnonzero(f1 >= f1.max() - 1e-12)
    return round(float(min((middles[each] for each in equals), key=lambda value: abs(value - 0.5))), 6)


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
