"""Which module of a network each product of its ONNX file is."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import ModelProto, numpy_helper

from temper.errors import ArtifactError
from temper.quantization.layers import layers


@dataclass(frozen=True)
class Match:
    """A product with a stored weight.

    Attributes:
        node: name of the node.
        activation: name of the tensor that it multiplies with its weight.
        module: name of the network's module.
    """

    node: str
    activation: str
    module: str


def _digest(values: npt.NDArray[Any]) -> tuple[tuple[int, ...], str]:
    return values.shape, hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()


def match(weights: Mapping[str, npt.NDArray[Any]], model: ModelProto, kept: Collection[str]) -> list[Match]:
    """The products with a weight, but for those that are kept in float.

    A product is the module whose weight it holds, as it is or transposed. Where the exporter folded a normalisation into the
    weight, or several modules hold equal weights, the name that the file kept decides.

    Args:
        weights: weight of each module that can be trained with fake quantisation, by the module's name.
        model: float ONNX file that was exported from these weights.
        kept: nodes that stay in float.

    Raises:
        ArtifactError: a product is none of the modules, or a module is several products.
    """
    owners = defaultdict(set)
    for name, values in weights.items():
        owners[_digest(values)].add(name)
        owners[_digest(values.T)].add(name)
    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    nodes = {node.name: node for node in model.graph.node}
    found, unknown = [], []
    for layer in layers(model):
        operands = nodes[layer.node].input[:2]
        held = [name for name in operands if name in stored]
        if layer.node in kept or len(held) != 1:
            continue
        owner = owners.get(_digest(numpy_helper.to_array(stored[held[0]])), set())
        module = next(iter(owner)) if len(owner) == 1 else layer.name
        if module in weights:
            (activation,) = (name for name in operands if name not in stored)
            found.append(Match(layer.node, activation, module))
        else:
            unknown.append(layer.name)
    times = Counter(each.module for each in found)
    repeated = sorted(name for name, count in times.items() if count > 1)
    if unknown or repeated:
        happened = (
            f"{', '.join(unknown)[:400]} of the ONNX file hold weights of no linear or convolution module of the network"
            if unknown
            else f"{', '.join(repeated)[:400]} are called several times, and read something else each time"
        )
        raise ArtifactError(
            asked="train the layers of an ONNX file with fake quantisation",
            happened=happened,
            affected="this ONNX file and what is made from it; nothing was written",
            fix="name these layers in the row's keep_in_float",
        )
    return found
