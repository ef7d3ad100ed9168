"""One NVIDIA GPU through NVIDIA's cuda-bindings: a stream, page-locked and device memory, copies."""

import ctypes
from contextlib import ExitStack
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from temper.errors import BackendError, LibraryError, Unavailable

Bytes = npt.NDArray[np.uint8]


class CudaDevice:
    """A GPU, and a stream of its own on which all copies are queued.

    Attributes:
        kind: 'cuda', as ONNX Runtime calls its memory.
        index: CUDA's number of it.
        stream: address of the stream.
    """

    kind = "cuda"

    def __init__(self, index: int) -> None:
        self.index = index

    def __enter__(self) -> Self:
        """Open the stream.

        Raises:
            Unavailable: CUDA shows no such GPU.
            LibraryError: cuda-bindings is absent.
        """
        try:
            from cuda.bindings import runtime
        except ImportError as error:
            raise LibraryError(
                asked="use NVIDIA's cuda-bindings",
                happened=f"{type(error).__name__}: {error}",
                spoiled="this row only",
                fix="pip install -r requirements/gpu.txt",
            ) from error
        self._cuda = runtime
        failure, count = runtime.cudaGetDeviceCount()
        if int(failure) != 0:
            raise Unavailable(f"CUDA shows no GPU: {self._explain(failure)}")
        if self.index >= count:
            raise Unavailable(f"CUDA shows {count} devices, none with index {self.index}")
        self._check(runtime.cudaSetDevice(self.index), "choose the GPU")
        # beside the legacy stream, which other libraries use: nothing waits for it, and it for nothing
        self._stream = self._check(runtime.cudaStreamCreateWithFlags(runtime.cudaStreamNonBlocking), "open a stream")
        self.stream = int(self._stream)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._cuda.cudaStreamDestroy(self._stream)

    def allocate(self, nbytes: int, undo: ExitStack) -> tuple[Bytes, int]:
        """Page-locked host memory and its twin on the device.

        Args:
            nbytes: of each.
            undo: frees both.

        Returns:
            The host's as uint8 [nbytes], and the address of the device's.

        Raises:
            BackendError: there is not enough; its text says 'out of memory'.
        """
        host = int(self._check(self._cuda.cudaMallocHost(nbytes), f"take {nbytes:,} bytes of page-locked memory"))
        undo.callback(self._cuda.cudaFreeHost, host)
        device = int(self._check(self._cuda.cudaMalloc(nbytes), f"take {nbytes:,} bytes of device memory"))
        undo.callback(self._cuda.cudaFree, device)
        return np.ctypeslib.as_array((ctypes.c_uint8 * nbytes).from_address(host)), device

    def copy_to_device(self, device: int, host: npt.NDArray[Any]) -> None:
        """Queue a copy of a page-locked array to the device's address."""
        kind = self._cuda.cudaMemcpyKind.cudaMemcpyHostToDevice
        copied = self._cuda.cudaMemcpyAsync(device, host.ctypes.data, host.nbytes, kind, self._stream)
        self._check(copied, "copy to the device")

    def copy_to_host(self, host: npt.NDArray[Any], device: int) -> None:
        """Queue a copy from the device's address to a page-locked array."""
        kind = self._cuda.cudaMemcpyKind.cudaMemcpyDeviceToHost
        copied = self._cuda.cudaMemcpyAsync(host.ctypes.data, device, host.nbytes, kind, self._stream)
        self._check(copied, "copy to the host")

    def synchronize(self) -> None:
        """Wait until everything on the stream is done."""
        self._check(self._cuda.cudaStreamSynchronize(self._stream), "wait for the GPU")

    def _explain(self, failure: Any) -> str:
        _, name = self._cuda.cudaGetErrorName(failure)
        _, text = self._cuda.cudaGetErrorString(failure)
        return f"{name.decode()}: {text.decode()}"

    def _check(self, result: tuple[Any, ...], what: str) -> Any:
        """The value of a CUDA call, of which the first item is an error code."""
        failure, *values = result
        if int(failure) != 0:
            raise BackendError(
                asked=f"{what} on GPU {self.index}",
                happened=self._explain(failure),
                spoiled="this record only; nothing was measured",
                fix="run nvidia-smi: is the GPU's memory free, and its driver new enough for this CUDA version?",
            )
        return values[0] if values else None
