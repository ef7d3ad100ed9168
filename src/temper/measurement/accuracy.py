"""Predictions of a loaded runner on a whole split, untimed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from temper.artifacts.signature import BATCH_AXIS, SEQUENCE_AXIS, Signature
from temper.backends.runner import Logits, Runner
from temper.data.encoded import Split, answers_in, collate, row_lengths
from temper.lengths.trimming import PAD_TO_MULTIPLE_OF


@dataclass(frozen=True)
class Predictions:
    """Logits of every row, or of every word, in its order.

    Attributes:
        logits: float32 [answers, number of labels].
        batch_size: rows per call, at most.
        cut_rows: rows longer than the artifact accepts, cut to fit: they count in the accuracy as they were answered.
    """

    logits: Logits
    batch_size: int
    cut_rows: int

    @property
    def labels(self) -> npt.NDArray[np.int64]:
        """Of one label of several: predicted label of each row, int64 [rows]: the largest logit, the first of equals."""
        return np.asarray(self.logits.argmax(axis=1), dtype=np.int64)


def _rows_that_fit(
    runner: Runner, lengths: npt.NDArray[np.int64], least: int, length_of: Callable[[int], int | None]
) -> int:
    """How many of the next rows a runner takes in one call: all of them, unless it has static shapes of several sizes.

    Args:
        runner: a loaded runner; its `fits` says which batch goes with which length.
        lengths: of the next rows in tokens, as many as a call may hold.
        least: batch size to which fewer rows are filled.
        length_of: padded length of a call, by its longest row.
    """
    for count in range(len(lengths), 1, -1):
        length = length_of(int(lengths[:count].max()))
        sizes = {BATCH_AXIS: max(count, least)} | ({} if length is None else {SEQUENCE_AXIS: length})
        if runner.fits(sizes):
            return count
    return 1


def predict(runner: Runner, split: Split, signature: Signature, *, batch_size: int) -> Predictions:
    """Run a whole split through a loaded runner, in the split's order.

    Each batch is padded to its longest row. A runner that compiles for each shape gets few of them, those of the timed
    inputs: whole batches only, and lengths rounded up to PAD_TO_MULTIPLE_OF tokens.

    Args:
        runner: a loaded runner; its `limits()` bound the batch and the length, and its `fits()` both together.
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
    every_length = row_lengths(split, signature)
    multiple, longest_row = 1, int(every_length.max())
    if runner.compiles_shapes:
        multiple, low_batch = PAD_TO_MULTIPLE_OF, max(low_batch, size)

    def length_of(longest: int) -> int | None:
        if not has_sequence:
            return None
        # never beyond the longest row: there may be no positions for more
        rounded = min(-(-longest // multiple) * multiple, longest_row)
        return max(rounded, low) if high is None else min(max(rounded, low), high)

    logits, cut_rows, start = [], 0, 0
    while start < len(split):
        rows = np.arange(start, min(start + size, len(split)))
        rows = rows[: _rows_that_fit(runner, every_length[rows], low_batch, length_of)]
        # an engine with a least batch size gets the last row again; the surplus answers are dropped
        filled = np.concatenate([rows, np.full(max(low_batch - len(rows), 0), rows[-1])])
        length = length_of(int(every_length[rows].max()))
        cut_rows += 0 if length is None else int((every_length[rows] > length).sum())
        answer = runner.infer(collate(split, filled, signature, sequence_length=length))
        logits.append(answers_in(split, rows, answer, signature))
        start += len(rows)
    return Predictions(np.concatenate(logits), size, cut_rows)
