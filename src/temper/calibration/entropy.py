"""Entropy: the range whose quantised histogram loses least information (Kullback–Leibler), by ONNX Runtime."""

from collections.abc import Sequence

from onnx import ModelProto
from pydantic import BaseModel, ConfigDict, PositiveInt

from temper.calibration.cache import Collected
from temper.calibration.ranges import collect_ranges
from temper.signature import Tensors


class Options(BaseModel):
    """`calibration_methods.entropy`."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    bins: PositiveInt  # of the histogram of values
    quantized_bins: PositiveInt  # of its quantised form


def collect(model: ModelProto, batches: Sequence[Tensors], options: Options) -> Collected:
    """Ranges of every tensor around a product."""
    settings = {"num_bins": options.bins, "num_quantized_bins": options.quantized_bins}
    return collect_ranges(model, batches, method="Entropy", settings=settings)
