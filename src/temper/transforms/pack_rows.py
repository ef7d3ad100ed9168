"""Rows that hold several sentences end to end: hardly any token is padding, whatever the lengths and their order.

A graph step: weights and precision stay, and so do the answers; the inputs are others (temper/lengths/packing.py makes them).
What a network does by a token's place, it does by its place in the sentence; docs/decisions/0099 says which networks are known.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper
from pydantic import BaseModel, ConfigDict, PositiveInt

from temper.artifacts.signature import BATCH_AXIS, ROW_TOKENS_AXIS, ROWS_AXIS, Signature, Tensors, TensorSpec
from temper.errors import ArtifactError
from temper.lengths.packing import ATTENTION_MASK, FIRST_TOKENS, POSITION_IDS, SEGMENT_IDS, pack
from temper.quantization.calibration.cache import CalibrationCache
from temper.transforms.graph.attention_mask import mask_readers, seen_by_distance
from temper.transforms.graph.last_token import INPUT_IDS, LastToken, last_token, read_fixed_token
from temper.transforms.graph.positions import Places, check_places, counted_places, live_nodes
from temper.transforms.graph.probe import SIZES, Answers, Shape, example_inputs, observed_shapes
from temper.transforms.graph.prune import prune, reads
from temper.transforms.graph.token_cut import TOKEN_AXIS, Reads, TokenCut, cut_tokens, fixed_token, insert_behind

NEEDS_CALIBRATION = False
LIBRARIES = ("onnx", "onnxruntime")

NAME = "pack_rows"


class Options(BaseModel):
    """Options of a precision row whose step is pack_rows."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    row_tokens: PositiveInt  # tokens of a row: at least data.max_tokens
    # rows are as short as a call's sentences allow, in tokens a multiple of it; None: always row_tokens
    pad_to_multiple_of: PositiveInt | None = None


def _refused(happened: str) -> ArtifactError:
    return ArtifactError(
        asked=f"apply {NAME}: several sentences in one row of tokens",
        happened=happened,
        affected="this ONNX file and what is made from it; nothing was written",
        fix="drop the row from params.yaml: it is for classifiers of texts as PyTorch's exporter writes them, in FP32, before a "
        "precision's own step; docs/matrix.md says of which families",
    )


def signature_after(signature: Signature, options: Options) -> Signature:
    """The inputs of the packed model, all int32: no index needs more.

    Raises:
        ArtifactError: not a text model with a mask that shows its padding, or one that answers each token.
    """
    if signature.answers_at is not None:
        raise _refused("the model answers each token of a row, and the step leaves one of each sentence")
    if ATTENTION_MASK not in {spec.name for spec in signature.inputs}:
        raise _refused(
            f"the model's inputs are {[spec.name for spec in signature.inputs]}, none of which shows the padding"
        )
    kept = [spec.name for spec in signature.inputs if spec.name != ATTENTION_MASK]
    row = (ROWS_AXIS, options.row_tokens if options.pad_to_multiple_of is None else ROW_TOKENS_AXIS)
    inputs = (
        TensorSpec(name=FIRST_TOKENS, dtype="int32", axes=(BATCH_AXIS,), pad_value=0),
        *(TensorSpec(name=name, dtype="int32", axes=row, pad_value=0) for name in (*kept, SEGMENT_IDS, POSITION_IDS)),
    )
    return signature.model_copy(
        update={
            "inputs": inputs,
            "row_tokens": options.row_tokens,
            "row_tokens_multiple_of": options.pad_to_multiple_of,
        }
    )


