"""Classifiers of a few nodes over hidden states [batch, token, feature], written by the tests that cut them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnxruntime
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from temper.errors import ArtifactError

FEATURES = 4
Node = tuple[str, Sequence[str], str] | tuple[str, Sequence[str], str, Mapping[str, Any]]


def graph_of(
    nodes: Sequence[Node], constants: Mapping[str, Any], *, mask: bool = False, ids: bool = False
) -> ModelProto:
    """A model from `x` float32 [batch, token, FEATURES], and attention_mask and input_ids int64 [batch, token], to `logits`.

    Args:
        nodes: operator, inputs, output, attributes.
        constants: by name.
        mask: whether there is an attention_mask.
        ids: whether there are input_ids.
    """
    made = [helper.make_node(node[0], node[1], [node[2]], name=node[2], **dict(*node[3:])) for node in nodes]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch_size", "sequence_length", FEATURES])]
    axes = ["batch_size", "sequence_length"]
    for name, there in (("attention_mask", mask), ("input_ids", ids)):
        if there:
            inputs.append(helper.make_tensor_value_info(name, TensorProto.INT64, axes))
    graph = helper.make_graph(
        made,
        "small",
        inputs,
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def run(model: ModelProto, inputs: Mapping[str, Any]) -> Any:
    """The logits."""
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(["logits"], dict(inputs))[0]


def refused(happened: str) -> ArtifactError:
    return ArtifactError(asked="cut it", happened=happened, affected="nothing", fix="none")


def node_named(model: ModelProto, name: str) -> NodeProto:
    return next(node for node in model.graph.node if node.name == name)
