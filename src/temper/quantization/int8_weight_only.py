"""Weights stored in INT8, activations in float: a quarter of the size, and no calibration."""

from onnx import ModelProto
from pydantic import BaseModel, ConfigDict

from temper.quantization.calibration.cache import CalibrationCache
from temper.quantization.insert import INT8, insert_qdq
from temper.quantization.layers import chosen, layers

NEEDS_CALIBRATION = False
LIBRARIES = ("onnx",)


class Options(BaseModel):
    """Options of a precision row whose step is int8_weight_only."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    per_channel: bool
    keep_in_float: tuple[str, ...]  # layers


def convert(model: ModelProto, cache: CalibrationCache | None, options: Options) -> ModelProto:
    """A copy in which the weight of every product is INT8 and goes through DequantizeLinear."""
    kept = chosen(layers(model), options.keep_in_float, "keep_in_float")
    return insert_qdq(model, INT8, None, per_channel=options.per_channel, kept={layer.node for layer in kept})