def convert(model: ModelProto, cache: CalibrationCache | None, options: Options) -> ModelProto:
    """The model on packed rows.

    Token-wise layers run on the rows as they are. Attention sees tokens of one segment only, and of those what it saw before:
    all, those before it, those near it. Tables of positions and rotary embeddings take the place in the sentence. The
    classifier's token, the first or the last of the sentence, is gathered once per sentence, behind the last attention: what
    follows runs for those tokens alone.

    Raises:
        ArtifactError: the graph is not of the known form, or the answers changed.
    """
    shapes = observed_shapes(model)
    last = last_token(model, shapes)
    place = fixed_token(model, shapes, _refused)[1] if last is None else 0
    if place != 0:
        raise _refused(f"the classifier reads token {place}, not the first one")
    readers = mask_readers(model, shapes, _refused)
    places, side = _places(model, shapes, readers if last is None else [*readers, (last.classifier, 1)])
    seen = {
        mask: seen_by_distance(model, mask, options.row_tokens, side, _refused)
        for mask in dict.fromkeys(node.input[at] for node, at in readers)
    }
    answers = Answers.of(model, [_padded(model, sizes, side, last) for sizes in SIZES])
    if last is not None:
        read_fixed_token(model, last, f"{NAME}_only")
        prune(model)  # what told the last token no longer reads the hidden states
        readers = _found_again(model, readers)
        places = [replace(each, readers=_found_again(model, each.readers)) for each in places]
    cut = cut_tokens(model, shapes, NAME, across_attention=False, refused=_refused)
    multiple_of = options.pad_to_multiple_of
    fixed = options.row_tokens if multiple_of is None else None
    tokens, finding = (FIRST_TOKENS, []) if last is None else _find_last_tokens(model, last, fixed)
    behind = _gather_tokens(model, cut, shapes, tokens)
    behind[SEGMENT_IDS] = [*finding, *_mask_by_segment(model, readers, seen, fixed)]
    behind[POSITION_IDS] = _take_positions(model, places)
    insert_behind(model, behind)
    _change_inputs(model, fixed or ROW_TOKENS_AXIS)
    prune(model)
    check_places(model, shapes, _refused)
    dtypes = {value.name: "int32" for value in model.graph.input}
    answers.check(model, NAME, adapt=lambda inputs: pack(inputs, options.row_tokens, dtypes, multiple_of))
    return model


def _constant(model: ModelProto, name: str, value: Any, dtype: Any = np.int64) -> str:
    model.graph.initializer.append(numpy_helper.from_array(np.asarray(value, dtype), f"{NAME}_{name}"))
    return f"{NAME}_{name}"


def _places(model: ModelProto, shapes: dict[str, Shape], replaced: Reads) -> tuple[list[Places], str]:
    """Who reads places of tokens, and the side of the padding beside which they are counted so.

    Raises:
        ArtifactError: beside neither is the mask asked for nothing else.
    """
    live, left_over = live_nodes(model, replaced), set[str]()
    for side in ("right", "left"):
        places = counted_places(model, shapes, live, side)
        still = live_nodes(model, [*replaced, *(read for each in places for read in each.readers)])
        asking = [node.name for node in model.graph.node if node.output[0] in still and _asks_the_mask(node)]
        if not asking:
            return places, side
        left_over.update(asking[:1])
    raise _refused(f"{' or '.join(sorted(left_over))} reads the attention mask in a way that is not known")


def _padded(model: ModelProto, sizes: tuple[int, int], side: str, last: LastToken | None) -> Tensors:
    """Made-up rows whose padding is told by its id, too, where the classifier's token is."""
    inputs = dict(example_inputs(model, sizes, seed=1, padding_side=side))
    if last is not None:
        inputs[INPUT_IDS] = np.where(inputs[ATTENTION_MASK] == 1, inputs[INPUT_IDS], last.pad)
    return inputs


def _asks_the_mask(node: NodeProto) -> bool:
    return node.op_type != "Shape" and ATTENTION_MASK in reads(node)


def _found_again(model: ModelProto, found: Reads) -> Reads:
    """The same nodes of a graph that was pruned since."""
    by_output = {node.output[0]: node for node in model.graph.node}
    return [(by_output[node.output[0]], at) for node, at in found if node.output[0] in by_output]


