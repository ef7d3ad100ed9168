"""An embedding of each text, judged by pairs: how near two texts are by their cosine, against how near people find them.

A pair of the data is two rows, one after the other, which are encoded, batched and timed each for itself, as an index of texts is
made. The answer of both is the cosine of their outputs; which pair they are, their group says. All else is that of scores.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from temper.data.columns import NOTHING_WRITTEN
from temper.errors import DataError
from temper.tasks import score
from temper.tasks.heads import OF_BODIES

TITLE = "an embedding"
PROBLEM_TYPE = None  # a body has no head that says one
NETWORKS = OF_BODIES
ANSWERS_AT = None
PAIRS = True  # a row of data is two of the model
HEADLESS = True  # any checkpoint's body answers
TRAINS = False  # rows of a pair would have to share a batch
LABEL_TYPE = "float64"
COUNTED = False
Scores = npt.NDArray[np.float64]

read_labels, check_labels, rows_with = score.read_labels, score.check_labels, score.rows_with
thresholds, possible, figure, named = score.thresholds, score.possible, score.figure, score.named


def why_not_names(names: Sequence[str]) -> str | None:
    """What the data's number is called."""
    return None if len(names) == 1 else f"pairs have one similarity, and there are {len(names)} names"


def check_rows(texts: Sequence[tuple[str, ...]], labels: Sequence[float], origin: str) -> None:
    """Raise DataError where rows are no pairs."""
    if any(len(text) != 2 for text in texts[:1]):
        raise DataError(
            asked=f"take pairs of texts from {origin}",
            happened="data.text names one column",
            affected=NOTHING_WRITTEN,
            fix="name the two columns whose texts are compared; what is timed are single texts all the same",
        )


def cosines(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> Scores:
    """Of each row, float64 [rows]; 0 of a vector without a length."""
    exact, others = one.astype(np.float64), other.astype(np.float64)
    lengths = np.linalg.norm(exact, axis=1) * np.linalg.norm(others, axis=1)
    return np.asarray(np.divide((exact * others).sum(axis=1), lengths, out=np.zeros(len(lengths)), where=lengths > 0))


def near(logits: npt.NDArray[Any]) -> Scores:
    """The cosine of each row's output and its partner's, with six digits; a row that is left over is its own partner."""
    partners = np.minimum(np.arange(len(logits)) ^ 1, len(logits) - 1)
    return np.asarray(np.round(cosines(logits, logits[partners]), 6), dtype=np.float64)


def answers(logits: npt.NDArray[Any], thresholds: Sequence[float] | None) -> Scores:
    """How near a row and its partner are."""
    return near(logits)


def probabilities(logits: npt.NDArray[Any]) -> Scores:
    """The cosine of each row with its partner: there is no probability of one."""
    return near(logits)[:, None]


def loss(logits: Any, labels: Any) -> Any:
    """Squared error of the cosines of neighbours; nothing trains with it yet, see TRAINS."""
    import torch

    cosine = torch.nn.functional.cosine_similarity(logits, logits.roll(1, 0))
    return torch.nn.functional.mse_loss(cosine, labels.to(logits.dtype))
