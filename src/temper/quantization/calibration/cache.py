"""The calibration cache: activation ranges per tensor, in readable JSON, and what a library made along with them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import onnx
from onnx import ModelProto

from temper.artifacts.manifest import read_manifest

CACHE_FILE, QUANTIZED_FILE = "cache.json", "quantized.onnx"
Ranges = Mapping[str, tuple[float, float]]  # tensor name to smallest and largest value


@dataclass(frozen=True)
class Suspicion:
    """A range that somebody should look at; suspicious.py says when."""

    tensor: str
    what: Literal["dead", "outlier", "saturated", "few values"]
    evidence: str


@dataclass(frozen=True)
class Collected:
    """What a calibration method found.

    Attributes:
        ranges: activation range by tensor name.
        quantized: the quantised model of a library that calibrates and quantises in one go; None elsewhere.
        suspicious: ranges to look at.
    """

    ranges: Ranges
    quantized: ModelProto | None
    suspicious: Sequence[Suspicion]


@dataclass(frozen=True)
class CalibrationCache:
    """A cache as a precision step reads it."""

    method: str
    ranges: Ranges
    quantized: ModelProto | None


def read_cache(folder: str | Path) -> CalibrationCache:
    """Read a cache and check its digests.

    Raises:
        ArtifactError: a file of it is missing or altered.
    """
    folder = Path(folder)
    content: dict[str, Any] = read_manifest(folder / CACHE_FILE, kind="calibration")
    quantized = onnx.load(str(folder / QUANTIZED_FILE)) if content["holds_quantized_model"] else None
    ranges = {name: (float(low), float(high)) for name, (low, high) in content["ranges"].items()}
    return CalibrationCache(content["method"], ranges, quantized)
