"""Percentile: the range that holds a stated share of all values, outliers left out."""

from collections.abc import Sequence
from typing import Annotated

from onnx import ModelProto
from pydantic import BaseModel, ConfigDict, Field, PositiveInt

from temper.calibration.cache import Collected
from temper.calibration.ranges import collect_ranges
from temper.signature import Tensors

LIBRARIES = ("onnx", "onnxruntime")


class Options(BaseModel):
    """`calibration_methods.percentile`."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    bins: PositiveInt  # of the histogram of values
    percentile: Annotated[float, Field(gt=50, lt=100)]


def collect(model: ModelProto, batches: Sequence[Tensors], options: Options) -> Collected:
    """Ranges of every tensor around a product."""
    settings = {"num_bins": options.bins, "percentile": options.percentile}
    return collect_ranges(model, batches, method="Percentile", settings=settings)
