"""Moving average: smallest and largest value of each call, averaged exponentially over the calls, a row each.

Jacob et al., 'Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference' (2018), 3.1;
PyTorch's MovingAverageMinMaxObserver.
"""

from collections.abc import Sequence
from typing import Annotated

import numpy as np
from onnx import ModelProto
from pydantic import BaseModel, ConfigDict, Field

from temper.artifacts.signature import Tensors
from temper.quantization.calibration.cache import Collected
from temper.quantization.calibration.ranges import Floats, find_extremes
from temper.quantization.calibration.suspicious import by_extremes

LIBRARIES = ("onnx", "onnxruntime")
ROWS_SHARE_CALLS = False  # a call is a step of the average


class Options(BaseModel):
    """`calibration_methods.moving_average`."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    constant: Annotated[float, Field(gt=0, le=1)]  # weight of the newest call


def averaged(values: Floats, constant: float) -> Floats:
    """x ← x + constant · (newest − x), from the first call on; values are [calls, tensors], the result [tensors]."""
    running = np.array(values[0], np.float64)
    for newest in values[1:]:
        running += constant * (newest - running)
    return running


def collect(model: ModelProto, batches: Sequence[Tensors], options: Options) -> Collected:
    """Ranges of every tensor around a product."""
    found = find_extremes(model, batches)
    lows, highs = (averaged(values, options.constant).tolist() for values in (found.lows, found.highs))
    return Collected(dict(zip(found.names, zip(lows, highs, strict=True), strict=True)), None, by_extremes(found))
