"""Static INT8 by Q/DQ nodes, from a calibration cache. It never sees calibration data."""

from collections.abc import Mapping

import numpy as np
from onnx import ModelProto, TensorProto, numpy_helper
from pydantic import BaseModel, ConfigDict, model_validator

from temper.artifacts.onnx_file import QUANTIZABLE
from temper.errors import ArtifactError
from temper.quantization.calibration.cache import CalibrationCache
from temper.quantization.insert import INT8, insert_qdq
from temper.quantization.layers import chosen, give_back, layers

NEEDS_CALIBRATION = True
LIBRARIES = ("onnx", "onnxruntime")


class Options(BaseModel):
    """Options of a precision row whose step is int8_static."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    per_channel: bool  # of weights; a library that quantised by itself has chosen its own way
    symmetric_activations: bool  # zero point 0 and INT8, which is what TensorRT takes
    quantize_outputs: bool  # what products write too, not only what they read; nncf has its own way
    keep_in_float: tuple[str, ...]  # layers (docs/quantising.md says where their names are listed)
    quantize_bias: bool  # as INT32: ONNX Runtime's INT8 convolutions want it, TensorRT's parser refuses it

    @model_validator(mode="after")
    def _inputs_alone_are_symmetric(self) -> "Options":
        if not self.quantize_outputs and not (self.symmetric_activations and not self.quantize_bias):
            raise ValueError(
                "quantize_outputs is false: that placement has symmetric activations and a float bias "
                "(symmetric_activations: true, quantize_bias: false)"
            )
        return self


def signed_activations(model: ModelProto) -> int:
    """Turn UINT8 activations with zero point 0 into INT8, in place; return how many.

    TensorRT reads such a UINT8 zero point as INT8 and saturates the upper half of the range. The same range in INT8
    has the scale 255/127 times as large.

    Raises:
        ArtifactError: an activation has another zero point than 0.
    """
    values = {tensor.name: tensor for tensor in model.graph.initializer}
    _refuse_asymmetric(model, values)
    changed: dict[str, str] = {}
    for node in model.graph.node:
        if node.op_type not in ("QuantizeLinear", "DequantizeLinear") or len(node.input) < 3:
            continue
        scale, zero = values.get(node.input[1]), values.get(node.input[2])
        if scale is None or zero is None or node.input[0] in values:
            continue
        zeros = numpy_helper.to_array(zero)
        if zeros.dtype != np.uint8 or zeros.any():
            continue
        key = f"{scale.name}|{zero.name}"
        if key not in changed:
            changed[key] = f"{scale.name}_int8"
            larger = (numpy_helper.to_array(scale).astype(np.float64) * 255 / 127).astype(np.float32)
            model.graph.initializer.append(numpy_helper.from_array(larger, changed[key]))
            model.graph.initializer.append(
                numpy_helper.from_array(np.zeros_like(zeros, np.int8), f"{changed[key]}_zero")
            )
        node.input[1], node.input[2] = changed[key], f"{changed[key]}_zero"
    used = {name for node in model.graph.node for name in node.input}
    kept = [tensor for tensor in model.graph.initializer if tensor.name in used]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
    return len(changed)


def _refuse_asymmetric(model: ModelProto, values: Mapping[str, TensorProto]) -> None:
    """Raise ArtifactError where an activation has a zero point other than 0: scaling alone cannot make it symmetric."""
    shifted = sorted(
        node.input[0]
        for node in model.graph.node
        if node.op_type == "QuantizeLinear"
        and node.input[0] not in values
        and len(node.input) > 2
        and node.input[2] in values
        and numpy_helper.to_array(values[node.input[2]]).any()
    )
    if shifted:
        raise ArtifactError(
            asked="quantise activations symmetrically",
            happened=f"{len(shifted)} activations have another zero point than 0 ({', '.join(shifted[:3])})",
            affected="this ONNX file and what is made from it; nothing was written",
            fix="set calibration_methods.nncf.preset to performance, or symmetric_activations to false",
        )


def convert(model: ModelProto, cache: CalibrationCache | None, options: Options) -> ModelProto:
    """A copy with Q/DQ nodes around its products, with the cache's ranges."""
    assert cache is not None  # NEEDS_CALIBRATION: planning refuses a row without one
    kept = chosen(layers(model), options.keep_in_float, "keep_in_float")
    reference = ModelProto()
    reference.CopyFrom(model)  # inserting changes the model in place
    if cache.quantized is not None:
        quantized = cache.quantized
    elif options.quantize_outputs:
        quantized = _insert_qdq(model, cache, options)
    else:
        quantized = insert_qdq(model, INT8, cache.ranges, per_channel=options.per_channel, kept=())
    del quantized.graph.value_info[:]  # types have changed
    quantized = give_back(quantized, reference, kept)
    if options.symmetric_activations:
        signed_activations(quantized)
    return quantized


def _insert_qdq(model: ModelProto, cache: CalibrationCache, options: Options) -> ModelProto:
    from onnxruntime.quantization import CalibrationMethod, QuantType
    from onnxruntime.quantization.calibrate import TensorData, TensorsData
    from onnxruntime.quantization.qdq_quantizer import QDQQuantizer

    del model.graph.value_info[:]  # stale shapes stop the quantiser
    ranges = {
        name: TensorData(lowest=np.asarray(low, np.float32), highest=np.asarray(high, np.float32))
        for name, (low, high) in cache.ranges.items()
    }
    quantizer = QDQQuantizer(
        model,
        per_channel=options.per_channel,
        reduce_range=False,
        weight_qType=QuantType.QInt8,
        activation_qType=QuantType.QInt8,
        tensors_range=TensorsData(CalibrationMethod.MinMax, ranges),
        nodes_to_quantize=[],
        nodes_to_exclude=[],
        op_types_to_quantize=list(QUANTIZABLE),
        extra_options={
            "ActivationSymmetric": options.symmetric_activations,
            "WeightSymmetric": True,
            "QuantizeBias": options.quantize_bias,
        },
    )
    quantizer.quantize_model()
    quantizer.model.topological_sort()  # it appends its nodes at the end; ONNX demands order, ONNX Runtime does not
    result: ModelProto = quantizer.model.model
    return result
