"""MinMax: the smallest and the largest value seen."""

from collections.abc import Sequence

from onnx import ModelProto
from pydantic import BaseModel, ConfigDict

from temper.artifacts.signature import Tensors
from temper.quantization.calibration.cache import Collected
from temper.quantization.calibration.ranges import find_extremes
from temper.quantization.calibration.suspicious import by_extremes

LIBRARIES = ("onnx", "onnxruntime")
ROWS_SHARE_CALLS = True


class Options(BaseModel):
    """`calibration_methods.minmax`: no options."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def collect(model: ModelProto, batches: Sequence[Tensors], options: Options) -> Collected:
    """Ranges of every tensor around a product."""
    found = find_extremes(model, batches)
    ends = zip(found.low.tolist(), found.high.tolist(), strict=True)
    return Collected(dict(zip(found.names, ends, strict=True)), None, by_extremes(found))
