"""The last layer computes only the token that the classifier reads; keys and values are still those of all tokens.

A graph step: the precision stays, and so do the answers.
"""

from collections.abc import Iterable

import numpy as np
from onnx import ModelProto, NodeProto, helper, numpy_helper
from pydantic import BaseModel, ConfigDict

from temper.calibration.cache import CalibrationCache
from temper.errors import ArtifactError
from temper.graph.probe import Answers, Shape, attribute, constants, observed_shapes

NEEDS_CALIBRATION = False
LIBRARIES = ("onnx", "onnxruntime")

TOKEN, FIRST = "read_token", "read_token_first"
TOKEN_AXIS = 1  # of hidden states [batch, token, feature]
# operators whose result at one place depends on their inputs at that place alone
_ELEMENTWISE = {
    "Add", "And", "Cast", "Clip", "Div", "Erf", "Gelu", "Identity", "IsNaN", "Mul", "Not", "Or", "Pow", "Relu", "Sigmoid",
    "Sqrt", "Sub", "Tanh", "Where",
}  # fmt: skip


class Options(BaseModel):
    """Options of a precision row whose step is read_token."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _refused(happened: str) -> ArtifactError:
    return ArtifactError(
        asked="apply read_token: compute only the token that the classifier reads",
        happened=happened,
        spoiled="this ONNX file and what is made from it; nothing was written",
        fix="drop the row from params.yaml: it is for models whose classifier reads the token of one fixed place, as BERT's does",
    )


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
    if kind in ("Softmax", "LayerNormalization"):
        last = attribute(node, "axis", -1) % rank
        whole = axis < last if kind == "LayerNormalization" else axis != last
        return [(0, axis)] if whole else None
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


def _classifier(model: ModelProto, shapes: dict[str, Shape]) -> tuple[NodeProto, int]:
    """The node that picks the classifier's token out of [batch, token, feature], and the token's place."""
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
        raise _refused(f"{len(found)} nodes pick one fixed token out of the hidden states, where one should")
    return found[0], int(values[found[0].input[1]])


def convert(model: ModelProto, cache: CalibrationCache | None, options: Options) -> ModelProto:
    """The model with the choice of the token moved as far up as all readers of a tensor want that token alone.

    Raises:
        ArtifactError: no fixed token is read, nothing could be left out, or the answers changed.
    """
    answers, shapes, graph = Answers.of(model), observed_shapes(model), model.graph
    classifier, place = _classifier(model, shapes)
    readers: dict[str, int] = {}
    for node in graph.node:
        for name in node.input:
            readers[name] = readers.get(name, 0) + 1
    for value in graph.output:
        readers[value.name] = readers.get(value.name, 0) + 1
    # tensor → axis → where it is read cut along that axis
    wanted: dict[str, dict[int, list[tuple[NodeProto, int]]]] = {classifier.input[0]: {TOKEN_AXIS: [(classifier, 0)]}}
    cut = 0
    for node in reversed(graph.node):  # a tensor's readers stand below its maker
        name = node.output[0]
        if name not in wanted or len(wanted[name]) > 1:
            continue
        ((axis, places),) = wanted[name].items()
        operands = _operands(node, axis, shapes) if len(places) == readers[name] else None
        if operands is None:
            continue
        del wanted[name]
        cut += 1
        for position, at in operands:
            wanted.setdefault(node.input[position], {}).setdefault(at, []).append((node, position))
        if node.op_type == "Reshape":
            # -1: with allowzero, which exporters set, 0 would not copy the batch's size
            sizes = np.asarray([-1, 1, *shapes[name][2:]], np.int64)
            graph.initializer.append(numpy_helper.from_array(sizes, f"{name}_{TOKEN}_shape"))
            node.input[1] = f"{name}_{TOKEN}_shape"
    if not cut:
        raise _refused("nothing above the classifier could be left out")
    _insert(model, wanted, place)
    classifier.input[1] = FIRST
    answers.check(model, TOKEN)
    return model


def _insert(model: ModelProto, wanted: dict[str, dict[int, list[tuple[NodeProto, int]]]], place: int) -> None:
    """Put a Gather of one place behind each tensor that is still made whole."""
    graph = model.graph
    graph.initializer.append(numpy_helper.from_array(np.asarray([place], np.int64), TOKEN))
    graph.initializer.append(numpy_helper.from_array(np.asarray(0, np.int64), FIRST))
    behind: dict[str, list[NodeProto]] = {}
    for name, axes in wanted.items():
        for axis, places in axes.items():
            cut = f"{name}_{TOKEN}_{axis}"
            behind.setdefault(name, []).append(helper.make_node("Gather", [name, TOKEN], [cut], name=cut, axis=axis))
            for node, position in places:
                node.input[position] = cut
    made = {output for node in graph.node for output in node.output}
    nodes = [node for name, cuts in behind.items() if name not in made for node in cuts]  # of inputs and constants
    for node in graph.node:
        nodes.append(node)
        nodes += [each for output in node.output for each in behind.get(output, ())]
    kept = [NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:]
    graph.node.extend(kept)
