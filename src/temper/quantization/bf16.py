"""BF16 weights and activations; inputs and outputs keep their types. BF16 has FP32's range, with 8 bits of precision.

ONNX Runtime computes no BF16 on a CPU, so what the file answers is known only where it was measured. A file quantised to FP8
keeps its FP8: scales become BF16 as what they scale.
"""

import numpy as np
from onnx import GraphProto, ModelProto, TensorProto, helper, numpy_helper
from pydantic import BaseModel, ConfigDict

from temper.errors import ArtifactError
from temper.quantization.calibration.cache import CalibrationCache

NEEDS_CALIBRATION = False
LIBRARIES = ("onnx",)

_LARGEST = 2.0**127 * (2 - 2**-7)  # of BF16


class Options(BaseModel):
    """Options of a precision row whose step is bf16."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def convert(model: ModelProto, cache: CalibrationCache | None, options: Options) -> ModelProto:
    """A BF16 copy of an FP32 model.

    Raises:
        ArtifactError: the file is quantised to integers, holds FP16 weights, or has branches.
    """
    graph = model.graph
    _refuse(graph)
    del graph.value_info[:]  # shapes with types that are no longer so
    for tensor in graph.initializer:
        if tensor.data_type == TensorProto.FLOAT:
            tensor.CopyFrom(_bfloat16(tensor))
    nodes = []
    for value in graph.input:
        if value.type.tensor_type.elem_type == TensorProto.FLOAT:
            name = f"{value.name}_bf16"
            for node in graph.node:
                for at, read in enumerate(node.input):
                    node.input[at] = name if read == value.name else read
            nodes.append(helper.make_node("Cast", [value.name], [name], name=name, to=TensorProto.BFLOAT16))
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.name == "to" and node.op_type == "Cast" and attribute.i == TensorProto.FLOAT:
                attribute.i = TensorProto.BFLOAT16
            if attribute.HasField("t") and attribute.t.data_type == TensorProto.FLOAT:
                attribute.t.CopyFrom(_bfloat16(attribute.t))
        nodes.append(node)
    for value in graph.output:
        if value.type.tensor_type.elem_type == TensorProto.FLOAT:
            name = f"{value.name}_bf16"
            for node in nodes:
                for at, made in enumerate(node.output):
                    node.output[at] = name if made == value.name else made
                for at, read in enumerate(node.input):
                    node.input[at] = name if read == value.name else read
            nodes.append(helper.make_node("Cast", [name], [value.name], name=f"{name}_to_fp32", to=TensorProto.FLOAT))
    copies = [type(node).FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:]
    graph.node.extend(copies)
    return model


def _refuse(graph: GraphProto) -> None:
    floats = {tensor.name for tensor in graph.initializer if tensor.data_type == TensorProto.FLOAT8E4M3FN}
    quantized = sum(
        node.op_type in ("QuantizeLinear", "DequantizeLinear") and not floats.intersection(node.input[2:])
        for node in graph.node
    )
    halves = sum(tensor.data_type == TensorProto.FLOAT16 for tensor in graph.initializer)
    branches = [node.name for node in graph.node if any(each.HasField("g") or each.graphs for each in node.attribute)]
    if quantized or halves or branches:
        raise ArtifactError(
            asked="make a BF16 file",
            happened=f"the file has {quantized} nodes that quantise to integers"
            if quantized
            else f"the file has {halves} weights in FP16"
            if halves
            else f"{branches[0]!r} has a branch of the graph in it",
            affected="this ONNX file and what is made from it; nothing was written",
            fix="start the row from an FP32 file without them",
        )


def _bfloat16(tensor: TensorProto) -> TensorProto:
    """The nearest finite BF16 values, ties to even (IEEE 754): a mask's −3.4e38 must not become infinite."""
    values = np.clip(numpy_helper.to_array(tensor), -_LARGEST, _LARGEST)
    bits = np.asarray(values, np.float32, order="C").view(np.uint32)
    rounded = ((bits + (((bits >> 16) & 1) + np.uint32(0x7FFF))) >> 16).astype(np.uint16)
    return helper.make_tensor(tensor.name, TensorProto.BFLOAT16, tensor.dims, rounded.tobytes(), raw=True)
