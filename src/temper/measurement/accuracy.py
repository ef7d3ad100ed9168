"""Predictions of a loaded runner on a whole split, untimed."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from temper.backends.runner import Logits, Runner
from temper.data.encoded import Split, collate, row_lengths
from temper.signature import BATCH_AXIS, SEQUENCE_AXIS, Signature


@dataclass(frozen=True)
class Predictions:
    """Logits of every row in its order.

    Attributes:
        logits: float32 [rows, number of labels].
        batch_size: rows per call.
        cut_rows: rows longer than the artifact accepts, cut to fit: they count in the accuracy as they were answered.
    """

    logits: Logits
    batch_size: int
    cut_rows: int

    @property
    def labels(self) -> npt.NDArray[np.int64]:
        """Predicted label of each row, int64 [rows]: the largest logit, the first where several are equal."""
        return np.asarray(self.logits.argmax(axis=1), dtype=np.int64)


def predict(runner: Runner, split: Split, signature: Signature, *, batch_size: int) -> Predictions:
    """Run a whole split through a loaded runner, in the split's order.

    Args:
        runner: a loaded runner; its `limits()` bound the batch and the length.
        split: encoded rows.
        signature: the model's inputs.
        batch_size: rows per call; less where the runner's limit is lower.

    Returns:
        The logits, and what had to be changed for the runner's limits.
    """
    limits: Mapping[str, tuple[int, int]] = runner.limits()
    low_batch, high_batch = limits.get(BATCH_AXIS, (1, batch_size))
    size = min(batch_size, high_batch)
    has_sequence = SEQUENCE_AXIS in signature.dynamic_axes
    low, high = limits.get(SEQUENCE_AXIS, (1, None))
    logits, cut_rows = [], 0
    for start in range(0, len(split.labels), size):
        rows = np.arange(start, min(start + size, len(split.labels)))
        # an engine with a least batch size gets the last row again; the surplus answers are dropped
        filled = np.concatenate([rows, np.full(max(low_batch - len(rows), 0), rows[-1])])
        length = None
        if has_sequence:
            lengths = row_lengths(split, signature)[rows]
            longest = int(lengths.max())
            length = max(longest, low) if high is None else min(max(longest, low), high)
            cut_rows += int((lengths > length).sum())
        answer = runner.infer(collate(split, filled, signature, sequence_length=length))
        logits.append(answer[: len(rows)])
    return Predictions(np.concatenate(logits), size, cut_rows)


def accuracy(predicted: npt.NDArray[np.int64], labels: npt.NDArray[np.int64]) -> float:
    """Share of rows whose predicted label is the true one, 0–1."""
    return float((predicted == labels).mean())
