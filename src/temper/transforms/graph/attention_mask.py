"""Where a graph asks the attention mask."""

from typing import Any

from onnx import ModelProto, NodeProto, numpy_helper

from temper.lengths.packing import ATTENTION_MASK
from temper.transforms.graph.probe import Shape
from temper.transforms.graph.token_cut import Reads, Refused

_ASKS = (("Where", 0), ("Attention", 3))  # operators that ask a mask, and where among their inputs


def _masks(model: ModelProto) -> set[str]:
    """The attention mask and what is made of it up to the nodes that ask it; its shape alone is no mask."""
    found = {ATTENTION_MASK}
    for node in model.graph.node:
        asks = any((node.op_type, at) in _ASKS and name in found for at, name in enumerate(node.input))
        if node.op_type != "Shape" and not asks and found.intersection(node.input):
            found.update(node.output)
    return found


def _hides(node: NodeProto, values: dict[str, Any]) -> bool:
    """Whether False hides a key: as attention's own mask, or as what chooses a large negative number over 0."""
    return node.op_type == "Attention" or bool(
        {node.input[1], node.input[2]} <= values.keys() and values[node.input[1]] == 0 > values[node.input[2]]
    )


def mask_readers(model: ModelProto, shapes: dict[str, Shape], refused: Refused) -> Reads:
    """Nodes that read a boolean mask [batch, heads or 1, queries, keys] made from attention_mask, with the input's position.

    Args:
        model: an encoder.
        shapes: of every tensor (temper/transforms/graph/probe.py).
        refused: makes the error out of what happened.

    Raises:
        ArtifactError: the mask is read in another way, or not at all.
    """
    masks = _masks(model)
    values = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer if not tensor.dims}
    readers: Reads = []
    for node in model.graph.node:
        for at, name in enumerate(node.input):
            if name not in masks or (node.op_type, at) not in _ASKS:
                continue
            known = len(shapes[name]) == 4 and shapes[name][-1] == shapes[ATTENTION_MASK][1]
            if not (known and _hides(node, values)):
                raise refused(f"{node.name!r} reads the mask {name!r} {shapes[name]} in a way that is not known")
            readers.append((node, at))
    if not readers:
        raise refused("no attention reads a mask of the form that is known")
    return readers
