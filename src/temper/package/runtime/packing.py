"""Several sentences in one row of tokens, so that little is computed for padding.

Krell et al. 2021, "Efficient Sequence Packing without Cross-contamination" (arXiv:2107.02027), pack training rows; here the
rows of a call are packed. Sentences in one row do not see each other: attention is masked by `segment_ids`.
"""

import heapq
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]
Tensors = Mapping[str, npt.NDArray[np.generic]]

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
        first: of its first token among all tokens of all rows, row after row, int64 [sentences].
        rows: number of rows.
        row_tokens: tokens of a row.
    """

    first: Integers
    rows: int
    row_tokens: int


def place(lengths: Integers, row_tokens: int) -> Placement:
    """Give the sentences to few rows: longest first, each to the row with the least room that still holds it.

    Best-fit decreasing (Johnson 1973, "Near-optimal bin packing algorithms"). It stands in the time of every call: the rooms
    that there are, are bits of one number, and the least that is enough is its lowest bit from `length` on.

    Args:
        lengths: tokens of each sentence, int64, each from 1 to row_tokens.
        row_tokens: tokens of a row.
    """
    order = (-lengths).argsort(kind="stable")
    longest_first: list[int] = lengths[order].tolist()
    by_room: dict[int, list[int]] = {}  # where the free part of such a row begins
    rooms = rows = at = 0  # bit n of rooms is set where by_room[n] has a row
    begins: list[int] = []
    while at < len(longest_first):
        length = longest_first[at]
        enough = rooms >> length
        if enough:
            room = length + (enough & -enough).bit_length() - 1
            having = by_room[room]
            begin = having.pop()
            if not having:
                rooms ^= 1 << room
        else:
            room, begin = row_tokens, rows * row_tokens
            rows += 1
        same = length
        while same == length <= room:  # its room was the least that was enough, and has become less: still the best fit
            begins.append(begin)
            begin += length
            room -= length
            at += 1
            same = longest_first[at] if at < len(longest_first) else 0
        if room:
            by_room.setdefault(room, []).append(begin)
            rooms |= 1 << room
    first = np.empty(len(longest_first), np.int64)
    first[order] = begins
    return Placement(first, rows, row_tokens)


def shorten(placed: Placement, lengths: Integers, multiple_of: int) -> Placement:
    """The same number of rows, as short as these sentences allow.

    Longest first, each to the row that holds the fewest tokens, the first of such rows: LPT (Graham 1969, "Bounds on
    multiprocessing timing anomalies"). Where a row would become longer than `place` made it, the sentences stay in their rows.

    Args:
        placed: of these sentences by `place`.
        lengths: tokens of each sentence, int64.
        multiple_of: what the tokens of a row are rounded up to, never beyond those of `placed`.
    """
    order = (-lengths).argsort(kind="stable")
    rows, columns = np.divmod(placed.first, placed.row_tokens)
    level_rows, level_columns = np.empty_like(rows), np.empty_like(columns)
    fewest = [(0, row) for row in range(placed.rows)]
    for sentence in order.tolist():
        held, row = fewest[0]
        level_rows[sentence], level_columns[sentence] = row, held
        heapq.heapreplace(fewest, (held + int(lengths[sentence]), row))
    if max(held for held, _ in fewest) <= placed.row_tokens:
        rows, columns = level_rows, level_columns
    longest = int((columns + lengths).max())
    row_tokens = min(-(-longest // multiple_of) * multiple_of, placed.row_tokens)
    return Placement(rows * row_tokens + columns, placed.rows, row_tokens)


def pack(
    inputs: Tensors, row_tokens: int, dtypes: Mapping[str, str], multiple_of: int | None = None
) -> dict[str, npt.NDArray[np.generic]]:
    """A batch of padded sentences as packed rows.

    Args:
        inputs: attention_mask and the other inputs of a text model, integers [sentences, tokens]; padding on either side.
        row_tokens: tokens of a row; no sentence is longer.
        dtypes: of what the packed model takes, by name: its own inputs, and those of FIRST_TOKENS, SEGMENT_IDS, POSITION_IDS.
        multiple_of: rows are made shorter than row_tokens where these sentences allow it, by `shorten`; None: they are not.

    Returns:
        first_tokens [sentences]: place of each sentence's first token among all tokens of all rows; segment_ids [rows,
        row_tokens]: 1, 2, … for the sentences of the batch, 0 for padding; position_ids [rows, row_tokens]: places in the
        sentence; and the given inputs [rows, row_tokens], 0 where there is padding.
    """
    mask = inputs[ATTENTION_MASK]
    lengths = np.add.reduce(mask, axis=1, dtype=np.int64)
    placed = place(lengths, row_tokens)
    if multiple_of is not None:
        placed = shorten(placed, lengths, multiple_of)
    row_tokens = placed.row_tokens
    slots = placed.rows * row_tokens
    # row after row, so that whole runs are repeated instead of tokens being put in their places one by one
    order = placed.first.argsort()
    begins = placed.first[order]
    runs = np.empty_like(begins)  # to the begin of the next: the last of a row has the row's padding
    np.subtract(begins[1:], begins[:-1], out=runs[:-1])
    runs[-1] = slots - begins[-1]
    sentence = order.repeat(runs)
    position = np.arange(slots) - begins.repeat(runs)
    is_token = position < lengths[order].repeat(runs)
    position *= is_token
    given = sentence * mask.shape[1] + position  # places among the tokens that were given; padding's are replaced by 0
    if not mask[:, 0].all():  # rows that begin with padding
        given += mask.argmax(axis=1)[sentence]
    packed: dict[str, npt.NDArray[np.generic]] = {}
    for name, dtype in dtypes.items():
        if name == FIRST_TOKENS:
            packed[name] = placed.first.astype(dtype)
        elif name == POSITION_IDS:
            packed[name] = position.astype(dtype).reshape(placed.rows, row_tokens)
        else:
            values = sentence + 1 if name == SEGMENT_IDS else inputs[name].ravel().take(given)
            packed[name] = (values * is_token).astype(dtype).reshape(placed.rows, row_tokens)
    return packed
