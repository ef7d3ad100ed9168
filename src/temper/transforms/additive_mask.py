"""Attention adds a mask of 0 and a large negative number to its scores instead of asking a boolean one.

A graph step: the precision stays, and so do the answers. TensorRT-RTX makes a list of blocks to skip out of a boolean mask that
the graph computes: seven kernels, where this mask takes one. In a large call skipping may be worth them, in a small one there is
nothing to skip (docs/decisions/0035).
"""

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper, shape_inference
from pydantic import BaseModel, ConfigDict

from temper.quantization.calibration.cache import CalibrationCache
from temper.transforms.graph.probe import Answers
from temper.transforms.graph.refused import refused
from temper.transforms.graph.token_cut import insert_behind

NEEDS_CALIBRATION = False
LIBRARIES = ("onnx", "onnxruntime")

NAME = "additive_mask"
HIDDEN = -10_000.0  # a softmax gives it 0 in every precision, and FP16 holds it (BERT's own code adds the same)
_MASK = 3  # among the inputs of ONNX's Attention


class Options(BaseModel):
    """Options of a precision row whose step is additive_mask."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def convert(model: ModelProto, cache: CalibrationCache | None, options: Options) -> ModelProto:
    """The model with a FP32 mask in front of every Attention that asked a boolean one; one for all that ask the same.

    Raises:
        ArtifactError: no Attention asks a mask that the graph computes, or the answers changed.
    """
    answers, graph = Answers.of(model), model.graph
    types = {
        value.name: value.type.tensor_type.elem_type for value in shape_inference.infer_shapes(model).graph.value_info
    }
    asking = [
        node
        for node in graph.node
        if node.op_type == "Attention" and len(node.input) > _MASK and types.get(node.input[_MASK]) == TensorProto.BOOL
    ]
    if not asking:
        raise refused(
            NAME,
            "no Attention node of this file asks a boolean mask (below opset 23 exporters write attention in parts)",
            "drop the row from params.yaml, or start it from an export of opset 23",
        )
    graph.initializer.append(numpy_helper.from_array(np.asarray(0, np.float32), f"{NAME}_seen"))
    graph.initializer.append(numpy_helper.from_array(np.asarray(HIDDEN, np.float32), f"{NAME}_hidden"))
    behind = {}
    for node in asking:
        mask = node.input[_MASK]
        added = f"{mask}_{NAME}"
        behind[mask] = [helper.make_node("Where", [mask, f"{NAME}_seen", f"{NAME}_hidden"], [added], name=added)]
        node.input[_MASK] = added
    insert_behind(model, behind)
    answers.check(model, NAME)
    return model
