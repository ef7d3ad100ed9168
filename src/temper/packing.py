"""Several sentences in one row of tokens, so that little is computed for padding.

Krell et al. 2021, "Efficient Sequence Packing without Cross-contamination" (arXiv:2107.02027), pack training rows; here the
rows of a call are packed. Sentences in one row do not see each other: attention is masked by `segment_ids`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from temper.signature import Tensors

Integers = npt.NDArray[np.int64]

FIRST_TOKENS, SEGMENT_IDS, POSITION_IDS, ATTENTION_MASK = (
    "first_tokens",
    "segment_ids",
    "position_ids",
    "attention_mask",
)


@dataclass(frozen=True)
class Placement:
    """Where each sentence stands.

    Attributes:
        row: int64 [sentences].
        offset: of its first token in that row, int64 [sentences].
        rows: number of rows.
    """

    row: Integers
    offset: Integers
    rows: int


def place(lengths: Integers, row_tokens: int) -> Placement:
    """Give the sentences to few rows: longest first, in rounds, in each round the longest to the emptiest row.

    Graham's rule for parallel machines (1969, "Bounds on Multiprocessing Timing Anomalies") a round at a time, with as few rows
    as it then needs. It stands in the time of every call, where a search for the fewest rows would cost more than it saves.

    Args:
        lengths: tokens of each sentence, int64, each from 1 to row_tokens.
        row_tokens: tokens of a row.
    """
    count = len(lengths)
    order = np.argsort(-lengths, kind="stable")
    ordered = lengths[order]
    rows = max(1, -(-int(ordered.sum()) // row_tokens))
    while True:
        row, offset = np.empty(count, np.int64), np.empty(count, np.int64)
        filled = np.zeros(rows, np.int64)
        for start in range(0, count, rows):
            taken = ordered[start : start + rows]
            emptiest = np.argsort(filled, kind="stable")[: len(taken)]
            row[order[start : start + rows]], offset[order[start : start + rows]] = emptiest, filled[emptiest]
            filled[emptiest] += taken
        over = int(filled.max()) - row_tokens
        if over <= 0:  # at the latest with a row for each sentence
            return Placement(row, offset, rows)
        rows += max(1, int(np.maximum(filled - row_tokens, 0).sum()) // row_tokens)


def pack(inputs: Tensors, row_tokens: int, dtypes: Mapping[str, str]) -> dict[str, npt.NDArray[np.generic]]:
    """A batch of padded sentences as packed rows.

    Args:
        inputs: attention_mask and the other inputs of a text model, integers [sentences, tokens]; padding on the right.
        row_tokens: tokens of a row; no sentence is longer.
        dtypes: of what the packed model takes, by name: its own inputs, and those of FIRST_TOKENS, SEGMENT_IDS, POSITION_IDS.

    Returns:
        first_tokens [sentences]: place of each sentence's first token among all tokens of all rows; segment_ids [rows,
        row_tokens]: 1, 2, … for the sentences of the batch, 0 for padding; position_ids [rows, row_tokens]: places in the
        sentence; and the given inputs [rows, row_tokens], 0 where there is padding.
    """
    mask = inputs[ATTENTION_MASK]
    lengths = mask.sum(axis=1, dtype=np.int64)
    placed = place(lengths, row_tokens)
    first = placed.row * row_tokens + placed.offset
    sentence, position = mask.nonzero()
    where = first[sentence] + position
    values = {SEGMENT_IDS: sentence + 1, POSITION_IDS: position}
    packed: dict[str, npt.NDArray[np.generic]] = {}
    for name, dtype in dtypes.items():
        if name == FIRST_TOKENS:
            packed[name] = first.astype(dtype)
            continue
        flat = np.zeros(placed.rows * row_tokens, dtype)
        flat[where] = values[name] if name in values else inputs[name][sentence, position]
        packed[name] = flat.reshape(placed.rows, row_tokens)
    return packed
