"""`pack` of packing.py compiled: its text in C, made by the machine's own compiler when a model on packed rows is opened.

Packing stands in the time of every call. In NumPy it takes some twenty passes over the tokens and a loop over the sentences;
here it takes one of each. Where there is no compiler, or arrays are of other types, NumPy does it, and the record says so.
"""

import ctypes
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from .packing import ATTENTION_MASK, FIRST_TOKENS, POSITION_IDS, SEGMENT_IDS, Tensors, pack

COMPILERS = ("cc", "gcc", "clang")
_SECONDS = 60  # that a compiler may take; it takes a tenth of one
# In a Python file, so that whatever copies or digests modules has it too.
SOURCE = r"""
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Best-fit decreasing, as place() of packing.py: longest first, equal ones in their order, each to the row with the least room
   that holds it; of rows with equal room to the one that came to it last. Returns the number of rows; -1: a sentence is empty or
   longer than a row; -2: no memory. mask [n, width]; start, length and first [n]. */
int64_t place(int64_t n, int64_t width, int64_t row, const int64_t *mask, int64_t *start, int64_t *length, int64_t *first) {
    int64_t *head = malloc(sizeof(int64_t) * (size_t)(2 * row + 3 + 3 * n));
    if (!head) return -2;
    int64_t *count = head + row + 1, *below = count + row + 2, *free_at = below + n, *order = free_at + n, rows = 0, entries = 0;
    for (int64_t room = 0; room <= row; room++) head[room] = -1;
    memset(count, 0, sizeof(int64_t) * (size_t)(row + 2));
    for (int64_t i = 0; i < n; i++) {
        const int64_t *own = mask + i * width;
        int64_t sum = 0, at = 0;
        for (int64_t t = 0; t < width; t++) sum += own[t];
        while (at < width && !own[at]) at++;
        if (sum < 1 || sum > row || at + sum > width) { free(head); return -1; }
        length[i] = sum;
        start[i] = at;
        count[row - sum + 1]++;
    }
    for (int64_t each = 0; each <= row; each++) count[each + 1] += count[each];
    for (int64_t i = 0; i < n; i++) order[count[row - length[i]]++] = i;
    for (int64_t k = 0; k < n;) {
        int64_t own = length[order[k]], room = own, begin;
        while (room <= row && head[room] < 0) room++;
        if (room <= row) {
            int64_t entry = head[room];
            head[room] = below[entry];
            begin = free_at[entry];
        } else {
            room = row;
            begin = rows++ * row;
        }
        while (k < n && length[order[k]] == own && own <= room) {
            first[order[k++]] = begin;
            begin += own;
            room -= own;
        }
        if (room) {
            free_at[entries] = begin;
            below[entries] = head[room];
            head[room] = entries++;
        }
    }
    free(head);
    return rows;
}

/* The same rows, as short as these sentences allow, as shorten() of packing.py: longest first, each to the row that holds the
   fewest tokens; where a row would be longer than `row`, they stay. Returns the tokens of a row; -2: no memory. first [n] is of
   rows of `row` tokens, and becomes of rows of so many. */
int64_t shorten(int64_t n, int64_t rows, int64_t row, int64_t multiple, const int64_t *length, int64_t *first) {
    int64_t *held = calloc((size_t)(rows + row + 2 + 3 * n), sizeof(int64_t));
    if (!held) return -2;
    int64_t *count = held + rows, *order = count + row + 2, *to = order + n, *column = to + n, longest = 0;
    for (int64_t i = 0; i < n; i++) count[row - length[i] + 1]++;
    for (int64_t each = 0; each <= row; each++) count[each + 1] += count[each];
    for (int64_t i = 0; i < n; i++) order[count[row - length[i]]++] = i;
    for (int64_t k = 0; k < n; k++) {
        int64_t own = order[k], least = 0;
        for (int64_t each = 1; each < rows; each++) if (held[each] < held[least]) least = each;
        to[own] = least;
        column[own] = held[least];
        held[least] += length[own];
    }
    for (int64_t each = 0; each < rows; each++) if (held[each] > longest) longest = held[each];
    if (longest > row) {
        longest = 0;
        for (int64_t i = 0; i < n; i++) {
            to[i] = first[i] / row;
            column[i] = first[i] % row;
            if (column[i] + length[i] > longest) longest = column[i] + length[i];
        }
    }
    int64_t tokens = (longest + multiple - 1) / multiple * multiple;
    if (tokens > row) tokens = row;
    for (int64_t i = 0; i < n; i++) first[i] = to[i] * tokens + column[i];
    free(held);
    return tokens;
}

/* Tokens to their places: given [inputs][n, width] to packed [inputs][rows, row]; 0 where there is padding. */
void fill(int64_t n, int64_t width, int64_t slots, const int64_t *start, const int64_t *length, const int64_t *first,
          int32_t *first_tokens, int32_t *segment_ids, int32_t *position_ids,
          int64_t inputs, const int64_t *const *given, int32_t *const *packed) {
    memset(segment_ids, 0, sizeof(int32_t) * (size_t)slots);
    memset(position_ids, 0, sizeof(int32_t) * (size_t)slots);
    for (int64_t k = 0; k < inputs; k++) memset(packed[k], 0, sizeof(int32_t) * (size_t)slots);
    for (int64_t i = 0; i < n; i++) {
        const int64_t at = first[i], own = length[i];
        first_tokens[i] = (int32_t)at;
        for (int64_t t = 0; t < own; t++) segment_ids[at + t] = (int32_t)(i + 1);
        for (int64_t t = 0; t < own; t++) position_ids[at + t] = (int32_t)t;
        for (int64_t k = 0; k < inputs; k++) {
            const int64_t *from = given[k] + i * width + start[i];
            int32_t *to = packed[k] + at;
            for (int64_t t = 0; t < own; t++) to[t] = (int32_t)from[t];
        }
    }
}
"""
Integers = npt.NDArray[np.int64]
_OWN = (FIRST_TOKENS, SEGMENT_IDS, POSITION_IDS)
_INT64 = np.dtype(np.int64)


