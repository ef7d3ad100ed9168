"""A census of an ONNX file's matrix products and convolutions: how many are quantised, how, and in which precision.

It reads the graph alone: nothing is executed, and weights that stand beside the file are not read.
"""

from collections import ChainMap, Counter
from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import onnx
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, helper
from pydantic import BaseModel, ConfigDict

from temper.errors import ArtifactError

# Products of float operators, and how many of their first inputs are operands.
FLOAT_PRODUCTS = {
    "MatMul": 2,
    "Gemm": 2,
    "Conv": 2,
    "ConvTranspose": 2,
    "FusedMatMul": 2,
    "FusedGemm": 2,
    "FusedConv": 2,
    "Attention": 3,  # query, key and value; ONNX Runtime's own of that name takes activation and weights
    "MultiHeadAttention": 3,
}
# Products of integers, and the places of their two operands.
INTEGER_PRODUCTS = {
    "MatMulInteger": (0, 1),
    "ConvInteger": (0, 1),
    "MatMulInteger16": (0, 1),
    "MatMulIntegerToFloat": (0, 1),
    "DynamicQuantizeMatMul": (0, 1),
    "QAttention": (0, 1),
    "QLinearMatMul": (0, 3),
    "QLinearConv": (0, 3),
    "QGemm": (0, 3),
}
WEIGHT_ONLY_PRODUCTS = ("MatMulNBits", "MatMulBnb4")  # the weight is packed, the activation stays as it is
DYNAMIC_QUANTIZERS = ("DynamicQuantizeLinear", "DynamicQuantizeMatMul", "DynamicQuantizeLSTM")
# They take values and give the same ones: what was on an 8-bit grid before them is on it behind them. A maximum is one of
# the values it is taken of.
MOVING_OPERATORS = ("Reshape", "Transpose", "Squeeze", "Unsqueeze", "Flatten", "Identity", "MaxPool")
UNKNOWN = "unknown"

_PRECISIONS = {
    "FLOAT4E2M1": "FP4",
    "INT4": "INT4",
    "UINT4": "INT4",
    "FLOAT8E4M3FN": "FP8",
    "FLOAT8E4M3FNUZ": "FP8",
    "FLOAT8E5M2": "FP8",
    "FLOAT8E5M2FNUZ": "FP8",
    "INT8": "INT8",
    "UINT8": "INT8",
    "BFLOAT16": "BF16",
    "FLOAT16": "FP16",
    "FLOAT": "FP32",
    "DOUBLE": "FP64",
}
_WIDTH_ORDER = list(dict.fromkeys(_PRECISIONS.values()))  # narrowest first
_FLOATING = ("FP64", "FP32", "FP16", "BF16")