def _find_last_tokens(model: ModelProto, read: LastToken, row_tokens: int | None) -> tuple[str, list[NodeProto]]:
    """The place of each sentence's last token that is not the padding's, as the graph told it of a row, and what makes it.

    `row_tokens` is None where rows differ in length from call to call.
    """
    sizes = {
        "pad": _constant(model, "pad", read.pad, np.int32),
        "column": _constant(model, "column", [1]),
        "flat": _constant(model, "flat", [-1]),
    }
    nodes: list[NodeProto] = []

    def add(kind: str, made: str, *inputs: str, **attributes: Any) -> str:
        output = f"{NAME}_last_{made}"
        given = [sizes.get(name, name) for name in inputs]
        nodes.append(helper.make_node(kind, given, [output], name=output, **attributes))
        return output

    if row_tokens is None:
        sizes["none"], sizes["one"] = _constant(model, "none", 0, np.int32), _constant(model, "one", 1, np.int32)
        length = add("Cast", "row_length", _row_length(nodes, "last"), to=TensorProto.INT32)
        sizes["row_tokens"] = add("Squeeze", "row_tokens", length)
        sizes["places"] = add("Range", "places", "none", "row_tokens", "one")
    else:
        sizes["row_tokens"] = _constant(model, "row_tokens", row_tokens, np.int32)
        sizes["places"] = _constant(model, "places", [np.arange(row_tokens)], np.int32)
    row = add("Div", "row", FIRST_TOKENS, "row_tokens")
    begin = add("Mul", "row_begin", row, "row_tokens")
    first = add("Unsqueeze", "first", add("Sub", "first_in_row", FIRST_TOKENS, begin), "column")
    segments = add("Reshape", "segments", SEGMENT_IDS, "flat")
    segment = add("Unsqueeze", "segment", add("Gather", "of_first", segments, FIRST_TOKENS, axis=0), "column")
    own = add("Equal", "own", add("Gather", "row_segments", SEGMENT_IDS, row, axis=0), segment)
    pads = add("Equal", "pads", add("Gather", "row_ids", INPUT_IDS, row, axis=0), "pad")
    told = add("And", "told", own, add("Not", "tokens", pads))
    # a sentence of nothing but such tokens is read at its first one
    last = add("ReduceMax", "in_row", add("Where", "candidates", told, "places", first), "column", keepdims=0)
    return add("Add", "token", begin, last), nodes


def _row_length(nodes: list[NodeProto], name: str) -> str:
    """Tokens of a row of this call, int64 [1]; the node is put behind `nodes`."""
    made = f"{NAME}_{name}_shape"
    nodes.append(helper.make_node("Shape", [SEGMENT_IDS], [made], name=made, start=1, end=2))
    return made


def _gather_tokens(
    model: ModelProto, cut: TokenCut, shapes: dict[str, Shape], tokens: str
) -> dict[str, list[NodeProto]]:
    """[rows, row_tokens, feature] → [sentences, 1, feature], where the choice of the token has to stand."""
    token_axis, zero = _constant(model, "token_axis", [TOKEN_AXIS]), _constant(model, "zero", 0)
    behind: dict[str, list[NodeProto]] = {}
    for name, axes in cut.wanted.items():
        if list(axes) != [TOKEN_AXIS] or len(shapes[name]) != 3:
            raise _refused(f"the tokens of {name!r} {shapes[name]} that the classifier reads cannot be gathered")
        flat, chosen, made = (f"{name}_{NAME}_{part}" for part in ("flat", "chosen", "first"))
        size = _constant(model, f"{name}_size", [-1, int(shapes[name][2])])  # type: ignore[arg-type]
        behind[name] = [
            helper.make_node("Reshape", [name, size], [flat], name=flat),
            helper.make_node("Gather", [flat, tokens], [chosen], name=chosen, axis=0),
            helper.make_node("Unsqueeze", [chosen, token_axis], [made], name=made),
        ]
        for node, position in axes[TOKEN_AXIS]:
            node.input[position] = made
    cut.classifier.input[1] = zero
    return behind


