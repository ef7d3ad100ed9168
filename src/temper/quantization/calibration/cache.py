"""The calibration cache: activation ranges per tensor, in readable JSON, and what a library made along with them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from onnx import ModelProto

from temper.artifacts.manifest import read_manifest
from temper.artifacts.onnx_file import read_model
from temper.errors import ArtifactError

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
    try:
        ranges = {name: (float(low), float(high)) for name, (low, high) in content["ranges"].items()}
        if not all(math.isfinite(low) and low <= high for low, high in ranges.values()):
            raise ValueError("a range is not finite, or ends before it begins")
        method, holds = str(content["method"]), bool(content["holds_quantized_model"])
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise ArtifactError(
            asked=f"read the calibration cache in {folder}",
            happened=f"{type(error).__name__}: {error}",
            affected="every precision that is made of it; nothing was written",
            fix="temper sync: puts it back from DVC's cache, or moves it out of the way for the next run to make anew",
        ) from None
    return CalibrationCache(method, ranges, read_model(folder / QUANTIZED_FILE) if holds else None)
