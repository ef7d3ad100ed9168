"""NNCF post-training quantisation: ranges, bias correction and, for transformers, activation smoothing in one go."""

from collections.abc import Sequence
from typing import Annotated, Literal, Self

import numpy as np
from onnx import ModelProto, numpy_helper
from pydantic import BaseModel, ConfigDict, Field, model_validator

from temper.artifacts.onnx_file import PROTOBUF_LIMIT_BYTES, weight_bytes
from temper.artifacts.signature import Tensors
from temper.errors import ArtifactError
from temper.quantization.calibration.cache import Collected
from temper.quantization.calibration.ranges import NOTHING_WRITTEN, find_extremes
from temper.quantization.calibration.suspicious import by_extremes

LIBRARIES = ("onnx", "onnxruntime", "nncf")
ROWS_SHARE_CALLS = False  # NNCF takes the mean of each call's range
NOT_SMOOTHED = -1.0  # NNCF's word for it


class Options(BaseModel):
    """`calibration_methods.nncf`."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    preset: Literal["performance", "mixed"]  # symmetric activations, or asymmetric where values are not centred
    model_type: Literal["transformer", "other"]
    fast_bias_correction: bool
    # strength of SmoothQuant (Xiao et al. 2023), which moves outliers of activations into weights; null: none
    smooth_quant_alpha: Annotated[float, Field(ge=0, le=1)] | None

    @model_validator(mode="after")
    def _only_transformers_are_smoothed(self) -> Self:
        if self.smooth_quant_alpha is not None and self.model_type != "transformer":
            raise ValueError(
                f"smooth_quant_alpha is {self.smooth_quant_alpha}, but NNCF smooths nothing where model_type is "
                f"{self.model_type}: give null"
            )
        return self


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
    return quantize(model, batches, options, correct_biases=True)


def quantize(model: ModelProto, batches: Sequence[Tensors], options: Options, *, correct_biases: bool) -> Collected:
    """What NNCF makes of a copy of the model.

    The first pass of the other methods comes before, for what NNCF does not look at: NaN, dead tensors, outliers.

    Raises:
        ArtifactError: the model does not go into one protobuf message.
    """
    if weight_bytes(model) >= PROTOBUF_LIMIT_BYTES:
        raise ArtifactError(
            asked="calibrate with NNCF",
            happened=f"the model has {weight_bytes(model) / 1024**3:.1f} GiB of weights, and NNCF passes models on in one "
            "protobuf message, which holds 2 GiB",
            affected=NOTHING_WRITTEN,
            fix="set method of this row of calibrations to percentile, entropy, minmax or moving_average, which read the file",
        )
    import nncf

    found = find_extremes(model, batches)
    alpha = NOT_SMOOTHED if options.smooth_quant_alpha is None else options.smooth_quant_alpha
    preset = {"performance": nncf.QuantizationPreset.PERFORMANCE, "mixed": nncf.QuantizationPreset.MIXED}
    copy = ModelProto()
    copy.CopyFrom(model)
    quantized: ModelProto = nncf.quantize(
        copy,
        nncf.Dataset(batches, dict),
        preset=preset[options.preset],
        model_type=nncf.ModelType.TRANSFORMER if options.model_type == "transformer" else None,
        subset_size=len(batches),
        fast_bias_correction=options.fast_bias_correction,
        advanced_parameters=nncf.AdvancedQuantizationParameters(
            disable_bias_correction=not correct_biases,
            smooth_quant_alphas=nncf.AdvancedSmoothQuantParameters(convolution=NOT_SMOOTHED, matmul=alpha),
        ),
    )
    return Collected(quantizer_ranges(quantized), quantized, by_extremes(found))
