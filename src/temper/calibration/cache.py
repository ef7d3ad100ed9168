"""The calibration cache: activation ranges per tensor, in readable JSON, and what a library made along with them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
from onnx import ModelProto

from temper.artifact import read_manifest
from temper.signature import Tensors

CACHE_FILE, QUANTIZED_FILE = "cache.json", "quantized.onnx"
Ranges = Mapping[str, tuple[float, float]]  # tensor name to smallest and largest value


@dataclass(frozen=True)
class Collected:
    """What a calibration method found.

    Attributes:
        ranges: activation range by tensor name.
        quantized: the quantised model of a library that calibrates and quantises in one go; None elsewhere.
    """

    ranges: Ranges
    quantized: ModelProto | None


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


class BatchReader:
    """Calibration batches in the form ONNX Runtime's calibrators read: `get_next` until None."""

    def __init__(self, batches: Sequence[Tensors]) -> None:
        self._batches: Iterator[Tensors] = iter(batches)

    def get_next(self) -> Tensors | None:
        """The next batch, or None after the last."""
        return next(self._batches, None)
