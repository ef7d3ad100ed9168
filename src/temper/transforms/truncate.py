"""Rows cut to their first tokens inside the graph, as a tokenizer cuts them: what a shorter limit costs, on the same test rows.

A graph step: weights and precision stay. Rows within the limit are answered as before, longer ones as if they had been cut.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import ModelProto, NodeProto, helper, numpy_helper
from pydantic import BaseModel, ConfigDict, PositiveInt

from temper.artifacts.onnx_file import open_session
from temper.artifacts.signature import SEQUENCE_AXIS, Signature, Tensors
from temper.lengths.packing import ATTENTION_MASK
from temper.quantization.calibration.cache import CalibrationCache
from temper.transforms.graph.probe import SIZES, Answers, example_inputs
from temper.transforms.graph.refused import refused

NEEDS_CALIBRATION = False
LIBRARIES = ("onnx", "onnxruntime")

NAME = "truncate"
TOKEN_AXIS = 1
_DOES = f"{NAME}: cut every row to its first tokens"


class Options(BaseModel):
    """Options of a precision row whose step is truncate."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    max_tokens: PositiveInt  # of a row, special tokens included
    keep_last_token: bool  # whether a row that is cut ends in its own last token, as BERT's rows end in [SEP]


def signature_after(signature: Signature, options: Options) -> Signature:
    """The same inputs: the file takes rows of any length.

    Raises:
        ArtifactError: not a text model with a mask that is padded on the right, or no token would be left of a text.
    """
    names = [spec.name for spec in signature.inputs]
    padded_right = signature.padding_side == "right" and signature.row_tokens is None
    if signature.answers_at is not None:
        raise refused(
            _DOES,
            "the model answers each token of a row, and what is cut off would have no answer",
            "lower data.max_tokens, or drop the row from params.yaml",
        )
    if ATTENTION_MASK not in names or not padded_right or any(len(spec.axes) != 2 for spec in signature.inputs):
        raise refused(
            _DOES,
            f"the model's inputs are {names}, padded on the {signature.padding_side}",
            f"drop the row from params.yaml: the step takes inputs [batch, {SEQUENCE_AXIS}] that are padded on the right",
        )
    if options.max_tokens < 2 + options.keep_last_token:
        raise refused(
            _DOES,
            f"max_tokens is {options.max_tokens}: not one token of the text would be left between the special ones",
            "raise max_tokens in the row",
        )
    return signature


def convert(model: ModelProto, cache: CalibrationCache | None, options: Options) -> ModelProto:
    """The model with every input cut behind its first tokens, before anything else reads it.

    Raises:
        ArtifactError: the answers are not those of the model before, to rows that are cut beforehand.
    """
    expected = _answers_to_cut_rows(model, options)
    _insert(model, options)
    expected.check(model, NAME)
    return model


def _insert(model: ModelProto, options: Options) -> None:
    """Slice each input; the last column that a row keeps may get the row's own last token.

    Where a row is shorter than the limit, that column holds this very token: nothing changes, and no row needs a branch.
    """
    graph = model.graph
    names = [value.name for value in graph.input]
    cut = {name: f"{name}_{NAME}" for name in names}
    for reader in graph.node:
        for position, name in enumerate(reader.input):
            reader.input[position] = cut.get(name, name)
    del graph.value_info[:]  # sizes of the sequence axis are others now

    def constant(name: str, value: list[int] | int) -> str:
        graph.initializer.append(numpy_helper.from_array(np.asarray(value, np.int64), f"{NAME}_{name}"))
        return f"{NAME}_{name}"

    def add(operator: str, inputs: list[str], output: str, **attributes: Any) -> str:
        made.append(helper.make_node(operator, inputs, [output], name=output, **attributes))
        return output

    made: list[NodeProto] = []
    zero, axis = constant("start", [0]), constant("axis", [TOKEN_AXIS])
    limit, one = constant("limit", [options.max_tokens]), constant("one", 1)
    last = kept = ""
    if options.keep_last_token:
        length = add("ReduceSum", [ATTENTION_MASK, axis], f"{NAME}_length", keepdims=1)  # [batch, 1]
        last = add("Sub", [length, one], f"{NAME}_last")
        kept = add("Sub", [add("Min", [length, limit], f"{NAME}_kept_length"), one], f"{NAME}_kept")
    for name in names:
        whole = name == ATTENTION_MASK or not options.keep_last_token
        first = add("Slice", [name, zero, limit, axis], cut[name] if whole else f"{name}_{NAME}_first")
        if not whole:
            token = add("GatherElements", [name, last], f"{name}_{NAME}_token", axis=TOKEN_AXIS)
            add("ScatterElements", [first, kept, token], cut[name], axis=TOKEN_AXIS)
    for position, each in enumerate(made):
        graph.node.insert(position, each)


def cut_rows(inputs: Tensors, options: Options) -> Tensors:
    """Rows cut outside the graph, one by one: what the step's answers are held against.

    Args:
        inputs: int64 [batch, tokens] by name, padded on the right.
        options: of the step.

    Returns:
        The same with at most max_tokens tokens.
    """
    lengths = inputs[ATTENTION_MASK].sum(axis=TOKEN_AXIS)
    found: dict[str, npt.NDArray[Any]] = {}
    for name, array in inputs.items():
        found[name] = np.ascontiguousarray(array[:, : options.max_tokens])
        if options.keep_last_token and name != ATTENTION_MASK:
            for row in np.flatnonzero(lengths > options.max_tokens):
                found[name][row, -1] = array[row, lengths[row] - 1]
    return found


def _answers_to_cut_rows(model: ModelProto, options: Options) -> Answers:
    """Made-up rows below and beyond the limit, with the unchanged model's answers to them once they are cut."""
    session = open_session(model, 1, "ORT_DISABLE_ALL")
    lengths = (SIZES[0][1], options.max_tokens, options.max_tokens + 1, 2 * options.max_tokens + 3)
    inputs = tuple(example_inputs(model, (4, length), seed) for seed, length in enumerate(lengths))
    return Answers(inputs, tuple(session.run(None, cut_rows(each, options))[0] for each in inputs))
