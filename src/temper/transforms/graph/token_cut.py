"""The choice of one token moved up the graph, past all that treats its tokens one by one, so that the others are left out."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from onnx import ModelProto, NodeProto, numpy_helper

from temper.errors import ArtifactError
from temper.transforms.graph.probe import Shape, attribute, constants

TOKEN_AXIS = 1  # of hidden states [batch, token, feature]
# operators whose result at one place depends on their inputs at that place alone
_ELEMENTWISE = {
    "Add", "And", "Cast", "Clip", "Div", "Erf", "Gelu", "Identity", "IsNaN", "Mul", "Not", "Or", "Pow", "Reciprocal", "Relu",
    "Sigmoid", "Sqrt", "Sub", "Tanh", "Where",
}  # fmt: skip
Refused = Callable[[str], ArtifactError]
Reads = list[tuple[NodeProto, int]]  # nodes with the position among their inputs


@dataclass(frozen=True)
class TokenCut:
    """Where the choice has to stand.

    Attributes:
        classifier: the node that chose the token until now: a Gather along TOKEN_AXIS.
        place: the token that it chose.
        wanted: tensor → axis → who reads it cut down to the chosen token along that axis.
    """

    classifier: NodeProto
    place: int
    wanted: dict[str, dict[int, Reads]]


def _broadcast(node: NodeProto, positions: Iterable[int], axis: int, shapes: dict[str, Shape]) -> list[tuple[int, int]]:
    """Operands that have the output's axis with more than one place, each with the axis as it counts it."""
    rank, found = len(shapes[node.output[0]]), []
    for position in positions:
        own = shapes[node.input[position]]
        at = axis - (rank - len(own))
        if at >= 0 and own[at] != 1:
            found.append((position, at))
    return found


def _operands(node: NodeProto, axis: int, shapes: dict[str, Shape]) -> list[tuple[int, int]] | None:
    """Operands to cut, with their axes, so that the output is cut along `axis`; None where the node mixes its places."""
    kind, rank = node.op_type, len(shapes[node.output[0]])
    inputs = [shapes[name] if name else () for name in node.input]
    if sum(bool(name) for name in node.output) > 1:
        return None
    if kind in _ELEMENTWISE:
        return _broadcast(node, (at for at, name in enumerate(node.input) if name), axis, shapes)
    if kind in ("QuantizeLinear", "DequantizeLinear"):
        return [(0, axis)] if inputs[1] == () else None
    if kind in ("Softmax", "LayerNormalization", "RMSNormalization"):
        last = attribute(node, "axis", -1) % rank
        whole = axis != last if kind == "Softmax" else axis < last
        return [(0, axis)] if whole else None
    if kind == "ReduceMean" and len(inputs) == 2 and attribute(node, "keepdims", 1):
        return [(0, axis)] if inputs[0][axis] == shapes[node.output[0]][axis] else None
    if kind == "MatMul" and len(inputs[0]) == rank:
        return [(0, axis)] if axis == rank - 2 or (axis < rank - 2 and len(inputs[1]) == 2) else None
    if kind == "Transpose":
        return [(0, attribute(node, "perm", list(range(rank))[::-1])[axis])]
    if kind == "Attention" and axis == 2 and rank == 4 and len(node.input) <= 4 and not attribute(node, "is_causal", 0):
        mask = [(3, 2 - (4 - len(inputs[3])))] if len(node.input) == 4 and node.input[3] else []
        return [(0, axis), *(each for each in mask if each[1] >= 0 and inputs[3][each[1]] != 1)]
    if kind == "Reshape" and axis == TOKEN_AXIS and min(rank, len(inputs[0])) >= 3:
        out = shapes[node.output[0]]
        return [(0, axis)] if inputs[0][:2] == out[:2] and all(isinstance(size, int) for size in out[2:]) else None
    return None


