"""A number for each row, of one output: regression, and cross-encoders that rank texts by how well they go together.

A score is neither right nor wrong, and scores of two models never agree to the last digit: temper/evaluation/score.py.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from temper.data.columns import NOTHING_WRITTEN, list_rows
from temper.errors import DataError
from temper.tasks.heads import OF_ROWS
from temper.tasks.ranks import spearman_of

TITLE = "a score"
PROBLEM_TYPE = "regression"
NETWORKS = OF_ROWS
ANSWERS_AT = None
LABEL_TYPE = "float64"
COUNTED = False
Scores = npt.NDArray[np.float64]


def why_not_names(names: Sequence[str]) -> str | None:
    """One output."""
    return None if len(names) == 1 else f"a score is one output, and there are {len(names)} names"


def read_labels(
    columns: Mapping[str, Sequence[Any]], origin: str, names: Sequence[str], form: str | None
) -> tuple[list[float], str]:
    """Numbers.

    Raises:
        DataError: there are several columns, or a value is missing or no number that a model can be trained on.
    """
    if len(columns) != 1:
        raise DataError(
            asked=f"read a score for each row of {origin}",
            happened=f"data.label names {len(columns)} columns: {', '.join(columns)}",
            affected=NOTHING_WRITTEN,
            fix="name the one that holds the score",
        )
    ((name, column),) = columns.items()
    found = [_number(value) for value in column]
    bad = [row for row, value in enumerate(found) if value is None]
    if bad:
        seen = sorted({repr(column[row]) for row in bad})
        raise DataError(
            asked=f"read scores from column {name!r} of {origin}",
            happened=f"{list_rows(bad)} hold {', '.join(seen[:6])}{', …' if len(seen) > 6 else ''} instead of a number",
            affected=NOTHING_WRITTEN,
            fix="write numbers with a full stop before the decimals, or remove these rows",
        )
    return [value for value in found if value is not None], "numbers"


def _number(value: Any) -> float | None:
    """A finite number that float32 holds, too; None of anything else."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if abs(number) < 1e30 else None  # not where it is NaN


def check_labels(labels: Sequence[float], origin: str, names: Sequence[str]) -> None:
    """Raise DataError when all train rows have the same score."""
    if len(set(labels)) < 2:
        raise DataError(
            asked=f"use {origin}",
            happened=f"all of its {len(labels):,} rows have the score {labels[0]:g}",
            affected=NOTHING_WRITTEN,
            fix="give it rows of different scores",
        )


def rows_with(labels: Scores, place: int) -> npt.NDArray[np.bool_]:
    """Every row has a score."""
    return np.ones(len(labels), dtype=bool)


def loss(logits: Any, labels: Any) -> Any:
    """Mean squared error."""
    import torch

    return torch.nn.functional.mse_loss(logits[:, 0], labels.to(logits.dtype))


def thresholds(logits: npt.NDArray[Any], labels: Scores) -> None:
    """Nothing beside the output decides."""
    return


def answers(logits: npt.NDArray[Any], thresholds: Sequence[float] | None) -> Scores:
    """The output as it is, with six digits: what a checkpoint would have applied to it keeps the order."""
    return np.asarray(np.round(logits[:, 0].astype(np.float64), 6), dtype=np.float64)


def possible(numbers: npt.NDArray[Any], names: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Any number."""
    return np.asarray(np.isfinite(numbers), dtype=bool)


def figure(answers: Scores, labels: Scores) -> float:
    """Spearman's rank correlation, −1 to 1; 0 where one side is all one number."""
    return spearman_of(answers, labels)


def probabilities(logits: npt.NDArray[Any]) -> Scores:
    """The scores: there is no probability of one."""
    return np.asarray(logits, dtype=np.float64)


def named(answer: float, names: Sequence[str]) -> str:
    """The number with four digits."""
    return f"{answer:.4f}"
