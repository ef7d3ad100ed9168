"""FP16 weights and activations; inputs and outputs keep their types."""

from onnx import ModelProto
from pydantic import BaseModel, ConfigDict

from temper.quantization.calibration.cache import CalibrationCache

NEEDS_CALIBRATION = False
LIBRARIES = ("onnx", "onnxruntime")


class Options(BaseModel):
    """Options of a precision row whose step is fp16."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    keep_in_fp32: tuple[str, ...]  # operator types


def convert(model: ModelProto, cache: CalibrationCache | None, options: Options) -> ModelProto:
    """An FP16 copy of an FP32 model, with casts around the operators that stay in FP32."""
    from onnxruntime.quantization.onnx_model import ONNXModel
    from onnxruntime.transformers.float16 import DEFAULT_OP_BLOCK_LIST, convert_float_to_float16

    del model.graph.value_info[:]  # the exporter's shapes are stale once types change
    converted: ModelProto = convert_float_to_float16(
        model, keep_io_types=True, op_block_list=[*DEFAULT_OP_BLOCK_LIST, *options.keep_in_fp32]
    )
    # a tensor that several kept operators read gets its cast once for each, all of one name: one is enough
    nodes = {tuple(node.output): node for node in converted.graph.node}
    del converted.graph.node[:]
    converted.graph.node.extend(nodes.values())
    ONNXModel(converted).topological_sort()  # casts are appended at the end; ONNX demands order
    return converted
