"""Percentile: the range that holds a stated share of all values, outliers left out."""

import math
from collections.abc import Sequence
from typing import Annotated

from onnx import ModelProto
from pydantic import BaseModel, ConfigDict, Field, PositiveInt

from temper.artifacts.signature import Tensors
from temper.quantization.calibration.cache import Collected
from temper.quantization.calibration.ranges import count_histograms, find_extremes
from temper.quantization.calibration.suspicious import percentiles
from temper.quantization.calibration.thresholds import collected

LIBRARIES = ("onnx", "onnxruntime")
ROWS_SHARE_CALLS = True
VALUES_BEYOND = 10  # with fewer values beyond it, a percentile is the accident of single values


class Options(BaseModel):
    """`calibration_methods.percentile`."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    bins: PositiveInt  # of the histogram of |x|
    percentile: Annotated[float, Field(gt=50, lt=100)]  # of |x|

    @property
    def values_needed(self) -> int:
        """Values of a tensor of which VALUES_BEYOND lie beyond the percentile."""
        return math.ceil(VALUES_BEYOND * 100 / (100 - self.percentile))


def collect(model: ModelProto, batches: Sequence[Tensors], options: Options) -> Collected:
    """Ranges of every tensor around a product.

    Raises:
        DataError: every tensor has too few values for the percentile.
    """
    histograms = count_histograms(model, batches, find_extremes(model, batches), options.bins)
    thresholds = percentiles(histograms, options.percentile)
    return collected(
        histograms, thresholds, needed=options.values_needed, method=f"the percentile {options.percentile:g}"
    )