class Census(BaseModel):
    """Products of an ONNX file: matrix products, convolutions, and fused attention, which counts as one.

    A product is quantised when every operand comes out of DequantizeLinear, or when its operator takes integers; of a
    weight-only product the weight alone does, and it computes in its activation's precision.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    total: int
    quantized: int
    weight_only: int
    dynamic: int  # of the quantised ones: whose activation is quantised from its own range at run time
    by_precision: dict[str, int]  # what the products compute in; adds up to `total`
    weights_by_precision: dict[str, int]  # what the constant operands are stored in, where a product has one
    batch_dependent: bool  # labels can depend on which rows share a batch: a scale is made from the whole of it

    def as_dict(self) -> dict[str, Any]:
        """The census for a manifest or a record; `Census.model_validate` reads it back."""
        return self.model_dump()


@dataclass(frozen=True)
class _Operand:
    """Where an operand of a product comes from."""

    dequantized: bool
    constant: bool
    dynamic: bool
    precision: str  # what it is stored in: before DequantizeLinear, where it comes out of one


@dataclass
class _Scope:
    """Names a graph can see: its own, and those of the graphs around it."""

    producers: MutableMapping[str, NodeProto] = field(default_factory=dict)
    constants: MutableMapping[str, str] = field(default_factory=dict)  # name to precision
    types: MutableMapping[str, str] = field(default_factory=dict)  # name to precision, constants included

    def inside(self) -> "_Scope":
        """The scope of a graph inside this one."""
        return _Scope(
            ChainMap({}, self.producers),
            ChainMap({}, self.constants),
            ChainMap({}, self.types),
        )

    def moved_from(self, name: str) -> tuple[str, NodeProto | None]:
        """A tensor before the operators that only move its values, and the node it comes out of."""
        while (node := self.producers.get(name)) is not None and node.op_type in MOVING_OPERATORS:
            name = node.input[0]
        return name, node

    def operand(self, name: str) -> _Operand:
        """Where the tensor comes from."""
        name, node = self.moved_from(name)
        dequantized = node is not None and node.op_type == "DequantizeLinear"
        if node is not None and dequantized:
            name, node = self.moved_from(node.input[0])
        precision = self.types.get(name, UNKNOWN)
        if node is not None and node.op_type == "QuantizeLinear":  # a weight may be stored in float and quantised here
            name, node = self.moved_from(node.input[0])
        return _Operand(
            dequantized=dequantized,
            constant=name in self.constants,
            dynamic=node is not None and node.op_type == "DynamicQuantizeLinear",
            precision=precision,
        )


@dataclass
class _Counts:
    quantized: int = 0
    weight_only: int = 0
    dynamic: int = 0
    batch_dependent: bool = False
    by_precision: Counter[str] = field(default_factory=Counter)
    weights_by_precision: Counter[str] = field(default_factory=Counter)


def census(onnx_path: str | Path) -> Census:
    """Count the products of an ONNX file, in its subgraphs too, and in its functions once for each call.

    Args:
        onnx_path: the file; its external data is not read and may be absent.

    Raises:
        ArtifactError: the file is absent or no ONNX.
    """
    try:
        if not Path(onnx_path).is_file():  # a pipe would be waited for
            raise FileNotFoundError(f"there is no such file, or it is no ordinary one: {onnx_path}")
        return census_of_model(onnx.load(str(onnx_path), load_external_data=False))
    except Exception as error:  # the file system's errors, protobuf's, and a graph whose nodes lack what they need
        raise ArtifactError(
            asked=f"count the products of {onnx_path}",
            happened=f"{type(error).__name__}: {str(error).strip()[:400]}",
            affected="what would be said of this file's precision; nothing was written",
            fix="temper sync: puts the file back, or moves it out of the way for the next run to make anew",
        ) from None


def census_of_model(model: ModelProto) -> Census:
    """Count the products of a model in memory; see `census`. Initialisers may lack their values."""
    if model.functions:
        from onnx.inliner import inline_local_functions

        model = inline_local_functions(model)
    counts = _Counts()
    _count(model.graph, _Scope(), counts)
    return Census(
        total=sum(counts.by_precision.values()),
        quantized=counts.quantized,
        weight_only=counts.weight_only,
        dynamic=counts.dynamic,
        by_precision=dict(sorted(counts.by_precision.items())),
        weights_by_precision=dict(sorted(counts.weights_by_precision.items())),
        batch_dependent=counts.batch_dependent,
    )


def _precision(data_type: int) -> str:
    """The field's name of an ONNX element type."""
    name: str = TensorProto.DataType.Name(data_type)
    return _PRECISIONS.get(name, name)


def _subgraphs(node: NodeProto) -> Iterator[GraphProto]:
    """Graphs that a node carries as attributes: branches and loop bodies."""
    for attribute in node.attribute:
        if attribute.type == AttributeProto.GRAPH:
            yield attribute.g
        yield from attribute.graphs


def _count(graph: GraphProto, scope: _Scope, counts: _Counts) -> None:
    """Add the products of a graph to the counts."""
    for value in (*graph.input, *graph.value_info):
        if value.type.tensor_type.elem_type:
            scope.types[value.name] = _precision(value.type.tensor_type.elem_type)
    for tensor in graph.initializer:
        scope.types[tensor.name] = scope.constants[tensor.name] = _precision(tensor.data_type)
    for node in graph.node:
        scope.producers.update({name: node for name in node.output if name})
    # once where nodes stand in the order in which they run, and once more to see it; ONNX Runtime takes any order
    while any([_add_types(node, scope) for node in graph.node]):
        pass
    for node in graph.node:
        counts.batch_dependent |= node.op_type in DYNAMIC_QUANTIZERS
        _count_product(node, scope, counts)
        for inner in _subgraphs(node):
            _count(inner, scope.inside(), counts)


