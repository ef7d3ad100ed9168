"""What an engine library hands over.

A library is a file `temper/engines/<library>.py` with `LIBRARY` (what it needs installed), `build` (ONNX file to
`BuiltEngine`) and `inspect` (serialized engine to `Inspection`). Importing it must not import the library.
"""

from dataclasses import dataclass

from temper.engines.layers import Layer, count_by_precision


@dataclass(frozen=True)
class BuiltEngine:
    """An engine and what its builder said about it."""

    serialized: bytes
    build_seconds: float
    library_version: str
    compute_capability: tuple[int, int] | None  # of the only GPUs that it runs on; None: it is not bound to one
    layers: tuple[Layer, ...]  # as the builder listed them; empty where it printed no listing
    equivalent_commands: dict[str, str]  # command lines for the same engine, by tool

    @property
    def layers_by_precision(self) -> dict[str, int]:
        """Number of layers by precision."""
        return count_by_precision(self.layers)


@dataclass(frozen=True)
class Inspection:
    """What the engine itself says once it is loaded on a GPU; `layers` is None where it could not be asked."""

    layers: tuple[Layer, ...] | None
    reason: str
