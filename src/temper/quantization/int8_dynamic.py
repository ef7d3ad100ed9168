"""Dynamic INT8: weights in 8 bits, activations quantised at run time from each batch's own range."""

import tempfile
from pathlib import Path

import onnx
from onnx import ModelProto
from pydantic import BaseModel, ConfigDict

from temper.quantization.calibration.cache import CalibrationCache

NEEDS_CALIBRATION = False
LIBRARIES = ("onnx", "onnxruntime")


class Options(BaseModel):
    """Options of a precision row whose step is int8_dynamic."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    per_channel: bool


def convert(model: ModelProto, cache: CalibrationCache | None, options: Options) -> ModelProto:
    """A copy whose MatMul weights are INT8."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    del model.graph.value_info[:]  # stale shapes stop the quantiser
    with tempfile.TemporaryDirectory() as scratch:
        target = Path(scratch) / "quantized.onnx"
        quantize_dynamic(
            model,
            str(target),
            per_channel=options.per_channel,
            weight_type=QuantType.QInt8,
            use_external_data_format=True,
        )
        return onnx.load(str(target))