def library_of(text: str) -> ctypes.CDLL | str:
    """The functions of a C text, compiled; or why there are none."""
    compiler = next(filter(None, map(shutil.which, COMPILERS)), None)
    if compiler is None:
        return f"no C compiler ({', '.join(COMPILERS)})"
    with tempfile.TemporaryDirectory(prefix="temper-packing-") as folder:
        source, library = Path(folder, "packing.c"), Path(folder, "packing.so")
        source.write_text(text, encoding="utf-8")
        asked = [compiler, "-O2", "-shared", "-fPIC", "-o", str(library), str(source)]
        try:
            subprocess.run(asked, check=True, capture_output=True, timeout=_SECONDS, stdin=subprocess.DEVNULL)
            return ctypes.CDLL(str(library))  # stays loaded when its file goes
        except (OSError, subprocess.SubprocessError) as error:
            return f"the C compiler does not make it: {type(error).__name__}"


def _compiled() -> ctypes.CDLL | str:
    """The functions of SOURCE; or why there are none."""
    loaded = library_of(SOURCE)
    if isinstance(loaded, str):
        return loaded
    loaded.place.restype, loaded.shorten.restype, loaded.fill.restype = ctypes.c_int64, ctypes.c_int64, None
    loaded.place.argtypes = [ctypes.c_int64] * 3 + [ctypes.c_void_p] * 4
    loaded.shorten.argtypes = [ctypes.c_int64] * 4 + [ctypes.c_void_p] * 2
    loaded.fill.argtypes = [ctypes.c_int64] * 3 + [ctypes.c_void_p] * 6 + [ctypes.c_int64] + [ctypes.c_void_p] * 2
    return loaded


class Packer:
    """`pack` for one model, compiled where that can be.

    Attributes:
        by: what does it: 'C', or 'NumPy: ' and the reason.
    """

    def __init__(
        self,
        row_tokens: int,
        dtypes: Mapping[str, str],
        multiple_of: int | None = None,
        *,
        compiled: Callable[[], ctypes.CDLL | str] = _compiled,
    ) -> None:
        """Compile.

        Args:
            row_tokens, dtypes, multiple_of: as of `pack`.
            compiled: what makes the functions.
        """
        self._row_tokens, self._dtypes, self._multiple_of = row_tokens, dict(dtypes), multiple_of
        self._given = [name for name in dtypes if name not in _OWN]
        self._filled = (SEGMENT_IDS, POSITION_IDS, *self._given)  # in the order of one block of memory
        self._pointers = ctypes.c_void_p * len(self._given)
        found: ctypes.CDLL | str = "its model takes other types than int32"
        if set(dtypes.values()) == {"int32"} and all(name in dtypes for name in _OWN):
            found = compiled()
        self._library = found if isinstance(found, ctypes.CDLL) else None
        self.by = "C" if self._library is not None else f"NumPy: {found}"

    def __call__(self, inputs: Tensors) -> Mapping[str, npt.NDArray[np.generic]]:
        """What `pack` gives, to the bit.

        Args:
            inputs: as of `pack`; other arrays than int64 in rows one after the other are packed by NumPy.
        """
        library, mask = self._library, inputs[ATTENTION_MASK]
        arrays = [inputs[name] for name in self._given]
        if library is None or any(
            array.dtype != _INT64 or not array.flags.c_contiguous or array.shape != mask.shape
            for array in (mask, *arrays)
        ):
            return pack(inputs, self._row_tokens, self._dtypes, self._multiple_of)
        count, width = mask.shape
        places = np.empty((3, count), np.int64)  # start, length, first
        start = places.ctypes.data
        length, first = start + 8 * count, start + 16 * count
        rows = library.place(count, width, self._row_tokens, mask.ctypes.data, start, length, first)
        if rows < 0:
            return pack(inputs, self._row_tokens, self._dtypes, self._multiple_of)
        row_tokens = self._row_tokens
        if self._multiple_of is not None:
            row_tokens = library.shorten(count, rows, row_tokens, self._multiple_of, length, first)
            if row_tokens < 0:
                return pack(inputs, self._row_tokens, self._dtypes, self._multiple_of)
        first_tokens = np.empty(count, np.int32)
        block = np.empty((len(self._filled), rows, row_tokens), np.int32)
        address, step = block.ctypes.data, 4 * rows * row_tokens
        library.fill(
            count,
            width,
            rows * row_tokens,
            start,
            length,
            first,
            first_tokens.ctypes.data,
            address,
            address + step,
            len(arrays),
            self._pointers(*[array.ctypes.data for array in arrays]),
            self._pointers(*range(address + 2 * step, address + (2 + len(arrays)) * step, step)),
        )
        packed = dict(zip(self._filled, block, strict=True)) | {FIRST_TOKENS: first_tokens}
        return {name: packed[name] for name in self._dtypes}  # in their order, as pack gives them
