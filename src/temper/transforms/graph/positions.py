"""Where a graph counts the places of a row's tokens, and who reads them: tables, rotary embeddings.

Told by what tensors hold on made-up rows, not by the nodes that make them: some networks count columns, some the tokens that the
attention mask shows, some those that are no padding by their id.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import ModelProto, NodeProto, helper

from temper.artifacts.signature import Tensors
from temper.lengths.packing import ATTENTION_MASK
from temper.transforms.graph.last_token import INPUT_IDS
from temper.transforms.graph.probe import SIZES, Shape, example_inputs, values_of
from temper.transforms.graph.prune import reads
from temper.transforms.graph.token_cut import Reads, Refused

_ROWS = 2  # of the call that fixed tensors are computed for


@dataclass(frozen=True)
class Places:
    """A tensor of integers that holds the place of each token in its row, counted from any number.

    Attributes:
        axis: of the tokens; axis 0 is 1 or the batch, all others are 1.
        rank: of the tensor.
        readers: nodes that make something else of it, with the input's position.
        first: what a row's first token has.
        dtype: of the tensor.
    """

    axis: int
    rank: int
    readers: Reads
    first: int
    dtype: np.dtype[Any]


def live_nodes(model: ModelProto, replaced: Reads) -> set[str]:
    """Nodes that the answers would still be made of if some inputs were others, by the name of their first output.

    Args:
        model: of any task; it stays as it is.
        replaced: nodes with the position of the input that they would not read any more.
    """
    left_out = {(node.output[0], at) for node, at in replaced}
    wanted, found = {value.name for value in model.graph.output}, set[str]()
    for node in reversed(model.graph.node):
        if wanted.intersection(node.output):
            found.add(node.output[0])
            inner = reads(node) - set(node.input)
            own = {name for at, name in enumerate(node.input) if (node.output[0], at) not in left_out}
            wanted |= inner | own
    return found


def _rows(model: ModelProto, sizes: tuple[int, int], padding_side: str) -> Tensors:
    """Rows of several lengths, the longest first; ids of the upper half, where seldom a token pads."""
    inputs = dict(example_inputs(model, sizes, seed=0, padding_side=padding_side))
    length: int = inputs[ATTENTION_MASK].shape[1]
    lengths = np.maximum(length - 2 * np.arange(sizes[0]), 1)
    rows = np.arange(length) < lengths[:, None]
    mask = rows if padding_side == "right" else rows[:, ::-1]
    inputs[ATTENTION_MASK] = mask.astype(inputs[ATTENTION_MASK].dtype)
    if INPUT_IDS in inputs:
        ids: Any = inputs[INPUT_IDS]
        inputs[INPUT_IDS] = np.maximum(ids, ids.max() // 2 + 1)
    return inputs


def _holds_one_each(shape: Shape, shapes: dict[str, Shape]) -> bool:
    """Whether a tensor has one number for each token, of each row or of all alike."""
    rows, tokens = shapes[ATTENTION_MASK]
    return shape.count(tokens) == 1 and all(
        size in (1, tokens) or (at == 0 and size == rows) for at, size in enumerate(shape)
    )


def _takes_several_rows(node: NodeProto, shapes: dict[str, Shape]) -> bool:
    """Whether a reader of places takes those of several rows where it took one row's for all; `check_places` sees the others.

    BERT reads its one row of token types, which are all the same, at one row's places; MPNet makes distances of them.
    """
    one_row = node.op_type == "GatherElements" and shapes[node.input[0]][0] == 1
    pairs = shapes.get(node.output[0], ()).count(shapes[ATTENTION_MASK][1]) > 1
    return node.op_type != "Shape" and not one_row and not pairs


def _first(values: Any, mask: Any) -> int | None:
    """What the first token of each row has, where the others follow one by one; None where they do not."""
    if not np.issubdtype(values.dtype, np.integer):
        return None
    places = np.arange(mask.shape[1]) - mask.argmax(axis=1)[:, None]
    found = set((values.reshape(-1, mask.shape[1]) - places)[mask == 1].tolist())
    return int(found.pop()) if len(found) == 1 else None


def counted_places(model: ModelProto, shapes: dict[str, Shape], live: set[str], padding_side: str) -> list[Places]:
    """Tensors that count the places of a row's tokens, each with those who make something else of it.

    Args:
        model: a classifier of texts; it stays as it is.
        shapes: of every tensor (temper/transforms/graph/probe.py).
        live: nodes to look at, by their first output.
        padding_side: of rows that the graph answers.
    """
    made = [node for node in model.graph.node if node.output[0] in live]
    names = [name for node in made for name in node.output if _holds_one_each(shapes.get(name, ()), shapes)]
    if not names:
        return []
    calls = [_rows(model, sizes, padding_side) for sizes in SIZES]
    ran = [values_of(model, names, call) for call in calls]
    found: dict[str, int] = {}
    for name in names:
        firsts = [_first(own[name], call[ATTENTION_MASK]) for own, call in zip(ran, calls, strict=True)]
        if firsts[0] is not None and len(set(firsts)) == 1:
            found[name] = firsts[0]
    places = []
    for name, first in found.items():
        axis = shapes[name].index(shapes[ATTENTION_MASK][1])
        readers = [
            (node, at)
            for node in made
            for at, read in enumerate(node.input)
            if read == name and not found.keys() & set(node.output) and _takes_several_rows(node, shapes)
        ]
        if readers and axis > 0:  # places of one row for all are read as such; `check_places` is there for them
            places.append(Places(axis, len(shapes[name]), readers, first, ran[0][name].dtype))
    return places


def check_places(model: ModelProto, shapes: dict[str, Shape], refused: Refused) -> None:
    """Check that nothing is left that tells the places of a row apart; distances may be told, for sentences keep them.

    Args:
        model: behind all changes, its rows of a fixed size.
        shapes: of every tensor before them, by which axes of tokens are known.
        refused: makes the error out of what happened.

    Raises:
        ArtifactError: a tensor that depends on sizes alone differs from place to place, and meets what is made of tokens.
    """
    tokens = shapes[ATTENTION_MASK][1]
    varying = {value.name for value in model.graph.input}
    weights = {tensor.name for tensor in model.graph.initializer}
    meets: dict[str, str] = {}
    for node in model.graph.node:
        read = reads(node)
        if node.op_type in ("Shape", "Size") or not read & varying:
            continue
        varying.update(node.output)
        fixed = (name for name in read - varying - weights if tokens in shapes.get(name, ()))
        meets.update(dict.fromkeys(fixed, node.name))
    if not meets:
        return
    inputs = {}
    for value in model.graph.input:
        tensor = value.type.tensor_type
        sizes = [axis.dim_value or _ROWS for axis in tensor.shape.dim]
        inputs[value.name] = np.zeros(sizes, helper.tensor_dtype_to_np_dtype(tensor.elem_type))
    for name, values in values_of(model, list(meets), inputs).items():
        axes = [axis for axis, size in enumerate(shapes[name]) if size == tokens]
        if not _same_everywhere(values, axes):
            raise refused(
                f"{meets[name]!r} reads {name!r} {shapes[name]}, which tells places of a row apart, in a way that is not known"
            )


def _same_everywhere(values: Any, axes: Sequence[int]) -> bool:
    """Whether values along the axes of tokens are one: at every place, or for two axes at every distance."""
    moved = np.moveaxis(values, axes, range(len(axes)))
    if len(axes) == 1:
        return bool(np.allclose(moved, moved[:1], atol=1e-6))
    return len(axes) == 2 and bool(np.allclose(moved[1:, 1:], moved[:-1, :-1], atol=1e-6))