def _add_types(node: NodeProto, scope: _Scope) -> bool:
    """Note the types of a node's outputs, as far as they decide the precision of a product; tell whether any is new.

    Shape inference is left out: it copies the whole file, and stops at operators that are not ONNX's own.
    """
    attributes = {attribute.name: attribute for attribute in node.attribute}
    inputs = [scope.types.get(name, UNKNOWN) for name in node.input if name]
    if node.op_type in ("Constant", "ConstantOfShape"):
        found = _precision(attributes["value"].t.data_type) if "value" in attributes else "FP32"
        scope.constants[node.output[0]] = found
    elif node.op_type == "Cast":
        found = _precision(attributes["to"].i)
    elif node.op_type in ("QuantizeLinear", "DequantizeLinear") and attributes.get("output_dtype"):
        found = _precision(attributes["output_dtype"].i)
    elif node.op_type == "QuantizeLinear":
        found = inputs[2] if len(inputs) > 2 else "INT8"
    elif node.op_type == "DequantizeLinear":
        found = inputs[1]
    elif node.op_type == "DynamicQuantizeLinear":
        found = "INT8"
    else:  # operators hand on the type of the data they read; indices and conditions are no data
        inputs = inputs[1:] if node.op_type == "Where" else inputs
        data = [type_ for type_ in inputs if type_ in _FLOATING] or inputs
        found = UNKNOWN if not data or UNKNOWN in data else data[0]
    new = [name for name in node.output if name and name not in scope.types and found != UNKNOWN]
    scope.types.update(dict.fromkeys(new, found))
    return bool(new)


def _count_product(node: NodeProto, scope: _Scope, counts: _Counts) -> None:
    """Add a node to the counts, if it is a product."""
    if node.op_type in WEIGHT_ONLY_PRODUCTS:
        bits = next((helper.get_attribute_value(entry) for entry in node.attribute if entry.name == "bits"), 4)
        counts.weight_only += 1
        counts.by_precision[scope.types.get(node.input[0], UNKNOWN)] += 1
        counts.weights_by_precision[f"INT{bits}"] += 1
        return
    if node.op_type in INTEGER_PRODUCTS:
        places = INTEGER_PRODUCTS[node.op_type]
        operands = [scope.operand(node.input[place]) for place in places if place < len(node.input)]
        names, quantized = [], True
    elif node.op_type in FLOAT_PRODUCTS:
        names = [name for name in node.input[: _operand_count(node)] if name]
        operands = [scope.operand(name) for name in names]
        quantized = all(operand.dequantized for operand in operands)
    else:
        return
    weights = [operand for operand in operands if operand.constant]
    activations = [operand for operand in operands if not operand.constant]
    counts.weights_by_precision.update(operand.precision for operand in weights[:1])
    if quantized:
        dynamic = node.op_type in DYNAMIC_QUANTIZERS or any(operand.dynamic for operand in operands)
        counts.quantized += 1
        counts.dynamic += dynamic
        # the float activation of an operator that quantises by itself is no operand of the product inside it
        stored = [operand.precision for operand in operands if operand.precision not in (*_FLOATING, UNKNOWN)]
        counts.by_precision[_widest(stored) or "INT8"] += 1
    else:
        counts.weight_only += any(operand.dequantized for operand in weights) and not any(
            operand.dequantized for operand in activations
        )
        # what a dequantised operand computes in is the type it comes out with
        computed = [scope.types.get(name, UNKNOWN) for name in names]
        counts.by_precision[_widest(computed) or UNKNOWN] += 1


def _operand_count(node: NodeProto) -> int:
    """How many of a float product's first inputs are operands."""
    if node.op_type == "Attention" and node.domain == "com.microsoft":
        return 2
    return FLOAT_PRODUCTS[node.op_type]


def _widest(precisions: list[str]) -> str | None:
    """The widest of some precisions, which is what a product of them computes in; None where none is known."""
    known = [precision for precision in precisions if precision in _WIDTH_ORDER]
    return max(known, key=_WIDTH_ORDER.index) if known else None
