"""What TensorRT and TensorRT-RTX have in common, and where they differ. Neither is imported here."""

import platform
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from temper.environment.library import Library, installed_version
from temper.errors import BackendError, Unavailable


@dataclass(frozen=True)
class Api:
    """One library of the family: what its code must know beyond the interface that they share.

    Attributes:
        library: its module and distributions.
        platforms: system and processor, as `platform` names them, that have a build of it.
        builds_without_gpu: whether an engine can be built on a machine without a GPU.
        portable: whether an engine runs on GPUs of another compute capability than it was built on.
        typed_without_flag_from: major version from which every network is strongly typed and the flag for it may be
            absent; None: the flag is always there.
        int8_convolutions: whether it has kernels for convolutions of INT8.
        compiles_at_runtime: whether kernels are compiled where the engine is loaded: then there are a runtime cache
            and a choice of when kernels are specialised for a shape.
        tool: its own command line tool.
        tool_options: of that tool, for what is always on here.
        polygraphy_environment: what stands before `polygraphy` for it to use this library.
        unsupported: why it cannot run on a GPU (version, compute capability), as far as it was seen; None where it can.
    """

    library: Library
    platforms: frozenset[tuple[str, str]]
    builds_without_gpu: bool
    portable: bool
    typed_without_flag_from: int | None
    int8_convolutions: bool
    compiles_at_runtime: bool
    tool: str
    tool_options: tuple[str, ...]
    polygraphy_environment: str
    unsupported: Callable[[str, tuple[int, int]], str | None]

    def check_platform(self) -> None:
        """Raise Unavailable where no build of it can be installed."""
        here = (platform.system(), platform.machine())
        if here not in self.platforms:
            where = ", ".join(" ".join(each) for each in sorted(self.platforms))
            raise Unavailable(f"{self.library.title} has no build for {here[0]} {here[1]}, only for {where}")

    def cuda_major(self) -> int | None:
        """Major version of CUDA that the installed distribution was built for, from its name ('…-cu13'); None: unsaid."""
        for name in self.library.distributions:
            _, _, number = name.rpartition("-cu")
            if number.isdigit() and installed_version(Library(self.library.module, (name,), "")) is not None:
                return int(number)
        return None

    def network_flags(self, trt: Any, loaded: str) -> int:
        """Flags for `create_network`: strongly typed, so that the ONNX file's own types decide every precision.

        Raises:
            BackendError: this version knows no strongly typed networks: it would choose precisions by itself.
        """
        flag = getattr(trt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED", None)
        if flag is not None:
            return 1 << int(flag)
        major = loaded.partition(".")[0]
        known = self.typed_without_flag_from
        if known is not None and major.isdigit() and int(major) >= known:
            return 0
        raise BackendError(
            asked=f"build a strongly typed network with {self.library.title} {loaded}",
            happened="it has no flag STRONGLY_TYPED: it would choose precisions by itself",
            affected="this engine only; nothing was written",
            fix="docs/install.md lists the versions that can be used",
        )


def collect_messages(trt: Any, *, verbose: bool) -> Any:
    """A logger for `trt` that prints warnings and errors, and keeps messages as (severity, text) in `messages`.

    Args:
        trt: the library's module.
        verbose: keep every message, as building needs; else errors only.
    """
    serious = (trt.ILogger.INTERNAL_ERROR, trt.ILogger.ERROR)

    class MessageCollector(trt.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.messages: list[tuple[Any, str]] = []
            self._told = 0

        def log(self, severity: Any, message: str) -> None:
            if verbose or severity in serious:
                self.messages.append((severity, message))
            if severity in serious or severity == trt.ILogger.WARNING:
                print(f"[{severity.name}] {message}", flush=True)

        def errors(self) -> str:
            """Messages of the errors since the last call of it, in one line each; 'no message' where there is none."""
            since, self._told = self.messages[self._told :], len(self.messages)
            found = [" ".join(text.split()) for severity, text in since if severity in serious]
            return "; ".join(dict.fromkeys(found)) or "no message"

    return MessageCollector()
