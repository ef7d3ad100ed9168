"""MinMax: the smallest and the largest value seen."""

from collections.abc import Sequence

from onnx import ModelProto
from pydantic import BaseModel, ConfigDict

from temper.calibration.cache import Collected
from temper.calibration.ranges import collect_ranges
from temper.signature import Tensors

LIBRARIES = ("onnx", "onnxruntime")


class Options(BaseModel):
    """`calibration_methods.minmax`: no options."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def collect(model: ModelProto, batches: Sequence[Tensors], options: Options) -> Collected:
    """Ranges of every tensor around a product."""
    return collect_ranges(model, batches, method="MinMax", settings={})
