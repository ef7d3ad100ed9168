"""Query, key and value as one matrix product, one bias and one transpose that splits the heads.

A graph step: the precision stays, and so do the answers. TensorRT-RTX finds by itself that the three products read the same
input; the three pairs of a bias and a transpose behind them stay three kernels, and where few tokens are computed, a call takes
as long as it has kernels (docs/decisions/0035).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import ModelProto, NodeProto, helper, numpy_helper
from pydantic import BaseModel, ConfigDict

from temper.quantization.calibration.cache import CalibrationCache
from temper.transforms.graph.probe import Answers, Shape, attribute, observed_shapes
from temper.transforms.graph.prune import prune
from temper.transforms.graph.refused import refused

NEEDS_CALIBRATION = False
LIBRARIES = ("onnx", "onnxruntime")

NAME = "fuse_qkv"
_HEADS_IN_FRONT = [0, 2, 1, 3]  # [batch, tokens, heads, features] → [batch, heads, tokens, features]
_PARTS_IN_FRONT = [2, 0, 3, 1, 4]  # [batch, tokens, parts, heads, features] → [parts, batch, heads, tokens, features]


class Options(BaseModel):
    """Options of a precision row whose step is fuse_qkv."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True)
class _Projection:
    """x·W + b, split into heads.

    Attributes:
        x: name of its input [batch, tokens, features].
        weight, bias: [features, heads · head features] and [heads · head features].
        heads: their number and the features of one.
        output: name of what comes out, [batch, heads, tokens, head features].
        place: of its product among the nodes.
    """

    x: str
    weight: Any
    bias: Any
    heads: tuple[int, int]
    output: str
    place: int


def convert(model: ModelProto, cache: CalibrationCache | None, options: Options) -> ModelProto:
    """The model with every two or three projections of one input that are split into the same heads made one.

    Raises:
        ArtifactError: there are none, or the answers changed.
    """
    answers = Answers.of(model)
    by_input: dict[tuple[str, tuple[int, int]], list[_Projection]] = {}
    for projection in _projections(model, observed_shapes(model)):
        by_input.setdefault((projection.x, projection.heads), []).append(projection)
    groups = [group for group in by_input.values() if len(group) > 1]
    if not groups:
        raise refused(
            f"{NAME}: query, key and value as one product",
            "no two products of one input with a bias each are split into heads",
            "drop the row from params.yaml: it is for encoders as PyTorch's exporter writes BERT, DistilBERT and MiniLM, "
            "before a quantized precision's step (GPT-2 has one product already)",
        )
    groups.sort(key=lambda group: min(each.place for each in group))
    for number, group in reversed(list(enumerate(groups))):  # the last first: places above it stay as they are
        _fuse(model, group, f"{NAME}_{number}")
    prune(model)
    answers.check(model, NAME)
    return model


def _projections(model: ModelProto, shapes: Mapping[str, Shape]) -> list[_Projection]:
    """Every MatMul, Add, Reshape, Transpose in a row that projects into heads, read by nothing else on the way."""
    graph = model.graph
    maker = {name: node for node in graph.node for name in node.output}
    place = {name: at for at, node in enumerate(graph.node) for name in node.output}
    weights = {tensor.name: tensor for tensor in graph.initializer}
    readers: dict[str, int] = {}
    for node in graph.node:
        for name in node.input:
            readers[name] = readers.get(name, 0) + 1

    def made_by(name: str, kind: str) -> NodeProto | None:
        node = maker.get(name)
        return node if node is not None and node.op_type == kind and readers[name] == 1 else None

    found = []
    for transpose in graph.node:
        if transpose.op_type != "Transpose" or attribute(transpose, "perm") != _HEADS_IN_FRONT:
            continue
        split = made_by(transpose.input[0], "Reshape")
        add = split and made_by(split.input[0], "Add")
        if split is None or not add:
            continue
        product = next((node for name in add.input if (node := made_by(name, "MatMul"))), None)
        bias = next((weights[name] for name in add.input if name in weights), None)
        if product is None or bias is None or product.input[1] not in weights:
            continue
        *_, heads, features = shapes[split.output[0]]
        weight = numpy_helper.to_array(weights[product.input[1]])
        if (
            isinstance(heads, int)
            and isinstance(features, int)
            and weight.shape[1:] == tuple(bias.dims) == (heads * features,)
        ):
            found.append(
                _Projection(
                    x=product.input[0],
                    weight=weight,
                    bias=numpy_helper.to_array(bias),
                    heads=(heads, features),
                    output=transpose.output[0],
                    place=place[product.output[0]],
                )
            )
    return found


def _fuse(model: ModelProto, group: list[_Projection], name: str) -> None:
    """Put the one product where the first of the group stands; `prune` takes away what nothing reads any more."""
    graph = model.graph
    constants = {
        "weight": np.concatenate([each.weight for each in group], axis=1),
        "bias": np.concatenate([each.bias for each in group]),
        "split": np.asarray([0, 0, len(group), *group[0].heads], np.int64),  # 0: the size that it has
    } | {f"part_{at}": np.asarray(at, np.int64) for at in range(len(group))}
    for part, array in constants.items():
        graph.initializer.append(numpy_helper.from_array(array, f"{name}_{part}"))
    made = [
        helper.make_node("MatMul", [group[0].x, f"{name}_weight"], [f"{name}_MatMul"], name=f"{name}_MatMul"),
        helper.make_node("Add", [f"{name}_MatMul", f"{name}_bias"], [f"{name}_Add"], name=f"{name}_Add"),
        helper.make_node("Reshape", [f"{name}_Add", f"{name}_split"], [f"{name}_heads"], name=f"{name}_heads"),
        helper.make_node("Transpose", [f"{name}_heads"], [f"{name}_parts"], name=f"{name}_parts", perm=_PARTS_IN_FRONT),
    ]
    outputs = {each.output for each in group}
    for node in graph.node:
        for at, output in enumerate(node.output):
            if output in outputs:
                node.output[at] = f"{output}_{NAME}_before"
    for at, each in enumerate(group):
        made.append(
            helper.make_node(
                "Gather", [f"{name}_parts", f"{name}_part_{at}"], [each.output], name=f"{name}_{at}", axis=0
            )
        )
    place = min(each.place for each in group)
    for offset, node in enumerate(made):
        graph.node.insert(place + offset, node)
