"""Entropy: the range whose quantised histogram loses least information (Kullback–Leibler), by ONNX Runtime."""

from collections.abc import Sequence

from onnx import ModelProto
from pydantic import BaseModel, ConfigDict, PositiveInt, model_validator

from temper.calibration.cache import Collected
from temper.calibration.ranges import collect_ranges
from temper.signature import Tensors

LIBRARIES = ("onnx", "onnxruntime")


class Options(BaseModel):
    """`calibration_methods.entropy`."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    bins: PositiveInt  # of the histogram of values
    quantized_bins: PositiveInt  # of its quantised form

    @model_validator(mode="after")
    def _bins_can_be_merged(self) -> "Options":
        if self.quantized_bins > self.bins:
            raise ValueError(f"quantized_bins is {self.quantized_bins}, more than the {self.bins} bins it merges")
        return self


def collect(model: ModelProto, batches: Sequence[Tensors], options: Options) -> Collected:
    """Ranges of every tensor around a product."""
    settings = {"num_bins": options.bins, "num_quantized_bins": options.quantized_bins}
    return collect_ranges(model, batches, method="Entropy", settings=settings)
