"""The inputs of a workload: seeded test rows brought to its shape, equal for every candidate."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from temper.data.encoded import Split, collate, padding_share
from temper.signature import BATCH_AXIS, SEQUENCE_AXIS, Signature, Tensors


@dataclass(frozen=True)
class TimedInputs:
    """Batches of one workload.

    Attributes:
        batches: what `infer` is called with, in turn.
        padding_share: share of padding among their tokens, 0–1.
        sha256: digest over all arrays.
    """

    batches: list[Tensors]
    padding_share: float
    sha256: str


def timed_inputs(
    split: Split, signature: Signature, workload: Mapping[str, int], *, distinct_batches: int, seed: int
) -> TimedInputs:
    """Draw rows by seed and bring them to the workload's shape.

    Args:
        split: encoded test rows.
        signature: the model's inputs.
        workload: sizes by axis; equal sizes give equal inputs, whatever the workload is called.
        distinct_batches: how many different batches.
        seed: the study's.
    """
    generator = np.random.default_rng([seed, *(size for _, size in sorted(workload.items()))])
    count, length = workload[BATCH_AXIS], workload.get(SEQUENCE_AXIS)
    rows = generator.integers(len(split.labels), size=(distinct_batches, count))
    batches = [collate(split, row, signature, sequence_length=length) for row in rows]
    whole = hashlib.sha256()
    for batch in batches:
        for name in sorted(batch):
            whole.update(f"{name}{batch[name].dtype}{batch[name].shape}".encode())
            whole.update(batch[name].tobytes())
    return TimedInputs(batches, padding_share(split, rows.ravel(), signature, length), whole.hexdigest())
