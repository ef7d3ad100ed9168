"""NNCF post-training quantisation: ranges, bias correction and, for transformers, activation smoothing in one go."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from onnx import ModelProto, numpy_helper
from pydantic import BaseModel, ConfigDict

from temper.calibration.cache import Collected
from temper.signature import Tensors

LIBRARIES = ("onnx", "onnxruntime", "nncf")


class Options(BaseModel):
    """`calibration_methods.nncf`."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    preset: Literal["performance", "mixed"]  # symmetric activations, or asymmetric where values are not centred
    model_type: Literal["transformer", "other"]
    fast_bias_correction: bool


def quantizer_ranges(model: ModelProto) -> dict[str, tuple[float, float]]:
    """Range of every activation that goes through QuantizeLinear, from its scale and zero point."""
    values = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    ranges = {}
    for node in model.graph.node:
        if node.op_type != "QuantizeLinear" or node.input[0] in values:
            continue
        scale, zero = values[node.input[1]].astype(np.float64), values[node.input[2]]
        limits = np.iinfo(zero.dtype)
        low = (limits.min - zero.astype(np.float64)) * scale
        high = (limits.max - zero.astype(np.float64)) * scale
        ranges[node.input[0]] = (float(low.min()), float(high.max()))
    return ranges


def collect(model: ModelProto, batches: Sequence[Tensors], options: Options) -> Collected:
    """Quantise a copy of the model over the batches and read the ranges from it."""
    import nncf

    preset = {"performance": nncf.QuantizationPreset.PERFORMANCE, "mixed": nncf.QuantizationPreset.MIXED}
    copy = ModelProto()
    copy.CopyFrom(model)
    quantized: ModelProto = nncf.quantize(
        copy,
        nncf.Dataset([dict(batch) for batch in batches]),
        preset=preset[options.preset],
        model_type=nncf.ModelType.TRANSFORMER if options.model_type == "transformer" else None,
        subset_size=len(batches),
        fast_bias_correction=options.fast_bias_correction,
    )
    return Collected(quantizer_ranges(quantized), quantized)
