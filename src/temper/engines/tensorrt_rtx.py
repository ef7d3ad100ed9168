"""TensorRT-RTX: an ONNX file in, an engine out. Builds on machines without a GPU; only executing an engine needs one."""

from pathlib import Path

from temper.artifacts.signature import Signature
from temper.engines.engine import BuiltEngine, Inspection
from temper.engines.profile import Profiles
from temper.engines.tensorrt_api import Api
from temper.engines.tensorrt_build import build_with, inspect_with
from temper.environment.library import Library

LIBRARY = Library("tensorrt_rtx", ("tensorrt-rtx-cu13", "tensorrt-rtx-cu12"), "TensorRT-RTX")
_LOWEST_CAPABILITY = (7, 5)
_WITHOUT_HOPPER = (1, 7)  # the first version that was seen to refuse it


def _unsupported(version: str, capability: tuple[int, int]) -> str | None:
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if capability < _LOWEST_CAPABILITY:
        return "it runs on compute capability 7.5 and later"
    if capability == (9, 0) and numbers >= _WITHOUT_HOPPER:
        return "from 1.7 on it refuses compute capability 9.0 (Hopper), on which 1.6 still runs"
    return None


API = Api(
    library=LIBRARY,
    platforms=frozenset({("Linux", "x86_64"), ("Windows", "AMD64")}),
    builds_without_gpu=True,
    portable=True,
    typed_without_flag_from=None,
    int8_convolutions=False,
    compiles_at_runtime=True,
    tool="tensorrt_rtx",
    tool_options=(),
    polygraphy_environment="POLYGRAPHY_USE_TENSORRT_RTX=1",
    unsupported=_unsupported,
)


def build(*, onnx_path: str | Path, signature: Signature, profiles: Profiles, version: str) -> BuiltEngine:
    """Build an engine; arguments and errors as `build_with`."""
    return build_with(API, onnx_path=Path(onnx_path), signature=signature, profiles=profiles, version=version)


def inspect(serialized: bytes, version: str) -> Inspection:
    """Layers of an engine in its own words; as `inspect_with`."""
    return inspect_with(API, serialized, version)
