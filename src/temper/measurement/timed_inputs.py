"""The inputs of a workload: test rows brought to its shape, equal for every candidate."""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from temper.artifacts.signature import BATCH_AXIS, SEQUENCE_AXIS, Signature, Tensors
from temper.backends.runner import Runner
from temper.data.encoded import Split, collate, padding_share, row_lengths
from temper.errors import DataError
from temper.lengths.trimming import PAD_TO_MULTIPLE_OF

REAL_LENGTHS = "real_lengths"  # the key of a workload whose batches keep the rows' own lengths


@dataclass(frozen=True)
class TimedInputs:
    """Batches of one workload.

    Attributes:
        batches: what `infer` is called with, in turn.
        samples: rows in each batch.
        padding_share: share of padding among their tokens, 0–1.
        sha256: digest over all arrays.
        shapes: sizes of the signature's dynamic axes in each batch, batch first.
    """

    batches: list[Tensors]
    samples: list[int]
    padding_share: float
    sha256: str
    shapes: list[tuple[int, ...]]

    def computed_padding_share(self, runner: Runner) -> float:
        """Share of padding among the tokens that a loaded runner computes for all batches, 0–1."""
        given = sum(math.prod(shape) for shape in self.shapes)
        computed = sum(map(runner.computed_tokens, self.batches, self.shapes))
        return 1 - (1 - self.padding_share) * given / computed


def warm_shapes(runner: Runner, inputs: TimedInputs) -> None:
    """Call each shape once, or as often as the runner says: some runtimes compile for a shape when they first see it."""
    seen = set()
    for batch, given in zip(inputs.batches, inputs.shapes, strict=True):
        shape = runner.shape_of(batch, given)
        if shape not in seen:
            seen.add(shape)
            for _ in range(runner.warmup_calls_per_shape):
                runner.infer(batch)


def has_real_lengths(workload: Mapping[str, Any]) -> bool:
    """Whether a workload's batches keep the rows' own lengths."""
    return REAL_LENGTHS in workload


def check_length(workload: Mapping[str, Any], longest: int | None) -> None:
    """Check that the model has positions for a workload's rows: beyond them some runtimes answer, with anything.

    Args:
        workload: sizes by axis, or batch_size and real_lengths, whose rows are no longer than the data's.
        longest: most tokens that the model takes: max_tokens of the split. None for images.

    Raises:
        DataError: its rows are longer.
    """
    length = workload.get(SEQUENCE_AXIS)
    if length is not None and longest is not None and length > longest:
        raise DataError(
            asked=f"run a workload of {length:,} tokens",
            happened=f"the model takes {longest:,}, fewer than data.max_tokens: rows were cut there, and it has no "
            "positions for more",
            affected="this record only; nothing was timed",
            fix=f"set {SEQUENCE_AXIS} to {longest} or less in workloads, and data.max_tokens to {longest}",
        )


def _real_batches(
    split: Split, signature: Signature, workload: Mapping[str, Any], longest: int, seed: int
) -> list[tuple[npt.NDArray[np.int64], int | None]]:
    """Rows and padded length of each batch: the whole split once, in the order its batches are timed."""
    lengths, count = row_lengths(split, signature), workload[BATCH_AXIS]
    order = np.arange(len(split))
    if workload[REAL_LENGTHS] == "bucketed":
        order = np.argsort(lengths, kind="stable")
    batches = [order[start : start + count] for start in range(0, len(order), count)]
    # timed in an order drawn by seed: a run that ends early has then not seen the short ones only
    drawn = np.random.default_rng([seed, count]).permutation(len(batches))
    padded = [-(-int(lengths[rows].max()) // PAD_TO_MULTIPLE_OF) * PAD_TO_MULTIPLE_OF for rows in batches]
    return [(batches[number], min(padded[number], longest)) for number in drawn]


def timed_inputs(
    split: Split,
    signature: Signature,
    workload: Mapping[str, Any],
    *,
    distinct_batches: int,
    seed: int,
    longest: int | None = None,
) -> TimedInputs:
    """Bring test rows to a workload's shape.

    A workload of fixed shape draws its rows by seed. One of real lengths takes every row once, batches in arrival order or
    sorted by length ('bucketed'), each padded to its longest row, rounded up to PAD_TO_MULTIPLE_OF tokens.

    Args:
        split: encoded test rows.
        signature: the model's inputs.
        workload: sizes by axis; or batch_size and real_lengths ('arrival' or 'bucketed').
        distinct_batches: how many different batches of a fixed shape.
        seed: the study's.
        longest: most tokens of a row, where the workload has real lengths.
    """
    count = workload[BATCH_AXIS]
    if has_real_lengths(workload):
        chosen = _real_batches(split, signature, workload, longest or int(row_lengths(split, signature).max()), seed)
    else:
        generator = np.random.default_rng([seed, *(size for _, size in sorted(workload.items()))])
        rows = generator.integers(len(split), size=(distinct_batches, count))
        chosen = [(np.asarray(row, dtype=np.int64), workload.get(SEQUENCE_AXIS)) for row in rows]
    batches = [collate(split, rows, signature, sequence_length=length) for rows, length in chosen]
    whole = hashlib.sha256()
    for batch in batches:
        for name in sorted(batch):
            whole.update(f"{name}{batch[name].dtype}{batch[name].shape}".encode())
            whole.update(batch[name].tobytes())
    sizes = np.array([len(rows) * (length or 1) for rows, length in chosen])
    padding = np.array([padding_share(split, rows, signature, length) for rows, length in chosen])
    return TimedInputs(
        batches,
        [len(rows) for rows, _ in chosen],
        float((padding * sizes).sum() / sizes.sum()),
        whole.hexdigest(),
        [_shape(batch, signature) for batch in batches],
    )


def _shape(batch: Tensors, signature: Signature) -> tuple[int, ...]:
    sizes = {
        axis: size
        for spec in signature.inputs
        for axis, size in zip(spec.axes, batch[spec.name].shape, strict=True)
        if isinstance(axis, str)
    }
    return tuple(sizes[axis] for axis in signature.dynamic_axes)
