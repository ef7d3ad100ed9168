"""Static shapes of engines out of the lengths of the data's own rows: a kernel for each size that calls really come in."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from temper.artifacts.signature import read_signature
from temper.data.encoded import check_split, read_split, row_lengths
from temper.lengths.buckets.limits import Lengths, choose, rounded, token_cost
from temper.lengths.packing import place
from temper.measurement.timed_inputs import REAL_LENGTHS, has_real_lengths

PROFILES = 12  # of one engine; each takes about a second to build, and its own memory where it is used
_LARGE = 64  # rows of a batch from which four tokens more or less are worth a shape of their own
SHAPED_BY = ("train", "validation")  # the first split of these that has rows; never the test rows
Shapes = list[list[int]]


def row_lengths_of(data: Path) -> Lengths:
    """Tokens of each row that training has, or of those that are kept back from it where nothing is trained; int64 [rows].

    Args:
        data: prepared data.

    Raises:
        ArtifactError: a split is not what was prepared.
    """
    signature = read_signature(data / "signature.json")
    lengths = np.empty(0, np.int64)
    for split in SHAPED_BY:
        if not len(lengths):
            check_split(data, split)
            lengths = row_lengths(read_split(data / f"{split}.parquet", signature), signature)
    return lengths


def _batches(lengths: Lengths, workload: Mapping[str, Any]) -> Sequence[Lengths]:
    """Lengths of batches as they would come; of fixed shape no row is longer than the batch.

    What is left at the end, less than a batch, counts where rows are sorted: it is the longest ones.
    """
    count = int(workload["batch_size"])
    if _is_sorted(workload):
        lengths = np.sort(lengths, kind="stable")
        return [lengths[at : at + count] for at in range(0, len(lengths), count)]
    if not has_real_lengths(workload):
        lengths = np.minimum(lengths, workload["sequence_length"])
    whole = len(lengths) // count * count
    return [lengths[at : at + count] for at in range(0, whole, count)] or [lengths]


def _a_little_more(size: int) -> int:
    """What other rows than these may come to."""
    return -(-size * 9 // 8)


def _is_sorted(workload: Mapping[str, Any]) -> bool:
    return workload.get(REAL_LENGTHS) == "bucketed"


def padded_shapes(lengths: Lengths, workload: Mapping[str, Any], longest: int) -> Shapes:
    """Shapes for batches that are padded to their longest row: [rows, tokens].

    Args:
        lengths: tokens of each row of a split, int64 [rows], at least one.
        workload: its row.
        longest: most tokens of a row; there is a shape for it, so that no row has to be cut.
    """
    count = int(workload["batch_size"])
    multiple = 4 if count >= _LARGE else 8
    ends = np.array([rows.max() for rows in _batches(lengths, workload)], dtype=np.int64)
    most = longest if has_real_lengths(workload) else int(workload["sequence_length"])
    if has_real_lengths(workload):
        ends = np.append(ends, min(most, _a_little_more(int(ends.max()))))
    (*_, choice) = choose(rounded(ends, multiple, most), profiles=PROFILES, longest=most, cost=token_cost)
    shapes = [[count, tokens] for tokens in choice.limits]
    if has_real_lengths(workload) and count > 1:  # what is left at the end of all rows
        usual = choice.limits[-2:][0] if _is_sorted(workload) else choice.limits[len(choice.limits) // 2]
        shapes += [[-(-count // 2), tokens] for tokens in sorted({usual, most})]
    return shapes if most == longest else [*shapes, [count, longest]]


def packed_shapes(lengths: Lengths, workload: Mapping[str, Any], row_tokens: int) -> Shapes:
    """Shapes for batches whose sentences stand end to end: [sentences, rows of `row_tokens` tokens].

    A batch that needs more rows than any of these is run in parts.

    Args:
        lengths: tokens of each row of a split, int64 [rows], at least one, none above `row_tokens`.
        workload: its row.
        row_tokens: tokens of a packed row.
    """
    count = int(workload["batch_size"])
    batches = _batches(lengths, workload)
    needed = np.array([place(rows, row_tokens).rows for rows in batches], dtype=np.int64)
    if has_real_lengths(workload):  # what is left at the end of all rows
        halves = [place(rows[: -(-len(rows) // 2)], row_tokens).rows for rows in batches]
        needed = np.append(needed, [min(halves), max(halves)])
    most = min(count, _a_little_more(int(needed.max())))
    (*_, choice) = choose(needed, profiles=PROFILES, longest=most, cost=token_cost)
    return [[count, rows] for rows in choice.limits]
