"""What a classifier's answers are worth: against the majority label, label by label, and as a whole."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from temper.statistics.paired_labels import Labels, recall_by_class

LEVEL = 0.05  # above it, the exact test does not show that the model beats the majority label


@dataclass(frozen=True)
class Worth:
    """A classifier's answers on labelled rows. Shares from 0 to 1; None where it is not defined.

    Attributes:
        rows: how many.
        labels: number of labels that the classifier can answer.
        majority_label: the most frequent true label (of equals the first).
        majority_rate: its share: the accuracy of always answering it.
        accuracy: share of right answers.
        balanced_accuracy: mean recall of the labels that occur.
        matthews: multi-class Matthews correlation, −1 to 1; None where all rows or all answers have one label.
        macro_f1: mean F1 of the labels that occur or are answered.
        recall_by_label: share of each label's rows that are answered with it; None for a label without rows.
        only_label: the label of every answer, where there is but one.
        better_than_majority_p: one-sided exact p-value of the hypothesis that it is right no oftener than the majority label.
    """

    rows: int
    labels: int
    majority_label: str
    majority_rate: float
    accuracy: float
    balanced_accuracy: float
    matthews: float | None
    macro_f1: float
    recall_by_label: dict[str, float | None]
    only_label: str | None
    better_than_majority_p: float

    @property
    def no_better_than_majority(self) -> bool:
        """Whether these rows do not show that it is right oftener than always answering the majority label."""
        return self.better_than_majority_p > LEVEL

    def warnings(self, split: str) -> list[str]:
        """What a person has to know before taking the model for one that works, a sentence each without a full stop.

        Args:
            split: whose rows these are: 'test', 'validation'.
        """
        found = []
        if self.only_label is not None and self.labels > 1:
            found.append(f"the model answers '{self.only_label}' to all {self.rows:,} {split} rows")
        if self.no_better_than_majority:
            found.append(
                f"the model is not shown to be better than always answering '{self.majority_label}': accuracy "
                f"{100 * self.accuracy:.1f} % against {100 * self.majority_rate:.1f} % of {self.rows:,} {split} rows "
                f"(exact test, p = {self.better_than_majority_p:.2g})"
            )
        return found

    def sentence(self, split: str) -> str:
        """The figures in words: 'accuracy 93.4 % of 872 validation rows (majority label …), balanced accuracy …'."""
        correlation = "not defined" if self.matthews is None else f"{self.matthews:.2f}".replace("-", "−")
        return (
            f"accuracy {100 * self.accuracy:.1f} % of {self.rows:,} {split} rows (always '{self.majority_label}': "
            f"{100 * self.majority_rate:.1f} %), balanced accuracy {100 * self.balanced_accuracy:.1f} %, "
            f"MCC {correlation}, macro-F1 {self.macro_f1:.2f}"
        )

    def as_json(self) -> dict[str, Any]:
        """All figures by name, with `no_better_than_majority`."""
        return {**asdict(self), "no_better_than_majority": self.no_better_than_majority}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Worth":
        """What `as_json` gave."""
        return cls(**{key: value for key, value in content.items() if key in cls.__dataclass_fields__})


def confusion(answered: Labels, labels: Labels, number: int) -> Labels:
    """Counts int64 [true label, answered label] of `number` labels. Both arguments int64 [rows]."""
    return np.bincount(labels * number + answered, minlength=number * number).reshape(number, number)


def matthews_correlation(counts: Labels) -> float | None:
    """Multi-class Matthews correlation of a confusion matrix [true, answered]; None where one side has one label alone.

    Gorodkin 2004, 'Comparing two K-category assignments by a K-category correlation coefficient', Computational Biology and
    Chemistry 28:367–374, equation 8; for two labels it is that of Matthews 1975.
    """
    rows, right = int(counts.sum()), int(np.trace(counts))
    true, answered = counts.sum(axis=1), counts.sum(axis=0)
    spread = (rows**2 - int(answered @ answered)) * (rows**2 - int(true @ true))
    return None if spread == 0 else float((right * rows - int(true @ answered)) / np.sqrt(float(spread)))


def _better_p(answered: Labels, labels: Labels, majority: int) -> float:
    """One-sided exact McNemar test (McNemar 1947) of the answers against the constant answer `majority` on the same rows."""
    right, constant = answered == labels, labels == majority
    gained, lost = int((right & ~constant).sum()), int((~right & constant).sum())
    # P(binomial(gained + lost, 1/2) ≥ gained): bdtrc is the tail above its first argument
    from scipy import special  # here: planning imports this module, and scipy takes half a second

    return float(special.bdtrc(gained - 1, gained + lost, 0.5)) if gained else 1.0


def worth(answered: Labels, labels: Labels, names: Sequence[str]) -> Worth:
    """What answers are worth.

    Args:
        answered: label numbers, int64 [rows].
        labels: the true ones, int64 [rows]; at least one row.
        names: of all labels, by number.
    """
    counts = confusion(answered, labels, len(names))
    true, given, hits = counts.sum(axis=1), counts.sum(axis=0), np.diag(counts)
    majority = int(true.argmax())
    seen = true > 0
    met = (true + given) > 0
    alone = int(given.argmax()) if (given > 0).sum() == 1 else None
    return Worth(
        rows=len(labels),
        labels=len(names),
        majority_label=names[majority],
        majority_rate=float(true[majority] / len(labels)),
        accuracy=float(hits.sum() / len(labels)),
        balanced_accuracy=float((hits[seen] / true[seen]).mean()),
        matthews=matthews_correlation(counts),
        macro_f1=float((2 * hits[met] / (true + given)[met]).mean()),
        recall_by_label=recall_by_class(answered, labels, names),
        only_label=None if alone is None else names[alone],
        better_than_majority_p=_better_p(answered, labels, majority),
    )
