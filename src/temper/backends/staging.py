"""Memory of an engine's tensors: one page-locked buffer on the host and its twin on the device, laid out alike.

The inputs stand one after the other, so that one copy takes them all to the device; the logits follow.
"""

import ctypes
import math
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from temper.artifacts.signature import SEQUENCE_AXIS, TensorSpec
from temper.environment.cuda import Device

ALIGNMENT = 256  # bytes: what cudaMalloc gives, and TensorRT asks of a tensor's address
LOGITS = "logits"


@dataclass(frozen=True)
class Layout:
    """Where the tensors of one shape stand in a buffer.

    Attributes:
        shapes: of the inputs and of the logits, by name.
        dtypes: of the same.
        offsets: first byte of each.
        input_bytes: from the first input to the end of the last.
        logits_bytes: of the logits alone.
        total_bytes: of everything.
    """

    shapes: Mapping[str, tuple[int, ...]]
    dtypes: Mapping[str, np.dtype[Any]]
    offsets: Mapping[str, int]
    input_bytes: int
    logits_bytes: int
    total_bytes: int

    @classmethod
    def of(cls, specs: Sequence[TensorSpec], sizes: Mapping[str, int], logits_shape: tuple[int, ...]) -> "Layout":
        """The layout of a call.

        Args:
            specs: the signature's inputs.
            sizes: of its dynamic axes.
            logits_shape: [batch, number of labels], or of each token; float32.
        """
        shapes = {spec.name: spec.shape(sizes) for spec in specs} | {LOGITS: logits_shape}
        dtypes = {spec.name: np.dtype(spec.dtype) for spec in specs} | {LOGITS: np.dtype(np.float32)}
        offsets: dict[str, int] = {}
        end = input_bytes = 0
        for name, shape in shapes.items():  # the logits last
            input_bytes = end if name == LOGITS else input_bytes
            offsets[name] = -(-end // ALIGNMENT) * ALIGNMENT
            end = offsets[name] + math.prod(shape) * dtypes[name].itemsize
        return cls(shapes, dtypes, offsets, input_bytes, end - offsets[LOGITS], end)

    def view(self, buffer: npt.NDArray[np.uint8], name: str) -> npt.NDArray[Any]:
        """A tensor's part of a buffer of bytes, as an array of its shape and dtype."""
        start, shape, dtype = self.offsets[name], self.shapes[name], self.dtypes[name]
        return buffer[start : start + math.prod(shape) * dtype.itemsize].view(dtype).reshape(shape)


class Staging:
    """The two buffers.

    Attributes:
        host: uint8 [bytes], page-locked.
        host_address, device_address: where they begin.
    """

    def __init__(self, device: Device, nbytes: int, undo: ExitStack) -> None:
        """Take the memory; `undo` gives it back.

        Raises:
            BackendError: memory ran out, on the host or on the device.
        """
        runtime = device.runtime
        self.host_address = int(device.check(runtime.cudaMallocHost(nbytes), f"take {nbytes:,} bytes of pinned memory"))
        undo.callback(runtime.cudaFreeHost, self.host_address)
        self.device_address = int(device.check(runtime.cudaMalloc(nbytes), f"take {nbytes:,} bytes of device memory"))
        undo.callback(runtime.cudaFree, self.device_address)
        self.host = np.ctypeslib.as_array((ctypes.c_uint8 * nbytes).from_address(self.host_address))


@dataclass(frozen=True)
class Padded:
    """An array that stands in a corner of a larger one.

    Attributes:
        name: of the input.
        target: the corner: what a call writes.
        whole: all of it.
        pad_value: of the rest.
    """

    name: str
    target: npt.NDArray[Any]
    whole: npt.NDArray[Any]
    pad_value: int

    @classmethod
    def corner(cls, spec: TensorSpec, whole: npt.NDArray[Any], shape: tuple[int, ...], side: str) -> "Padded":
        """The corner for a call's array: rows at the top, tokens on the side that the signature does not pad.

        Args:
            spec: the input.
            whole: the array of the engine's shape.
            shape: of the call's array, on no axis larger.
            side: the signature's padding_side.
        """
        part = tuple(
            slice(full - size, None) if side == "left" and axis == SEQUENCE_AXIS else slice(size)
            for axis, full, size in zip(spec.axes, whole.shape, shape, strict=True)
        )
        return cls(spec.name, whole[part], whole, spec.pad_value)
