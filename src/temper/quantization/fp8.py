"""FP8 (E4M3) by Q/DQ nodes, from a calibration cache: for GPUs that multiply it (compute capability 8.9 and above)."""

from onnx import ModelProto
from pydantic import BaseModel, ConfigDict

from temper.quantization.calibration.cache import CalibrationCache
from temper.quantization.insert import FP8, insert_qdq
from temper.quantization.layers import chosen, layers

NEEDS_CALIBRATION = True
LIBRARIES = ("onnx",)


class Options(BaseModel):
    """Options of a precision row whose step is fp8."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    per_channel: bool  # of weights
    keep_in_float: tuple[str, ...]  # layers


def convert(model: ModelProto, cache: CalibrationCache | None, options: Options) -> ModelProto:
    """A copy whose products read activations and weights that go through FP8, scaled so that each range just fits.

    The format is E4M3 of Micikevicius et al. 2022, 'FP8 Formats for Deep Learning', whose largest value is 448.
    """
    assert cache is not None  # NEEDS_CALIBRATION: planning refuses a row without one
    kept = chosen(layers(model), options.keep_in_float, "keep_in_float")
    return insert_qdq(model, FP8, cache.ranges, per_channel=options.per_channel, kept={layer.node for layer in kept})
