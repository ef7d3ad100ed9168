"""The products of an ONNX file as layers with readable names, and giving some of a quantised file back to float.

Nothing here knows a model: a layer is a MatMul, Gemm or Conv, whatever stands around it.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from onnx import ModelProto, NodeProto, TensorProto

from temper.artifacts.census import MOVING_OPERATORS
from temper.artifacts.onnx_file import QUANTIZABLE
from temper.errors import ArtifactError

_WEIGHT_ENDS = (".weight", ".bias")
_WRAPPER = "network."  # the export's own module around the model


@dataclass(frozen=True)
class Layer:
    """One product.

    Attributes:
        name: the module's, such as 'bert.encoder.layer.0.attention.self.query', where a weight or a bias still has it;
            else the node's.
        node: name of the node; quantisers keep it.
        operator: MatMul, Gemm or Conv.
    """

    name: str
    node: str
    operator: str


def _module_name(node: NodeProto, bias: str | None, weights: Collection[str]) -> str | None:
    named = [name for name in (*node.input, bias) if name and name in weights and name.endswith(_WEIGHT_ENDS)]
    return named[0].rpartition(".")[0].removeprefix(_WRAPPER) if named else None


def _following_add(node: NodeProto, readers: Mapping[str, list[NodeProto]]) -> NodeProto | None:
    """The Add that is the only reader of a product: its other input is the bias, where that is a weight."""
    following = readers.get(node.output[0], [])
    return following[0] if len(following) == 1 and following[0].op_type == "Add" else None


def _readers(model: ModelProto) -> dict[str, list[NodeProto]]:
    found: dict[str, list[NodeProto]] = defaultdict(list)
    for node in model.graph.node:
        for name in dict.fromkeys(node.input):
            found[name].append(node)
    return found


def layers(model: ModelProto) -> list[Layer]:
    """The products of a float ONNX file in the graph's order; names are unique."""
    weights = {tensor.name for tensor in model.graph.initializer}
    readers = _readers(model)
    found = []
    for node in model.graph.node:
        if node.op_type not in QUANTIZABLE:
            continue
        add = _following_add(node, readers)
        bias = next((name for name in add.input if name in weights), None) if add is not None else None
        found.append((_module_name(node, bias, weights) or node.name, node))
    times = Counter(name for name, _ in found)
    return [Layer(name if times[name] == 1 else node.name, node.name, node.op_type) for name, node in found]


def chosen(known: Iterable[Layer], names: Iterable[str], place: str) -> list[Layer]:
    """The layers of these names, in the order of the file.

    Args:
        known: layers of the file.
        names: as `Layer.name`, or with the wildcards of `fnmatch`: `*.attention.*`. An exporter's own names, which
            products without weights have, are other ones in each of its versions.
        place: where the names stand, for the error.

    Raises:
        ArtifactError: there is no layer of such a name.
    """
    by_name = {layer.name: layer for layer in known}
    matched = {name: [layer for layer in by_name if fnmatchcase(layer, name)] for name in names}
    lacking = [name for name, found in matched.items() if not found]
    if lacking:
        listed = ", ".join(by_name)
        raise ArtifactError(
            asked=f"keep {', '.join(lacking)} in float ({place})",
            happened=f"the model has no such layer; it has {listed[:600]}{' …' if len(listed) > 600 else ''}",
            affected="this ONNX file and what is made from it; nothing was written",
            fix="name layers of that list",
        )
    wanted = {layer for found in matched.values() for layer in found}
    return [layer for name, layer in by_name.items() if name in wanted]


@dataclass(frozen=True)
class _Pair:
    """QuantizeLinear and DequantizeLinear around an activation."""

    source: str
    result: str
    products: frozenset[str]  # nodes that read it, through operators that only move values
    producer: str | None  # the product that makes it


def _reached(start: str, readers: Mapping[str, list[NodeProto]]) -> frozenset[str]:
    found, open_names = set(), [start]
    while open_names:
        for node in readers.get(open_names.pop(), []):
            if node.op_type in QUANTIZABLE:
                found.add(node.name)
            elif node.op_type in MOVING_OPERATORS:
                open_names.extend(node.output)
    return frozenset(found)


def _pairs(model: ModelProto) -> list[_Pair]:
    readers = _readers(model)
    made_by = {name: node for node in model.graph.node for name in node.output}
    found = []
    for node in model.graph.node:
        if node.op_type != "DequantizeLinear" or (quantizer := made_by.get(node.input[0])) is None:
            continue
        if quantizer.op_type != "QuantizeLinear":
            continue
        producer = made_by.get(quantizer.input[0])
        found.append(
            _Pair(
                source=quantizer.input[0],
                result=node.output[0],
                products=_reached(node.output[0], readers),
                producer=producer.name if producer is not None and producer.op_type in QUANTIZABLE else None,
            )
        )
    return found