def _mask_by_segment(
    model: ModelProto, readers: Reads, seen: dict[str, Any], row_tokens: int | None
) -> list[NodeProto]:
    """Let a token see the tokens of its own segment, of those that the mask showed by their distance.

    `row_tokens` is None where rows differ in length from call to call.
    """
    query, key, same = f"{NAME}_query", f"{NAME}_key", f"{NAME}_same_segment"
    axes = _constant(model, "query_axes", [1, 3]), _constant(model, "key_axes", [1, 2])
    nodes = [
        helper.make_node("Unsqueeze", [SEGMENT_IDS, axes[0]], [query], name=query),
        helper.make_node("Unsqueeze", [SEGMENT_IDS, axes[1]], [key], name=key),
        helper.make_node("Equal", [query, key], [same], name=same),
    ]
    masks: dict[bytes | None, str] = {None: same}
    for node, at in readers:
        shown = seen[node.input[at]]
        content = None if shown is None else shown.tobytes()
        if content not in masks:
            masks[content] = made = f"{same}_{len(masks)}"
            near = _constant(model, f"seen_{len(masks)}", shown, np.bool_)
            if row_tokens is None:
                for axis in (-2, -1):  # that of a query, and of a key
                    near, whole = f"{made}_near{axis}", near
                    ends = _row_length(nodes, f"near_{len(masks)}_{-axis}")
                    bounds = [_constant(model, f"zero_{len(masks)}_{-axis}", [0]), ends]
                    bounds.append(_constant(model, f"axis_{len(masks)}_{-axis}", [axis]))
                    nodes.append(helper.make_node("Slice", [whole, *bounds], [near], name=near))
            nodes.append(helper.make_node("And", [same, near], [made], name=made))
        node.input[at] = masks[content]
    return nodes


def _take_positions(model: ModelProto, places: list[Places]) -> list[NodeProto]:
    """Let whoever reads the places of a row's tokens read those in the sentence."""
    nodes: list[NodeProto] = []
    for number, each in enumerate(places):
        own = POSITION_IDS

        def add(kind: str, *inputs: str, number: int = number, **attributes: Any) -> str:
            made = f"{NAME}_positions_{number}_{kind}"
            nodes.append(helper.make_node(kind, inputs, [made], name=made, **attributes))
            return made

        if each.first:
            own = add("Add", own, _constant(model, f"first_position_{number}", each.first, np.int32))
        others = [axis for axis in range(1, each.rank) if axis != each.axis]
        if others:
            own = add("Unsqueeze", own, _constant(model, f"position_axes_{number}", others))
        indices = all(node.op_type in ("Gather", "GatherElements", "Cast") for node, _ in each.readers)
        if each.dtype != np.int32 and not indices:
            own = add("Cast", own, to=helper.np_dtype_to_tensor_dtype(each.dtype))
        for node, at in each.readers:
            node.input[at] = own
    return nodes


def _change_inputs(model: ModelProto, row_tokens: int | str) -> None:
    """The packed inputs in place of the padded ones; whatever asks their shape asks that of the rows."""
    graph = model.graph
    del graph.value_info[:]  # says what was made of int64
    kept = [value.name for value in graph.input if value.name != ATTENTION_MASK]
    for node in graph.node:
        if node.op_type == "Shape" and node.input[0] in (*kept, ATTENTION_MASK):
            node.input[0] = kept[0]
    del graph.input[:]
    graph.input.append(helper.make_tensor_value_info(FIRST_TOKENS, TensorProto.INT32, [BATCH_AXIS]))
    for name in (*kept, SEGMENT_IDS, POSITION_IDS):
        graph.input.append(helper.make_tensor_value_info(name, TensorProto.INT32, [ROWS_AXIS, row_tokens]))
