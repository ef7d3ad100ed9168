"""Where a graph asks the attention mask, and what a query sees beside it: all keys, those before it, those near it."""

from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from temper.artifacts.signature import Tensors
from temper.lengths.packing import ATTENTION_MASK
from temper.transforms.graph.probe import SIZES, Shape, attribute, example_inputs, values_of
from temper.transforms.graph.token_cut import Reads, Refused

_FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.DOUBLE)
_ASKS = (("Where", 0), ("Attention", 3))  # operators that ask a mask, and where among their inputs


def _masks(model: ModelProto) -> set[str]:
    """The attention mask and what is made of it up to the nodes that ask it.

    Its shape alone is no mask, and no mask are numbers that are no integers: embeddings of places that were counted over it.
    """
    found = {ATTENTION_MASK}
    tables = {tensor.name for tensor in model.graph.initializer if tensor.dims and tensor.data_type in _FLOATS}
    for node in model.graph.node:
        asks = any((node.op_type, at) in _ASKS and name in found for at, name in enumerate(node.input))
        embeds = attribute(node, "to") in _FLOATS if node.op_type == "Cast" else bool(tables.intersection(node.input))
        if node.op_type != "Shape" and not asks and not embeds and found.intersection(node.input):
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


def _whole_row(model: ModelProto, tokens: int) -> Tensors:
    """One row of so many tokens, none of which pads."""
    return {
        value.name: np.ones((1, tokens), helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type))
        for value in model.graph.input
    }


def seen_by_distance(
    model: ModelProto, mask: str, tokens: int, padding_side: str, refused: Refused
) -> npt.NDArray[np.bool_] | None:
    """What a boolean mask shows each query where nothing pads: a causal or local mask, alike at every place of a row.

    Args:
        model: a classifier of texts; it stays as it is.
        mask: [batch, heads or 1, queries or 1, keys], of `mask_readers`.
        tokens: of the row that is asked for.
        padding_side: of rows that the graph answers.
        refused: makes the error out of what happened.

    Returns:
        [1, heads or 1, tokens, tokens]; None where every query sees every key.

    Raises:
        ArtifactError: what a query sees depends on its place, or on more than the keys that pad.
    """
    length = max(tokens, *(size for _, size in SIZES))
    found = values_of(model, [mask], _whole_row(model, length))[mask]
    seen: npt.NDArray[np.bool_] = np.broadcast_to(found, (*found.shape[:2], length, length))
    if not np.array_equal(seen[..., 1:, 1:], seen[..., :-1, :-1]):
        raise refused(f"the mask {mask!r} depends on places in a row, not on how far a key is from its query alone")
    for sizes in SIZES:
        inputs = example_inputs(model, sizes, seed=0, padding_side=padding_side)
        keys: Any = inputs[ATTENTION_MASK] == 1
        expected = seen[..., : sizes[1], : sizes[1]] & keys[:, None, None, :]
        own = np.broadcast_to(values_of(model, [mask], inputs)[mask], expected.shape)
        if not np.array_equal(own & keys[:, None, :, None], expected & keys[:, None, :, None]):
            raise refused(f"the mask {mask!r} hides more than what pads and what is far, in a way that is not known")
    return None if seen.all() else seen[..., :tokens, :tokens]
