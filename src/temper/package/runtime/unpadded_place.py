"""A padded batch's rows set end to end, in C where the machine has a compiler: placing stands in the time of every call.

Of 256 sentences it takes NumPy 0.1 to 0.25 ms, a tenth and more of what a GPU computes for them.
"""

import ctypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .packing import Tensors
from .packing_compiled import library_of

IDS, MASK, TYPES = "input_ids", "attention_mask", "token_type_ids"
_BLOCK = 64  # tokens: longest rows of one multiple run in one recorded graph
_INT64 = np.dtype(np.int64)
SOURCE = r"""
#include <stdint.h>

static int64_t rounded(int64_t count) {
    int64_t multiple = count <= 512 ? 8 : count <= 2048 ? 32 : 64;
    return (count + multiple - 1) / multiple * multiple;
}

/* The tokens of `arrays` given ones [n, width], padded on the right, each to its own [tokens], 0 behind the last row's; behind
   them where each row begins, and the ends of the last one and of what fills up [n + 2]. placed has room for arrays * (n * width
   + 64) + n + 2. Returns tokens; longest[0] is the longest row's. */
int64_t place(int64_t n, int64_t width, int64_t fills, int64_t arrays, const int64_t *mask, const int64_t *first,
              const int64_t *second, int32_t *starts, int32_t *placed, int64_t *longest) {
    int64_t count = 0, most = 0;
    for (int64_t i = 0; i < n; i++) {
        int64_t sum = 0;
        for (int64_t t = 0; t < width; t++) sum += mask[i * width + t];
        starts[i] = (int32_t)count;
        count += sum;
        if (sum > most) most = sum;
    }
    int64_t tokens = fills ? rounded(count) : count;
    starts[n] = (int32_t)count;
    starts[n + 1] = (int32_t)tokens;
    longest[0] = most;
    for (int64_t k = 0; k < arrays; k++) {
        const int64_t *given = k ? second : first;
        int32_t *to = placed + k * tokens;
        for (int64_t i = 0; i < n; i++) {
            const int64_t own = starts[i + 1] - starts[i], *from = given + i * width;
            for (int64_t t = 0; t < own; t++) *to++ = (int32_t)from[t];
        }
        for (int64_t t = count; t < tokens; t++) *to++ = 0;
    }
    for (int64_t i = 0; i < n + 2; i++) placed[arrays * tokens + i] = starts[i];
    return tokens;
}
"""


def padded_tokens(count: int) -> int:
    """Tokens that a call of `count` runs in: at most 7 more, beyond 512 at most 6 %, so that few graphs serve all batches."""
    for multiple, up_to in ((8, 512), (32, 2048)):
        if count <= up_to:
            return -(-count // multiple) * multiple
    return -(-count // 64) * 64


@dataclass(frozen=True)
class Placed:
    """A batch without its padding.

    Attributes:
        integers: int32 [tokens × (2 where there are token types, else 1) + rows + 2]: ids, token types, and where each row
            begins, with the end of the last one and of what fills up.
        tokens: of the call, what fills up included.
        rows: of the batch.
        longest: of a row, or of what fills up, rounded up to a multiple of _BLOCK.
    """

    integers: npt.NDArray[np.int32]
    tokens: int
    rows: int
    longest: int


def _compiled() -> ctypes.CDLL | str:
    library = library_of(SOURCE)
    if isinstance(library, ctypes.CDLL):
        library.place.restype = ctypes.c_int64
        library.place.argtypes = [ctypes.c_int64] * 4 + [ctypes.c_void_p] * 6
    return library


def _address(array: npt.NDArray[Any]) -> int:
    """Of the first element; a third of the time that `array.ctypes.data` takes."""
    address: int = array.__array_interface__["data"][0]
    return address


class Placer:
    """Sets rows end to end; called by one thread at a time.

    Attributes:
        by: what does it: 'C', or 'NumPy: ' and the reason.
    """

    def __init__(self, *, fill: bool, compiled: Callable[[], ctypes.CDLL | str] = _compiled) -> None:
        """Compile.

        Args:
            fill: whether tokens are added up to `padded_tokens`.
            compiled: what makes the function.
        """
        found = compiled()
        self._fill, self._library = fill, found if isinstance(found, ctypes.CDLL) else None
        self.by = "C" if self._library is not None else f"NumPy: {found}"
        self._room = np.empty(0, np.int32)  # what C writes to; a call's own is copied out of it
        self._longest = np.zeros(1, np.int64)

    def __call__(self, inputs: Tensors) -> Placed:
        """Place a batch.

        Args:
            inputs: arrays of the signature, padded on the right: int64 [rows, columns]; others than C-contiguous int64 are
                placed by NumPy.
        """
        mask = inputs[MASK]
        arrays = [inputs[name] for name in (IDS, TYPES) if name in inputs]
        placeable = self._library is not None and mask.dtype == _INT64 and mask.flags.c_contiguous
        for each in arrays:
            placeable = placeable and each.dtype == _INT64 and each.flags.c_contiguous
        integers, tokens, longest = self._by_c(mask, arrays) if placeable else self._by_numpy(mask, arrays)
        rows = mask.shape[0]
        longest = max(longest, tokens - int(integers[-2]))
        return Placed(integers, tokens, rows, -(-longest // _BLOCK) * _BLOCK)

    def _by_c(
        self, mask: npt.NDArray[Any], arrays: Sequence[npt.NDArray[Any]]
    ) -> tuple[npt.NDArray[np.int32], int, int]:
        assert self._library is not None
        rows, width = mask.shape
        count = len(arrays)
        needed = count * (mask.size + _BLOCK) + 2 * (rows + 2)
        if len(self._room) < needed:
            self._room = np.empty(needed, np.int32)
        room = _address(self._room)
        first, last = _address(arrays[0]), _address(arrays[-1])
        tokens: int = self._library.place(
            *(rows, width, int(self._fill), count, _address(mask), first, last),
            *(room, room + 4 * (rows + 2), _address(self._longest)),
        )
        begin = rows + 2
        return self._room[begin : begin + count * tokens + rows + 2].copy(), tokens, int(self._longest[0])

    def _by_numpy(
        self, mask: npt.NDArray[Any], arrays: Sequence[npt.NDArray[Any]]
    ) -> tuple[npt.NDArray[np.int32], int, int]:
        rows, width = mask.shape
        lengths = mask.sum(axis=1, dtype=np.int64)
        starts = np.zeros(rows + 2, np.int32)
        np.cumsum(lengths, out=starts[1:-1])
        count = int(starts[rows])
        tokens = padded_tokens(count) if self._fill else count
        starts[-1] = tokens
        integers = np.empty(tokens * len(arrays) + rows + 2, np.int32)
        integers[tokens * len(arrays) :] = starts
        # of a row's columns the first ones: from the lengths, as 0 and 1 of 8 bytes are looked through slowly
        kept = np.flatnonzero(np.arange(width) < lengths[:, None])
        for number, array in enumerate(arrays):
            integers[number * tokens : number * tokens + count] = array.reshape(-1).take(kept)
            integers[number * tokens + count : (number + 1) * tokens] = 0
        return integers, tokens, int(lengths.max())
