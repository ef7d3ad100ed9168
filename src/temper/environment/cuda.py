"""NVIDIA's CUDA runtime through cuda-bindings: checked calls, and the GPU that a row asks for. Nothing is imported early."""

import contextlib
import ctypes
import os
from types import ModuleType
from typing import Any, NoReturn

from temper.errors import BackendError, LibraryError, Unavailable

# cudaError_t after which a process can make no further call of CUDA: memory errors, launch failures, ECC
_STICKY = frozenset({214, 700, 702, 710, 714, 715, 716, 717, 718, 719})
_SHARED_RUNTIMES = ("libcudart.so.13", "libcudart.so.12")
_SPOILED = "this record only; nothing was measured"


def import_runtime() -> ModuleType:
    """The module `cuda.bindings.runtime`.

    Raises:
        LibraryError: cuda-bindings is not installed.
    """
    try:
        from cuda.bindings import runtime
    except ImportError as error:
        raise LibraryError(
            asked="use NVIDIA's cuda-bindings",
            happened=f"{type(error).__name__}: {error}",
            affected="this row only",
            fix="pip install -r requirements/gpu.txt",
        ) from error
    module: ModuleType = runtime
    return module


def _version(number: int) -> str:
    """CUDA's version as people write it: 13000 is 13.0."""
    return f"{number // 1000}.{number % 1000 // 10}"


def check_driver(runtime: Any, title: str, cuda_major: int | None) -> None:
    """Check that the driver can serve CUDA's runtime and a library.

    A driver serves every runtime of its own major version and of those before.

    Args:
        runtime: cuda-bindings' module.
        title: the library's name, for messages.
        cuda_major: major version of CUDA that the library was built for; None where it does not say.

    Raises:
        Unavailable: there is no driver, or it is too old.
    """
    try:
        _, offered = runtime.cudaDriverGetVersion()
        _, own = runtime.cudaRuntimeGetVersion()
    except RuntimeError as error:  # the driver's own library is absent
        raise Unavailable(f"no NVIDIA driver ({' '.join(str(error).split())})") from error
    if not offered:
        raise Unavailable("no NVIDIA driver")
    for name, needed in ((title, cuda_major), ("cuda-bindings", int(own) // 1000)):
        if needed is not None and int(offered) // 1000 < needed:
            raise Unavailable(
                f"the driver is too old: it offers CUDA {_version(int(offered))}, and {name} needs CUDA {needed}.0 or later"
            )


class Device:
    """One GPU, chosen for the calling thread, with calls that raise."""

    def __init__(self, runtime: Any, index: int) -> None:
        """Choose the GPU.

        Args:
            runtime: cuda-bindings' module.
            index: CUDA's number of the GPU.

        Raises:
            Unavailable: CUDA shows no such GPU.
            BackendError: it cannot be used.
        """
        self.runtime, self.index = runtime, index
        failure, count = runtime.cudaGetDeviceCount()
        if int(failure) != 0 or index >= count:
            said = "" if int(failure) == 0 else f" ({self._said(failure)})"
            raise Unavailable(f"CUDA shows {count or 0} devices, none with index {index}{said}")
        self.choose()
        properties = self.check(runtime.cudaGetDeviceProperties(index), "ask for the GPU's name")
        self.name = bytes(properties.name).rstrip(b"\0").decode()
        self.uuid = bytes(properties.uuid.bytes).hex()
        self.capability = (int(properties.major), int(properties.minor))

    def choose(self) -> None:
        """Make it the calling thread's GPU: CUDA keeps one for each thread."""
        self.check(self.runtime.cudaSetDevice(self.index), "choose the GPU")

    def check(self, result: tuple[Any, ...], what: str) -> Any:
        """The value of a CUDA call, of which the first item is an error code.

        Raises:
            Unavailable: the GPU failed, and the process can make no further call.
            BackendError: the call failed; 'out of memory' stands in `happened` where memory ran out.
        """
        failure, *values = result
        if int(failure) != 0:
            self.fail(failure, what)
        return values[0] if values else None

    def fail(self, failure: Any, what: str) -> NoReturn:
        """Raise the error of a call that failed; as `check`."""
        if int(failure) in _STICKY:
            raise Unavailable(  # of this process alone: each candidate is measured in processes of its own
                f"GPU {self.index} failed at '{what}' ({self._said(failure)}); CUDA takes no further call of a process after "
                "that. This candidate's own process ended; others were not touched"
            )
        raise BackendError(
            asked=f"{what} on GPU {self.index}",
            happened=self._said(failure),
            affected=_SPOILED,
            fix="run nvidia-smi: is the GPU's memory free, and its driver new enough for this CUDA version?",
        )

    def _said(self, failure: Any) -> str:
        _, name = self.runtime.cudaGetErrorName(failure)
        _, text = self.runtime.cudaGetErrorString(failure)
        return f"{name.decode()}: {text.decode()}"


def current_capability() -> tuple[int, int]:
    """Compute capability of the GPU with CUDA's number 0, on which engines are built.

    Raises:
        LibraryError: cuda-bindings is not installed.
        Unavailable: there is no GPU.
    """
    return Device(import_runtime(), 0).capability


def forget_last_error() -> bool:
    """Take this thread's last error off the CUDA runtime that the libraries of this process share.

    A library that asks about a GPU hidden by CUDA_VISIBLE_DEVICES leaves the refusal there, and the next one that looks for an
    error of its own (PyTorch, ONNX Runtime's CUDA provider) finds it and stops.

    Returns:
        Whether a shared runtime is loaded.
    """
    found = False
    only_loaded: int | None = getattr(os, "RTLD_NOLOAD", None)  # Windows has none
    if only_loaded is None:
        return False
    for name in _SHARED_RUNTIMES:
        with contextlib.suppress(OSError):  # not loaded, and this is no reason to load it
            ctypes.CDLL(name, mode=only_loaded | os.RTLD_NOW).cudaGetLastError()
            found = True
    return found
