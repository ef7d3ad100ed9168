"""What a GPU must have for an engine."""

from collections.abc import Mapping
from typing import Any

from temper.errors import BackendError, Unavailable

# NVIDIA's compute capabilities whose tensor cores multiply FP8: Ada (8.9), Hopper (9.0) and later
FP8_CAPABILITY = (8, 9)


def dotted(capability: tuple[int, int]) -> str:
    """A compute capability as NVIDIA writes it: '8.9'."""
    return ".".join(map(str, capability))


def need_hardware(layers_by_precision: Mapping[str, int], capability: tuple[int, int], gpu: str) -> None:
    """Check that a GPU multiplies in the engine's precisions.

    Args:
        layers_by_precision: of the engine's manifest.
        capability: the GPU's compute capability, major and minor.
        gpu: its name.

    Raises:
        Unavailable: the engine has FP8 layers and the GPU multiplies no FP8.
    """
    layers = layers_by_precision.get("FP8", 0)
    if layers and capability < FP8_CAPABILITY:
        raise Unavailable(
            f"{layers} layers of the engine are FP8, which needs compute capability "
            f"{dotted(FP8_CAPABILITY)} (Ada, Hopper and later); {gpu} has {dotted(capability)}"
        )


def need_same_capability(manifest: Mapping[str, Any], capability: tuple[int, int], gpu: str, folder: str) -> None:
    """Check that an engine that is bound to the GPU it was built on runs on one of that compute capability.

    Args:
        manifest: engine.json; its compute_capability is null for an engine that is not bound.
        capability: the GPU's compute capability, major and minor.
        gpu: its name.
        folder: the engine's.

    Raises:
        BackendError: the GPU has another one.
    """
    recorded = manifest.get("compute_capability")
    if recorded is not None and tuple(recorded) != capability:
        raise BackendError(
            asked=f"run {folder} on {gpu} (compute capability {dotted(capability)})",
            happened=f"the engine was built on {manifest['gpu']} (compute capability "
            f"{dotted((recorded[0], recorded[1]))}), and such an engine runs on no other",
            affected="this record only; nothing was measured",
            fix=f"remove {folder} and run again on this machine: it is built anew for its GPU",
        )