def quantized_layers(quantized: ModelProto, reference: ModelProto) -> list[Layer]:
    """The layers of `reference` all of whose operands come out of DequantizeLinear in `quantized`."""
    made_by = {name: node for node in quantized.graph.node for name in node.output}

    def dequantized(name: str) -> bool:
        while (node := made_by.get(name)) is not None and node.op_type in MOVING_OPERATORS:
            name = node.input[0]
        return node is not None and node.op_type == "DequantizeLinear"

    nodes = {node.name: node for node in quantized.graph.node if node.op_type in QUANTIZABLE}
    return [
        layer
        for layer in layers(reference)
        if layer.node in nodes and all(dequantized(name) for name in nodes[layer.node].input[:2])
    ]


def give_back(quantized: ModelProto, reference: ModelProto, kept: Iterable[Layer]) -> ModelProto:
    """A copy of a quantised file in which some layers are as they were before: float inputs, float weights, own bias.

    What quantisers do to a layer beside its Q/DQ nodes goes with it: a smoothed activation, weights scaled for it, a
    corrected bias. A Q/DQ pair that several layers share stays for the others. An activation that is quantised before
    operators that only move values, and read behind them by a layer that stays quantised too, stays quantised for both.

    Args:
        quantized: made from `reference` by a quantiser that keeps the names of nodes and of their outputs.
        reference: the float file.
        kept: layers of `reference`.

    Raises:
        ArtifactError: the quantised file has no node of a layer's name, or no tensor that the layer read: it was not made
            from this file.
    """
    result = ModelProto()
    result.CopyFrom(quantized)
    names = {layer.node for layer in kept}
    if not names:
        return result
    references = {node.name: node for node in reference.graph.node}
    weights = {tensor.name: tensor for tensor in reference.graph.initializer}
    readers = _readers(reference)
    nodes = {node.name: node for node in result.graph.node}
    tensors = {name for node in result.graph.node for name in node.output} | {
        entry.name for entry in result.graph.input
    }
    added: dict[str, TensorProto] = {}

    def float_weight(name: str) -> str:
        own = f"{name}/float"
        if own not in added:
            added[own] = TensorProto()
            added[own].CopyFrom(weights[name])
            added[own].name = own
        return own

    def give_inputs(name: str) -> None:
        before = references.get(name)
        if name not in nodes or before is None:
            raise _other_origin(name, "node")
        for place, read in enumerate(before.input):
            if read in weights:
                nodes[name].input[place] = float_weight(read)
            elif read and read not in tensors:
                raise _other_origin(read, "tensor")
            elif read:
                nodes[name].input[place] = read

    for name in names:
        give_inputs(name)
        add = _following_add(references[name], readers)
        if add is not None and add.name in nodes:
            for place, read in enumerate(add.input):
                if read in weights:
                    nodes[add.name].input[place] = float_weight(read)
    for pair in _pairs(result):
        if (pair.products and pair.products <= names) or (not pair.products and pair.producer in names):
            for node in result.graph.node:
                for place, read in enumerate(node.input):
                    if read == pair.result:
                        node.input[place] = pair.source
    result.graph.initializer.extend(added.values())
    _drop_unused(result)
    return result


def _other_origin(name: str, what: str) -> ArtifactError:
    return ArtifactError(
        asked="give layers of a quantised ONNX file back to float",
        happened=f"it has no {what} {name!r}, which the float file has: it was not made from that file",
        affected="this ONNX file and what is made from it; nothing was written",
        fix="name the ONNX row that it was quantised from",
    )


def _drop_unused(model: ModelProto) -> None:
    """Remove nodes whose outputs nobody reads, and initializers that no node reads, in place."""
    wanted = {entry.name for entry in model.graph.output}
    kept = []
    for node in reversed(model.graph.node):  # in ONNX's order every reader stands behind its producer
        if wanted.intersection(node.output):
            kept.append(node)
            wanted.update(node.input)
            for attribute in node.attribute:
                for inner in (attribute.g, *attribute.graphs):
                    wanted.update(name for each in inner.node for name in each.input)
    nodes = [NodeProto.FromString(node.SerializeToString()) for node in reversed(kept)]
    initializers = [
        TensorProto.FromString(tensor.SerializeToString())
        for tensor in model.graph.initializer
        if tensor.name in wanted
    ]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    del model.graph.initializer[:]
    model.graph.initializer.extend(initializers)
