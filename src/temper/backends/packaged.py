"""What of a backend's row the runtime of a package does as it was measured: all else is refused by its name."""

from collections.abc import Mapping
from typing import Any

from temper.backends.onnxruntime import LIBRARY as ONNX_RUNTIME
from temper.backends.openvino import LIBRARY as OPENVINO
from temper.backends.pytorch import LIBRARY as PYTORCH
from temper.engines.tensorrt_rtx import LIBRARY as TENSORRT_RTX
from temper.environment.library import Library
from temper.package.runtime.unpadded import MODES as UNPADDED

RUNNERS: dict[str, Library] = {
    "onnxruntime": ONNX_RUNTIME,
    "openvino": OPENVINO,
    "pytorch": PYTORCH,
    "tensorrt_rtx": TENSORRT_RTX,
}
CPU, EAGER = "CPUExecutionProvider", "eager"


def unsupported(backend: Mapping[str, Any], padding_side: str = "right") -> str | None:
    """What of a backend's row the runtime does not do, in words; None where it does all.

    Args:
        backend: its row.
        padding_side: of the model's signature.
    """
    runner, options = backend["runner"], backend["options"]
    if runner not in RUNNERS:
        return f"its runner is {runner}; the runtime of a package has {', '.join(RUNNERS)}"
    provider, mode = options.get("execution_provider", CPU), options.get("mode", EAGER)
    if provider != CPU:
        return f"its execution_provider is {provider}; the runtime of a package has {CPU}"
    if mode not in (EAGER, *UNPADDED):
        return f"its mode is {mode}; the runtime of a package runs PyTorch's modules as they are ({EAGER}), or without padding"
    if runner == "pytorch" and padding_side == "left":
        return "its rows are padded on the left, where PyTorch's module has to be told each token's position"
    return None
