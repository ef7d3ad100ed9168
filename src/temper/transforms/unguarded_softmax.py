"""Softmax without the guard that turns a row of NaN into zeros: a row that attends to one token at least has none.

A graph step: the precision stays, and so do the answers. PyTorch's export guards every attention below opset 23.
"""

from onnx import ModelProto
from pydantic import BaseModel, ConfigDict

from temper.quantization.calibration.cache import CalibrationCache
from temper.transforms.graph.probe import Answers
from temper.transforms.graph.refused import refused

NEEDS_CALIBRATION = False
LIBRARIES = ("onnx", "onnxruntime")


class Options(BaseModel):
    """Options of a precision row whose step is unguarded_softmax."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def convert(model: ModelProto, cache: CalibrationCache | None, options: Options) -> ModelProto:
    """The model with every Where(IsNaN(p), …, p) behind a Softmax p replaced by p.

    Raises:
        ArtifactError: there is no such guard, or the answers changed.
    """
    answers, graph = Answers.of(model), model.graph
    made_by = {name: node for node in graph.node for name in node.output}
    unguarded = {}
    for node in graph.node:
        test = made_by.get(node.input[0]) if node.op_type == "Where" else None
        guarded = made_by.get(node.input[2]) if test is not None else None
        if (
            test is not None
            and guarded is not None
            and test.op_type == "IsNaN"
            and guarded.op_type == "Softmax"
            and test.input[0] == node.input[2]
        ):
            unguarded[node.output[0]] = node.input[2]
    if not unguarded:
        raise refused(
            "unguarded_softmax",
            "no Softmax of this file has a guard against NaN",
            "drop the row from params.yaml, or where a recipe brought it say `openvino-int8-fast: null` in candidates; or "
            "start it from an export below opset 23",
        )
    for node in graph.node:
        for at, name in enumerate(node.input):
            if name in unguarded:
                node.input[at] = unguarded[name]
    for node in [node for node in graph.node if node.output[0] in unguarded]:
        graph.node.remove(node)
    read = {name for node in graph.node for name in node.input} | {value.name for value in graph.output}
    for node in [node for node in graph.node if node.op_type == "IsNaN" and node.output[0] not in read]:
        graph.node.remove(node)
    answers.check(model, "unguarded_softmax")
    return model
