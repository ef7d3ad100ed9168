"""Rows as the padded arrays of a call, in the shapes that the model was timed in."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .signature import BATCH_AXIS, SEQUENCE_AXIS

Arrays = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Padding:
    """How rows become a rectangle.

    Attributes:
        side: 'right' or 'left', where the padding stands.
        values: what pads each input, by name.
        dtypes: of each input's array, by name.
        multiple_of: tokens; a call's length is a multiple of it, or max_tokens. 1 where the backend takes any length.
        max_tokens: longest row; None for images.
        batch_sizes: ascending; a call has one of these, filled up with its last row. Empty where any size is taken.
    """

    side: str
    values: Mapping[str, int]
    dtypes: Mapping[str, str]
    multiple_of: int
    max_tokens: int | None
    batch_sizes: tuple[int, ...]

    def length(self, longest: int) -> int:
        """Tokens of a call whose longest row has `longest`."""
        rounded = -(-longest // self.multiple_of) * self.multiple_of
        return max(longest, rounded if self.max_tokens is None else min(rounded, self.max_tokens))

    def size(self, rows: int) -> int:
        """Rows of a call that has to hold `rows`: as many, or the next size there is."""
        return next((size for size in self.batch_sizes if size >= rows), rows)


def collate(rows: Mapping[str, Sequence[npt.NDArray[Any]]], chosen: Sequence[int], padding: Padding) -> Arrays:
    """One call's arrays.

    Args:
        rows: by input name an array for each row: [tokens] of a text, [channels, height, width] of an image.
        chosen: the call's rows, at least one.
        padding: of the package.

    Returns:
        C-contiguous arrays [rows, …] by input name; more rows than were chosen where the call is filled up.
    """
    filled = [*chosen, *[chosen[-1]] * (padding.size(len(chosen)) - len(chosen))]
    arrays: Arrays = {}
    for name, values in rows.items():
        dtype = padding.dtypes[name]
        if values[chosen[0]].ndim != 1:
            arrays[name] = np.ascontiguousarray([values[row] for row in filled], dtype=dtype)
            continue
        length = padding.length(max(len(values[row]) for row in chosen))
        whole = np.full((len(filled), length), padding.values[name], dtype=dtype)
        for place, row in enumerate(filled):
            own = values[row]
            if padding.side == "right":
                whole[place, : len(own)] = own
            else:
                whole[place, length - len(own) :] = own
        arrays[name] = whole
    return arrays


def calls(total: int, size: int) -> Iterator[range]:
    """The rows of each call, in their order."""
    return (range(start, min(start + size, total)) for start in range(0, total, size))


__all__ = ["BATCH_AXIS", "SEQUENCE_AXIS", "Arrays", "Padding", "calls", "collate"]
