"""Rows that hold several sentences end to end: hardly any token is padding, whatever the lengths and their order.

A graph step: weights and precision stay, and so do the answers; the inputs are others (temper/lengths/packing.py makes them).
"""

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper
from pydantic import BaseModel, ConfigDict, PositiveInt

from temper.artifacts.onnx_file import open_session
from temper.artifacts.signature import BATCH_AXIS, ROWS_AXIS, Signature, TensorSpec
from temper.errors import ArtifactError
from temper.lengths.packing import ATTENTION_MASK, FIRST_TOKENS, POSITION_IDS, SEGMENT_IDS, pack
from temper.quantization.calibration.cache import CalibrationCache
from temper.transforms.graph.attention_mask import mask_readers
from temper.transforms.graph.probe import Answers, Shape, attribute, example_inputs, observed_shapes
from temper.transforms.graph.prune import prune
from temper.transforms.graph.token_cut import TOKEN_AXIS, TokenCut, cut_tokens, insert_behind

NEEDS_CALIBRATION = False
LIBRARIES = ("onnx", "onnxruntime")

NAME = "pack_rows"


class Options(BaseModel):
    """Options of a precision row whose step is pack_rows."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    row_tokens: PositiveInt  # tokens of a row: at least data.max_tokens


def _refused(happened: str) -> ArtifactError:
    return ArtifactError(
        asked=f"apply {NAME}: several sentences in one row of tokens",
        happened=happened,
        affected="this ONNX file and what is made from it; nothing was written",
        fix="drop the row from params.yaml: it is for encoders as PyTorch's exporter writes BERT, DistilBERT, RoBERTa and MPNet, "
        "in FP32, before a precision's own step",
    )


def signature_after(signature: Signature, options: Options) -> Signature:
    """The inputs of the packed model, all int32: no index needs more.

    Raises:
        ArtifactError: not a text model that is padded on the right.
    """
    if signature.answers_at is not None:
        raise _refused("the model answers each token of a row, and the step leaves no more than its first")
    if ATTENTION_MASK not in {spec.name for spec in signature.inputs} or signature.padding_side != "right":
        raise _refused(
            f"the model's inputs are {[spec.name for spec in signature.inputs]}, padded on the {signature.padding_side}"
        )
    kept = [spec.name for spec in signature.inputs if spec.name != ATTENTION_MASK]
    row = (ROWS_AXIS, options.row_tokens)
    inputs = (
        TensorSpec(name=FIRST_TOKENS, dtype="int32", axes=(BATCH_AXIS,), pad_value=0),
        *(TensorSpec(name=name, dtype="int32", axes=row, pad_value=0) for name in (*kept, SEGMENT_IDS, POSITION_IDS)),
    )
    return signature.model_copy(update={"inputs": inputs, "row_tokens": options.row_tokens})


def convert(model: ModelProto, cache: CalibrationCache | None, options: Options) -> ModelProto:
    """The model on packed rows.

    Token-wise layers run on the rows as they are. Attention sees tokens of one segment only. Embeddings take the position
    in the sentence. The classifier's token is gathered once per sentence, behind the last attention: what follows runs for
    those tokens alone.

    Raises:
        ArtifactError: the graph is not of the known form, or the answers changed.
    """
    answers, shapes, counted = Answers.of(model), observed_shapes(model), _counted_positions(model)
    cut = cut_tokens(model, shapes, NAME, across_attention=False, refused=_refused)
    if cut.place != 0:
        raise _refused(f"the classifier reads token {cut.place}, not the first one")
    _gather_first_tokens(model, cut, shapes)
    _mask_by_segment(model, shapes)
    _take_positions(model, shapes, counted)
    _change_inputs(model, options.row_tokens)
    prune(model)
    dtypes = {value.name: "int32" for value in model.graph.input}
    answers.check(model, NAME, adapt=lambda inputs: pack(inputs, options.row_tokens, dtypes))
    return model


def _constant(model: ModelProto, name: str, value: list[int] | int) -> str:
    model.graph.initializer.append(numpy_helper.from_array(np.asarray(value, np.int64), f"{NAME}_{name}"))
    return f"{NAME}_{name}"


def _gather_first_tokens(model: ModelProto, cut: TokenCut, shapes: dict[str, Shape]) -> None:
    """[rows, row_tokens, feature] → [sentences, 1, feature], where the choice of the token has to stand."""
    token_axis, zero = _constant(model, "token_axis", [TOKEN_AXIS]), _constant(model, "only", 0)
    behind: dict[str, list[NodeProto]] = {}
    for name, axes in cut.wanted.items():
        if list(axes) != [TOKEN_AXIS] or len(shapes[name]) != 3:
            raise _refused(f"the first tokens of {name!r} {shapes[name]} cannot be gathered")
        flat, chosen, made = (f"{name}_{NAME}_{part}" for part in ("flat", "chosen", "first"))
        size = _constant(model, f"{name}_size", [-1, int(shapes[name][2])])  # type: ignore[arg-type]
        behind[name] = [
            helper.make_node("Reshape", [name, size], [flat], name=flat),
            helper.make_node("Gather", [flat, FIRST_TOKENS], [chosen], name=chosen, axis=0),
            helper.make_node("Unsqueeze", [chosen, token_axis], [made], name=made),
        ]
        for node, position in axes[TOKEN_AXIS]:
            node.input[position] = made
    cut.classifier.input[1] = zero
    insert_behind(model, behind)


def _mask_by_segment(model: ModelProto, shapes: dict[str, Shape]) -> None:
    """Let a token see the tokens of its own segment, wherever the graph asks the attention mask."""
    query, key, same = f"{NAME}_query", f"{NAME}_key", f"{NAME}_same_segment"
    for node, at in mask_readers(model, shapes, _refused):
        node.input[at] = same
    axes = _constant(model, "query_axes", [1, 3]), _constant(model, "key_axes", [1, 2])
    nodes = [
        helper.make_node("Unsqueeze", [SEGMENT_IDS, axes[0]], [query], name=query),
        helper.make_node("Unsqueeze", [SEGMENT_IDS, axes[1]], [key], name=key),
        helper.make_node("Equal", [query, key], [same], name=same),
    ]
    insert_behind(model, {SEGMENT_IDS: nodes})


def _take_positions(model: ModelProto, shapes: dict[str, Shape], counted: tuple[str, int] | None) -> None:
    """Let the table of positions be read at the places in the sentence."""
    tables = {tensor.name for tensor in model.graph.initializer if len(tensor.dims) == 2}
    given = {value.name for value in model.graph.input}
    positions = (1, shapes[ATTENTION_MASK][1])
    found = [
        node
        for node in model.graph.node
        if node.op_type == "Gather"
        and attribute(node, "axis", 0) == 0
        and node.input[0] in tables
        and node.input[1] not in given
        and shapes[node.input[1]] == positions
    ]
    if not found and counted is not None:
        _count_in_the_sentence(model, *counted)
        return
    if len(found) != 1:
        raise _refused(f"{len(found)} tables are read at 0, 1, 2, …, where the positions' table should be the only one")
    found[0].input[1] = POSITION_IDS


def _counted_positions(model: ModelProto) -> tuple[str, int] | None:
    """Positions that are counted over the tokens, as RoBERTa and MPNet count those that do not pad, and the first one's number.

    Returns:
        The value that holds them, and what a row's first token has; None where no table or more than one is read so.
    """
    made_by = {output: node for node in model.graph.node for output in node.output}
    tables = {tensor.name for tensor in model.graph.initializer if len(tensor.dims) == 2}

    def behind(name: str) -> set[str]:
        """All that a value is made of."""
        seen, open_ = set[str](), [name]
        while open_:
            node = made_by.get(open_.pop())
            new = set(node.input) - seen if node is not None else set()
            seen |= new
            open_ += new
        return seen

    counts = {node.output[0] for node in model.graph.node if node.op_type == "CumSum"}
    if not counts:
        return None
    read = {node.input[1] for node in model.graph.node if node.op_type == "Gather" and node.input[0] in tables}
    found = {name: behind(name) for name in read}
    found = {name: own for name, own in found.items() if own & counts}
    # a table of token types may be read by positions, too: what is made of another is not the one
    first = [name for name, own in found.items() if not own & found.keys()]
    if len(first) != 1:
        return None
    (name,) = first
    asked = ModelProto()
    asked.CopyFrom(model)
    asked.graph.output.append(helper.make_empty_tensor_value_info(name))
    session = open_session(asked, 1, "ORT_DISABLE_ALL")
    values = session.run([name], dict(example_inputs(model, (4, 9), seed=0)))[0]
    # a token that pads is left out of the count, so the largest distance from the column is that of a row without one
    return name, int((values - np.arange(values.shape[-1])).max())


def _count_in_the_sentence(model: ModelProto, name: str, first: int) -> None:
    """Let whoever reads counted positions read the places in the sentence, from `first` on."""
    own, start = f"{NAME}_positions", f"{NAME}_first_position"
    model.graph.initializer.append(numpy_helper.from_array(np.asarray(first, np.int32), start))
    for node in model.graph.node:
        for place, each in enumerate(node.input):
            if each == name:
                node.input[place] = own
    insert_behind(model, {POSITION_IDS: [helper.make_node("Add", [POSITION_IDS, start], [own], name=own)]})


def _change_inputs(model: ModelProto, row_tokens: int) -> None:
    """The packed inputs in place of the padded ones; whatever asks their shape asks that of the rows."""
    graph = model.graph
    kept = [value.name for value in graph.input if value.name != ATTENTION_MASK]
    for node in graph.node:
        if node.op_type == "Shape" and node.input[0] in (*kept, ATTENTION_MASK):
            node.input[0] = kept[0]
    del graph.input[:]
    graph.input.append(helper.make_tensor_value_info(FIRST_TOKENS, TensorProto.INT32, [BATCH_AXIS]))
    for name in (*kept, SEGMENT_IDS, POSITION_IDS):
        graph.input.append(helper.make_tensor_value_info(name, TensorProto.INT32, [ROWS_AXIS, row_tokens]))
