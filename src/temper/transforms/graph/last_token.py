"""The token that a decoder's classifier reads: the last one of a row that is no padding, told from its id.

transformers' heads for decoders (GPT-2, Llama, Qwen3, …) compute logits of all tokens and take those of that one.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import ModelProto, NodeProto, helper, numpy_helper

from temper.transforms.graph.probe import SIZES, Shape, constants, example_inputs, values_of
from temper.transforms.graph.prune import reads
from temper.transforms.graph.token_cut import TOKEN_AXIS

INPUT_IDS = "input_ids"


@dataclass(frozen=True)
class LastToken:
    """How a graph reads it.

    Attributes:
        classifier: the node that picks it out of [batch, token, feature].
        pad: the token id that is passed over.
    """

    classifier: NodeProto
    pad: int


def _compared_with_ids(model: ModelProto, name: str) -> set[int]:
    """Single numbers that token ids are compared with on the way to a tensor."""
    values, wanted, found = constants(model), {name}, set[int]()
    for node in reversed(model.graph.node):
        if not wanted.intersection(node.output):
            continue
        wanted |= reads(node)
        if node.op_type == "Equal" and INPUT_IDS in node.input:
            found.update(int(values[each]) for each in node.input if each in values)
    return found


def _reads_it(model: ModelProto, node: NodeProto, pad: int) -> bool:
    """Whether a node picks the last token that is not `pad`, and the first one of a row that has no other."""
    generator = np.random.default_rng(0)
    for sizes in SIZES:
        inputs = dict(example_inputs(model, sizes, seed=0))
        ids: Any = inputs[INPUT_IDS]
        ids = np.where(ids == pad, int(pad == 0), ids)  # another token
        ids = np.where(generator.random(ids.shape) < 0.5, pad, ids)
        ids[0] = pad
        inputs[INPUT_IDS] = ids
        found = values_of(model, [node.input[0], node.output[0]], inputs)
        last = (np.arange(ids.shape[1]) * (ids != pad)).argmax(axis=1)
        if not np.array_equal(found[node.output[0]], found[node.input[0]][np.arange(len(ids)), last]):
            return False
    return True


def last_token(model: ModelProto, shapes: dict[str, Shape]) -> LastToken | None:
    """How a graph reads the last token that is no padding; None where it does not, or in a way that is not known.

    Args:
        model: a classifier of texts.
        shapes: of every tensor (temper/transforms/graph/probe.py).
    """
    found = []
    for node in model.graph.node:
        if node.op_type != "GatherND":
            continue
        whole, picked = shapes[node.input[0]], shapes[node.output[0]]
        if len(whole) == 3 and isinstance(whole[TOKEN_AXIS], tuple) and picked == (whole[0], whole[2]):
            found += [LastToken(node, pad) for pad in sorted(_compared_with_ids(model, node.input[1]))]
    fitting = [each for each in found if _reads_it(model, each.classifier, each.pad)]
    return fitting[0] if len(fitting) == 1 else None


def read_fixed_token(model: ModelProto, read: LastToken, name: str) -> None:
    """Let the classifier pick the first token in place of the last: as encoders do, whose choice can be moved up the graph.

    Args:
        model: it was found in.
        read: of `last_token`.
        name: of the constant.
    """
    model.graph.initializer.append(numpy_helper.from_array(np.asarray(0, np.int64), name))
    node = read.classifier
    made = helper.make_node("Gather", [node.input[0], name], list(node.output), name=node.name, axis=TOKEN_AXIS)
    node.CopyFrom(made)
