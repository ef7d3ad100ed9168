"""A padded batch's rows set end to end, in C where the machine has a compiler: placing stands in the time of every call.

Of 256 sentences it takes NumPy 0.1 to 0.25 ms, a tenth and more of what a GPU computes for them.
"""

import ctypes
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from temper.artifacts.signature import Tensors
from temper.package.runtime.packing_compiled import library_of

IDS, MASK, TYPES = "input_ids", "attention_mask", "token_type_ids"
_BLOCK = 64  # tokens: longest rows of one multiple run in one recorded graph
_INT64 = np.dtype(np.int64)
SOURCE = r"""
#include <stdint.h>

/* Where each of n rows begins, and the end of the last one: starts [n + 1]; mask [n, width]. Returns the longest row's tokens. */
int64_t begin(int64_t n, int64_t width, const int64_t *mask, int32_t *starts) {
    int64_t longest = 0, count = 0;
    for (int64_t i = 0; i < n; i++) {
        int64_t sum = 0;
        for (int64_t t = 0; t < width; t++) sum += mask[i * width + t];
        starts[i] = (int32_t)count;
        count += sum;
        if (sum > longest) longest = sum;
    }
    starts[n] = (int32_t)count;
    return longest;
}

/* The tokens of given [n, width], padded on the right, to placed [tokens]; 0 behind the last row's. */
void fill(int64_t n, int64_t width, int64_t tokens, const int32_t *starts, const int64_t *given, int32_t *placed) {
    for (int64_t i = 0; i < n; i++) {
        const int64_t own = starts[i + 1] - starts[i], *from = given + i * width;
        int32_t *to = placed + starts[i];
        for (int64_t t = 0; t < own; t++) to[t] = (int32_t)from[t];
    }
    for (int64_t t = starts[n]; t < tokens; t++) placed[t] = 0;
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
        library.begin.restype, library.fill.restype = ctypes.c_int64, None
        library.begin.argtypes = [ctypes.c_int64] * 2 + [ctypes.c_void_p] * 2
        library.fill.argtypes = [ctypes.c_int64] * 3 + [ctypes.c_void_p] * 3
    return library


class Placer:
    """Sets rows end to end.

    Attributes:
        by: what does it: 'C', or 'NumPy: ' and the reason.
    """

    def __init__(self, *, fill: bool, compiled: Callable[[], ctypes.CDLL | str] = _compiled) -> None:
        """Compile.

        Args:
            fill: whether tokens are added up to `padded_tokens`.
            compiled: what makes the functions.
        """
        found = compiled()
        self._fill, self._library = fill, found if isinstance(found, ctypes.CDLL) else None
        self.by = "C" if self._library is not None else f"NumPy: {found}"

    def __call__(self, inputs: Tensors) -> Placed:
        """Place a batch.

        Args:
            inputs: arrays of the signature, padded on the right: int64 [rows, columns]; others than C-contiguous int64 are
                placed by NumPy.
        """
        mask, library = inputs[MASK], self._library
        arrays = [inputs[name] for name in (IDS, TYPES) if name in inputs]
        if any(each.dtype != _INT64 or not each.flags.c_contiguous for each in (mask, *arrays)):
            library = None
        rows, width = mask.shape
        starts = np.zeros(rows + 2, np.int32)
        if library is None:
            lengths = mask.sum(axis=1, dtype=np.int64)
            np.cumsum(lengths, out=starts[1:-1])
            longest = int(lengths.max())
        else:
            longest = library.begin(rows, width, mask.ctypes.data, starts.ctypes.data)
        count = int(starts[rows])
        tokens = padded_tokens(count) if self._fill else count
        starts[-1] = tokens
        integers = np.empty(tokens * len(arrays) + rows + 2, np.int32)
        integers[tokens * len(arrays) :] = starts
        if library is None:
            # of a row's columns the first ones: from the lengths, as 0 and 1 of 8 bytes are looked through slowly
            kept = np.flatnonzero(np.arange(width) < lengths[:, None])
        for number, array in enumerate(arrays):
            if library is not None:
                address = integers.ctypes.data + 4 * number * tokens
                library.fill(rows, width, tokens, starts.ctypes.data, array.ctypes.data, address)
                continue
            integers[number * tokens : number * tokens + count] = array.reshape(-1).take(kept)
            integers[number * tokens + count : (number + 1) * tokens] = 0
        longest = max(longest, tokens - count)
        return Placed(integers, tokens, rows, -(-longest // _BLOCK) * _BLOCK)
