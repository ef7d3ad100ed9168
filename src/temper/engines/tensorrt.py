"""TensorRT 10 and 11: an ONNX file in, an engine out, on the GPU that is to run it.

It shares all its code with TensorRT-RTX, which is tested for real; this library itself was never run (docs/install.md).
"""

from pathlib import Path

from temper.artifacts.signature import Signature
from temper.engines.engine import BuiltEngine, Inspection
from temper.engines.profile import Profiles
from temper.engines.tensorrt_api import Api
from temper.engines.tensorrt_build import build_with, inspect_with
from temper.environment.library import Library

LIBRARY = Library("tensorrt", ("tensorrt-cu13", "tensorrt-cu12", "tensorrt"), "TensorRT")
_LOWEST_CAPABILITY = (7, 5)


def _unsupported(version: str, capability: tuple[int, int]) -> str | None:
    return "it runs on compute capability 7.5 and later" if capability < _LOWEST_CAPABILITY else None


API = Api(
    library=LIBRARY,
    platforms=frozenset({("Linux", "x86_64"), ("Linux", "aarch64"), ("Windows", "AMD64")}),
    builds_without_gpu=False,
    portable=False,
    typed_without_flag_from=11,
    int8_convolutions=True,
    compiles_at_runtime=False,
    tool="trtexec",
    tool_options=("--stronglyTyped",),
    polygraphy_environment="",
    unsupported=_unsupported,
)


def build(*, onnx_path: str | Path, signature: Signature, profiles: Profiles, version: str) -> BuiltEngine:
    """Build an engine; arguments and errors as `build_with`."""
    return build_with(API, onnx_path=Path(onnx_path), signature=signature, profiles=profiles, version=version)


def inspect(serialized: bytes, version: str) -> Inspection:
    """Layers of an engine in its own words; as `inspect_with`."""
    return inspect_with(API, serialized, version)
