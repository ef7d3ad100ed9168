"""Attention that a graph writes as two products with a softmax between them: where it is, and written so that it can be fused.

A library that computes attention by one kernel looks for a form: the scale on the query's side and not behind the scores, one
transpose in front of a product, the softmax itself as the second product's operand. Exporters write others: PyTorch below
opset 23 half of the scale on either side, keys transposed between two reshapes, a guard against NaN behind the softmax.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from onnx import ModelProto, NodeProto, helper, numpy_helper

from temper.transforms.graph.probe import Shape, attribute, constants, observed_shapes
from temper.transforms.graph.prune import prune
from temper.transforms.graph.refused import refused

_MOVES = ("Reshape", "Transpose")


@dataclass(frozen=True)
class Attention:
    """One attention.

    Attributes:
        scores: name of the product of queries and keys.
        values: name of the product of what the softmax gives, and values.
        softmax: name of the softmax.
        behind: product of the constants that scores are multiplied by, behind their product.
        scaling: outputs of the nodes that multiply by them.
    """

    scores: str
    values: str
    softmax: str
    behind: float
    scaling: tuple[str, ...]


@dataclass(frozen=True)
class Rescaled:
    """How an operand of the scores' product changed: its name stayed.

    Attributes:
        name: of the tensor.
        factor: that its values are now multiplied by.
    """

    name: str
    factor: float


class _Graph:
    """Nodes by what they make, and readers."""

    def __init__(self, model: ModelProto) -> None:
        self.nodes = model.graph.node
        self.made_by = {name: node for node in self.nodes for name in node.output}
        self.weights = {tensor.name for tensor in model.graph.initializer}
        self.constants = constants(model)
        self.readers: dict[str, list[NodeProto]] = {}
        for node in self.nodes:
            for name in dict.fromkeys(node.input):
                self.readers.setdefault(name, []).append(node)

    def scaled(self, node: NodeProto | None) -> tuple[str, float] | None:
        """What a node multiplies by a constant, and the constant; None where it does something else."""
        if node is None or node.op_type not in ("Mul", "Div"):
            return None
        one, other = node.input
        if other in self.constants:
            value = float(self.constants[other].reshape(-1)[0])
            return one, value if node.op_type == "Mul" else 1 / value
        if one in self.constants and node.op_type == "Mul":
            return other, float(self.constants[one].reshape(-1)[0])
        return None

    def multiplies_activations(self, node: NodeProto | None) -> bool:
        """Whether a node is a product of two tensors that the graph makes."""
        return node is not None and node.op_type == "MatMul" and not self.weights.intersection(node.input)

    def scores(self, name: str) -> tuple[NodeProto, float, tuple[str, ...]] | None:
        """The product that a tensor is scores of, through a mask and in front of it a scale; the scale, and who applies it."""
        node = self.made_by.get(name)
        if node is None or len(self.readers.get(name, [])) != 1:  # another reader would see what moving a scale changes
            return None
        if self.multiplies_activations(node):
            return node, 1.0, ()
        masked = {"Add": node.input, "Where": node.input[1:]}.get(node.op_type)
        if masked is not None:
            return next((found for each in masked if (found := self.scores(each))), None)
        factor, scaling = 1.0, list[str]()
        while (read := self.scaled(node)) is not None and len(self.readers[name]) == 1:
            factor, scaling = factor * read[1], [*scaling, name]
            name, node = read[0], self.made_by.get(read[0])
        if node is None or not scaling or not self.multiplies_activations(node) or len(self.readers[name]) != 1:
            return None
        return node, factor, tuple(scaling)

    def values(self, softmax: NodeProto) -> NodeProto | None:
        """The product whose first operand a softmax gives, guarded against NaN or not."""
        for reader in self.readers.get(softmax.output[0], []):
            guarded = reader.op_type == "Where" and reader.input[2] == softmax.output[0]
            name = reader.output[0] if guarded and self._is_guard(reader) else softmax.output[0]
            for node in self.readers.get(name, []):
                if self.multiplies_activations(node) and node.input[0] == name:
                    return node
        return None

    def _is_guard(self, where: NodeProto) -> bool:
        test = self.made_by.get(where.input[0])
        return test is not None and test.op_type == "IsNaN" and test.input[0] == where.input[2]


def find_attention(model: ModelProto, asked: str) -> list[Attention]:
    """Every attention of a file, in the graph's order.

    Args:
        model: float file with its weights.
        asked: what it is looked for, for the error.

    Raises:
        ArtifactError: there is none that is written as products and a softmax.
    """
    graph, found = _Graph(model), list[Attention]()
    softmaxes = [node for node in model.graph.node if node.op_type == "Softmax"]
    for softmax in softmaxes:
        scores, values = graph.scores(softmax.input[0]), graph.values(softmax)
        if scores is not None and values is not None:
            product, behind, scaling = scores
            found.append(Attention(product.name, values.name, softmax.name, behind, scaling))
    if not found:
        whole = sum(node.op_type == "Attention" for node in model.graph.node)
        raise refused(
            asked,
            f"attention is one operator in this file ({whole} Attention nodes): it has no products to put Q/DQ in front of"
            if whole
            else f"none of the {len(softmaxes)} Softmax nodes stands between two products of activations with nothing but a "
            "scale, a mask and a guard in between"
            if softmaxes
            else "the file has no Softmax, and so no attention",
            "start the row from an export below opset 23 (`opset: 20` in exports), with its own calibration"
            if whole
            else "drop `attention` from the row: its products are then quantised like any others",
        )
    return found


def rewrite_attention(model: ModelProto, found: Iterable[Attention]) -> list[Rescaled]:
    """Write attentions so that they can be fused, in place. Names of products and of what they read stay.

    The query's operand holds the whole scale, the key's none and one transpose; the softmax's result is what the second product
    reads, without a guard: a row that attends to one token at least needs none.

    Args:
        model: of which `found` are.
        found: by `find_attention`.

    Returns:
        Operands whose values changed by a factor.
    """
    shapes, rescaled = observed_shapes(model), list[Rescaled]()
    for each in found:
        graph = _Graph(model)
        by_name = {node.name: node for node in graph.nodes}
        scores, softmax, values = by_name[each.scores], by_name[each.softmax], by_name[each.values]
        query, key = scores.input
        base, query_factor = _unscaled(graph, query)
        transposed = _transposed(graph, key, shapes)
        whole = query_factor * (transposed.factor if transposed else 1.0) * each.behind
        if base != query or not np.isclose(whole, 1.0, rtol=1e-6, atol=0):
            scale = f"{query}/scale"
            model.graph.initializer.append(numpy_helper.from_array(np.asarray(whole, np.float32), scale))
            source = _take_over(model, query, scores) if base == query else base
            _write(model, query, helper.make_node("Mul", [source, scale], [query], name=scale), scores)
        if transposed:
            name = f"{key}/transposed"
            made = helper.make_node("Transpose", [transposed.base], [key], name=name, perm=transposed.order)
            _write(model, key, made, scores)
        rescaled += [Rescaled(query, whole / query_factor), Rescaled(key, 1 / transposed.factor if transposed else 1.0)]
        _bypass(model, each.scaling, scores.output[0])
        _unguard(model, softmax, values)
    prune(model)
    return rescaled


def _unscaled(graph: _Graph, name: str) -> tuple[str, float]:
    """What a tensor is without the constants that it is multiplied by, and their product."""
    factor = 1.0
    while (read := graph.scaled(graph.made_by.get(name))) is not None:
        name, factor = read[0], factor * read[1]
    return name, factor


@dataclass(frozen=True)
class _Transposed:
    """Keys as one transpose of `base` in this order; `factor`: by which they are multiplied now."""

    base: str
    order: tuple[int, ...]
    factor: float


def _transposed(graph: _Graph, key: str, shapes: Mapping[str, Shape]) -> _Transposed | None:
    """Keys [..., features, tokens] as one transpose, with the one that split the heads in it; None where they are none."""
    *first, tokens, features = range(len(shapes[key]))
    swapped = (*shapes[key][:-2], *reversed(shapes[key][-2:]))
    name, factor = key, 1.0
    while (node := graph.made_by.get(name)) is not None:
        read = graph.scaled(node)
        if read is None and node.op_type not in _MOVES:
            break
        name, by = read or (node.input[0], 1.0)
        factor *= by
        if read is None and shapes.get(name) == swapped:
            before = graph.made_by.get(name)
            if before is None or before.op_type != "Transpose":
                return _Transposed(name, (*first, features, tokens), factor)
            order = attribute(before, "perm")
            return _Transposed(before.input[0], (*order[:-2], order[-1], order[-2]), factor)
    name, factor = _unscaled(graph, key)
    made = graph.made_by.get(name)
    if made is None or made.op_type != "Transpose":  # scaled on their own side: TensorRT takes that, too
        return None
    return _Transposed(made.input[0], tuple(attribute(made, "perm")), factor)


def _take_over(model: ModelProto, name: str, reader: NodeProto) -> str:
    """A new name for what makes a tensor and for who reads it, but for one reader: the name is free for what that one reads."""
    before = f"{name}/before"
    for node in model.graph.node:
        for at, output in enumerate(node.output):
            if output == name:
                node.output[at] = before
        for at, read in enumerate(node.input):
            if read == name and node.name != reader.name:
                node.input[at] = before
    return before


def _write(model: ModelProto, name: str, node: NodeProto, reader: NodeProto) -> None:
    """Put a node that makes `name` in front of its reader; what made it before makes something that others may read."""
    if any(name in each.output for each in model.graph.node):
        _take_over(model, name, reader)
    place = next(at for at, each in enumerate(model.graph.node) if each.name == reader.name)
    model.graph.node.insert(place, node)


def _bypass(model: ModelProto, scaling: Sequence[str], scores: str) -> None:
    """Let who reads the outermost of some scales read the scores themselves."""
    if scaling:
        for node in model.graph.node:
            for at, read in enumerate(node.input):
                if read == scaling[0]:
                    node.input[at] = scores


def _unguard(model: ModelProto, softmax: NodeProto, values: NodeProto) -> None:
    """Let the softmax make what its guard made, under the guard's name."""
    plain, guarded = softmax.output[0], values.input[0]
    if plain == guarded:
        return
    _take_over(model, guarded, values)
    for node in model.graph.node:
        for at, read in enumerate(node.input):
            if read == plain:
                node.input[at] = guarded
        if node.name == softmax.name:
            node.output[0] = guarded
