"""Rotary embeddings as every runtime takes them: ONNX asks for a table for each row, PyTorch's exporter writes one for all."""

from onnx import ModelProto, TensorProto, helper

_NAME = "rotary_for_each_row"


def repeat_tables(model: ModelProto) -> int:
    """Let the cosines and sines of each RotaryEmbedding be as many as the rows, in place.

    By the operator's definition (opset 23) its caches are [batch, sequence, half a head] where no positions are given. PyTorch
    2.13 writes [1, sequence, half a head], which ONNX Runtime refuses for any batch but one.

    Returns:
        How many nodes were changed.
    """
    found = [node for node in model.graph.node if node.op_type == "RotaryEmbedding" and len(node.input) == 3]
    if not found:
        return 0
    ones = f"{_NAME}_ones"
    model.graph.initializer.append(helper.make_tensor(ones, TensorProto.INT64, [2], [1, 1]))
    nodes = []
    for node in model.graph.node:
        if node in found:
            rows, shape = f"{node.name}_{_NAME}_rows", f"{node.name}_{_NAME}_shape"
            nodes.append(helper.make_node("Shape", [node.input[0]], [rows], name=rows, start=0, end=1))
            nodes.append(helper.make_node("Concat", [rows, ones], [shape], name=shape, axis=0))
            for place in (1, 2):
                whole = f"{node.name}_{_NAME}_{place}"
                nodes.append(helper.make_node("Expand", [node.input[place], shape], [whole], name=whole))
                node.input[place] = whole
        nodes.append(node)
    kept = [type(node).FromString(node.SerializeToString()) for node in nodes]
    del model.graph.node[:]
    model.graph.node.extend(kept)
    return len(found)
