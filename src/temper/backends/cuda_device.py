"""One NVIDIA GPU with a stream of its own, on which a session's copies are queued."""

from contextlib import ExitStack
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from temper.backends.staging import Staging
from temper.environment.cuda import Device, check_driver, import_runtime

Bytes = npt.NDArray[np.uint8]


class CudaDevice:
    """A GPU and its stream.

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
            Unavailable: there is no driver, or CUDA shows no such GPU.
            LibraryError: cuda-bindings is absent.
        """
        self._cuda: Any = import_runtime()
        check_driver(self._cuda, "ONNX Runtime", None)
        self._device = Device(self._cuda, self.index)
        # beside the legacy stream, which other libraries use: nothing waits for it, and it for nothing
        flags = self._cuda.cudaStreamNonBlocking
        self._stream = self._device.check(self._cuda.cudaStreamCreateWithFlags(flags), "open a stream")
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
        staging = Staging(self._device, nbytes, undo)
        return staging.host, staging.device_address

    def copy_to_device(self, device: int, host: npt.NDArray[Any]) -> None:
        """Queue a copy of a page-locked array to the device's address."""
        kind = self._cuda.cudaMemcpyKind.cudaMemcpyHostToDevice
        copied = self._cuda.cudaMemcpyAsync(device, host.ctypes.data, host.nbytes, kind, self._stream)
        self._device.check(copied, "copy to the device")

    def copy_to_host(self, host: npt.NDArray[Any], device: int) -> None:
        """Queue a copy from the device's address to a page-locked array."""
        kind = self._cuda.cudaMemcpyKind.cudaMemcpyDeviceToHost
        copied = self._cuda.cudaMemcpyAsync(host.ctypes.data, device, host.nbytes, kind, self._stream)
        self._device.check(copied, "copy to the host")

    def synchronize(self) -> None:
        """Wait until everything on the stream is done."""
        self._device.check(self._cuda.cudaStreamSynchronize(self._stream), "wait for the GPU")