def _stays_in_hidden_states(node: NodeProto, operands: list[tuple[int, int]], shapes: dict[str, Shape]) -> bool:
    """Whether a node and all that is cut of it are [batch, token, feature]: attention's heads have four axes."""
    return len(shapes[node.output[0]]) == 3 and all(len(shapes[node.input[at]]) == 3 for at, _ in operands)


def fixed_token(model: ModelProto, shapes: dict[str, Shape], refused: Refused) -> tuple[NodeProto, int]:
    """The node that picks the classifier's token out of [batch, token, feature], and the token's place.

    Args:
        model: it stays as it is.
        shapes: of every tensor (temper/transforms/graph/probe.py).
        refused: makes the error out of what happened.

    Raises:
        ArtifactError: no node picks one, or more than one does.
    """
    values = constants(model)
    found = [
        node
        for node in model.graph.node
        if node.op_type == "Gather"
        and attribute(node, "axis", 0) == TOKEN_AXIS
        and node.input[1] in values
        and values[node.input[1]].shape == ()
        and len(shapes[node.input[0]]) == 3
        and isinstance(shapes[node.input[0]][TOKEN_AXIS], tuple)
    ]
    if len(found) != 1:
        raise refused(f"{len(found)} nodes pick one fixed token out of the hidden states, where one should")
    return found[0], int(values[found[0].input[1]])


def cut_tokens(
    model: ModelProto, shapes: dict[str, Shape], name: str, *, across_attention: bool, refused: Refused
) -> TokenCut:
    """Find how far up the choice of the classifier's token can move: as far as all readers of a tensor want it alone.

    Reshapes that are passed get a constant shape; nothing else of the model is changed.

    Args:
        model: a classifier that reads one fixed token.
        shapes: of every tensor (temper/transforms/graph/probe.py).
        name: for the constants.
        across_attention: whether queries may be cut too. Keys and values never are.
        refused: makes the error out of what happened.

    Raises:
        ArtifactError: no fixed token is read.
    """
    graph = model.graph
    classifier, place = fixed_token(model, shapes, refused)
    readers: dict[str, int] = {}
    for node in graph.node:
        for read in node.input:
            readers[read] = readers.get(read, 0) + 1
    for value in graph.output:
        readers[value.name] = readers.get(value.name, 0) + 1
    wanted: dict[str, dict[int, Reads]] = {classifier.input[0]: {TOKEN_AXIS: [(classifier, 0)]}}
    for node in reversed(graph.node):  # a tensor's readers stand below its maker
        made = node.output[0]
        if made not in wanted or len(wanted[made]) > 1:
            continue
        ((axis, places),) = wanted[made].items()
        operands = _operands(node, axis, shapes) if len(places) == readers[made] else None
        if operands is None or not (across_attention or _stays_in_hidden_states(node, operands, shapes)):
            continue
        del wanted[made]
        for position, at in operands:
            wanted.setdefault(node.input[position], {}).setdefault(at, []).append((node, position))
        if node.op_type == "Reshape":
            # -1: with allowzero, which exporters set, 0 would not copy the batch's size
            sizes = np.asarray([-1, 1, *shapes[made][2:]], np.int64)
            graph.initializer.append(numpy_helper.from_array(sizes, f"{made}_{name}_shape"))
            node.input[1] = f"{made}_{name}_shape"
    return TokenCut(classifier, place, wanted)


def insert_behind(model: ModelProto, behind: dict[str, list[NodeProto]]) -> None:
    """Put nodes right behind the maker of a tensor; those behind inputs and constants come first.

    Args:
        behind: nodes in order, by the tensor that they read.
    """
    graph = model.graph
    made = {output for node in graph.node for output in node.output}
    nodes = [node for name, added in behind.items() if name not in made for node in added]
    for node in graph.node:
        nodes.append(node)
        nodes += [each for output in node.output for each in behind.get(output, ())]
    kept = [NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:]
    graph.node.extend(kept)
