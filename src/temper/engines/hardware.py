"""What a GPU must have for an engine's layers."""

from collections.abc import Mapping

from temper.errors import Unavailable

# NVIDIA's compute capabilities whose tensor cores multiply FP8: Ada (8.9), Hopper (9.0) and later
FP8_CAPABILITY = (8, 9)


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
            f"{'.'.join(map(str, FP8_CAPABILITY))} (Ada, Hopper and later); {gpu} has {'.'.join(map(str, capability))}"
        )
