"""Where graphs of a few nodes ask the attention mask; test_pack_rows.py has a whole model."""

import numpy as np
import pytest

from temper.artifacts.onnx_file import load
from temper.errors import ArtifactError
from temper.transforms.graph.attention_mask import mask_readers, seen_by_distance
from temper.transforms.graph.probe import observed_shapes
from tests.unit.transforms.graph.small_graphs import graph_of, refused

CONSTANTS = {
    "ones": np.array([1, 2]),
    "nothing": np.float32(0.0),
    "hidden": np.float32(-1e30),
    "heads_axis": np.array([1]),
    "sum_axes": np.array([1, 2]),
}
MADE = [  # a boolean mask [batch, 1, 1, keys], and scores [batch, 1, queries, keys]
    ("Cast", ["attention_mask"], "keys", {"to": 9}),
    ("Unsqueeze", ["keys", "ones"], "mask"),
    ("Transpose", ["x"], "turned", {"perm": [0, 2, 1]}),
    ("MatMul", ["x", "turned"], "products"),
    ("Unsqueeze", ["products", "heads_axis"], "scores"),
]
USED = [("Add", ["scores", "added"], "masked"), ("ReduceSum", ["masked", "sum_axes"], "logits", {"keepdims": 0})]


def readers(*nodes):
    model = graph_of([*MADE, *nodes], CONSTANTS, mask=True)
    return [(node.name, at) for node, at in mask_readers(model, observed_shapes(model), refused)]


def test_what_chooses_a_large_negative_number_by_it_is_found():
    assert readers(("Where", ["mask", "nothing", "hidden"], "added"), *USED) == [("added", 0)]


def test_a_mask_that_hides_what_it_should_keep_is_refused():
    with pytest.raises(ArtifactError, match=r"'added' reads the mask 'mask'.*in a way that is not known"):
        readers(("Where", ["mask", "hidden", "nothing"], "added"), *USED)


def test_values_that_the_graph_computes_are_refused():
    with pytest.raises(ArtifactError, match="in a way that is not known"):
        readers(("Where", ["mask", "scores", "hidden"], "added"), *USED)


def test_a_mask_of_another_form_is_refused():
    by_row = [("Where", ["keys", "nothing", "hidden"], "rows"), ("Unsqueeze", ["rows", "ones"], "added")]
    with pytest.raises(ArtifactError, match=r"reads the mask 'keys'"):
        readers(*by_row, *USED)


def test_what_follows_from_its_shape_alone_is_no_mask():
    chosen_by_sizes = [
        ("Shape", ["mask"], "sizes"),
        ("Cast", ["sizes"], "there", {"to": 9}),
        ("Where", ["there", "nothing", "hidden"], "zeros"),
        ("ReduceSum", ["zeros"], "added", {"keepdims": 0}),
    ]
    with pytest.raises(ArtifactError, match="no attention reads a mask"):
        readers(*chosen_by_sizes, *USED)


def test_the_mask_of_a_whole_model_is_found(tiny_study):
    model = load(tiny_study.fp32)
    found = mask_readers(model, observed_shapes(model), refused)
    assert [(node.op_type, at) for node, at in found] == [("Where", 0)]


LENGTH = 9
PLACES = [
    ("Shape", ["attention_mask"], "length", {"start": 1, "end": 2}),
    ("Squeeze", ["length", "first_axis"], "many"),
    ("Range", ["zero", "many", "one"], "columns"),
    ("Unsqueeze", ["columns", "heads_axis"], "rows"),
]
SIZES_AND_STEPS = {
    "zero": np.array(0),
    "one": np.array(1),
    "three": np.array(3),
    "first_axis": np.array([0]),
    "ones_in_front": np.array([0, 1]),
}
CAUSAL = [("LessOrEqual", ["columns", "rows"], "by_place")]
LOCAL = [
    ("Sub", ["rows", "columns"], "distance"),
    ("Abs", ["distance"], "far"),
    ("Less", ["far", "three"], "by_place"),
]
BLOCKS = [
    ("Div", ["rows", "three"], "block_of_query"),
    ("Div", ["columns", "three"], "block_of_key"),
    ("Equal", ["block_of_query", "block_of_key"], "by_place"),
]


def seen(*by_place, side="right"):
    """What a mask of keys that do not pad, and of another, shows by distance."""
    both = [("Unsqueeze", ["by_place", "ones_in_front"], "broad"), ("And", ["mask", "broad"], "both")]
    used = [("Where", ["both", "nothing", "hidden"], "added"), *USED]
    nodes = [*MADE, *PLACES, *by_place, *both, *used]
    return seen_by_distance(graph_of(nodes, CONSTANTS | SIZES_AND_STEPS, mask=True), "both", LENGTH, side, refused)


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_causal_and_a_local_mask_are_known_by_distance(side):
    places = np.arange(LENGTH)
    np.testing.assert_array_equal(seen(*CAUSAL, side=side), [[places <= places[:, None]]])
    np.testing.assert_array_equal(seen(*LOCAL, side=side), [[np.abs(places - places[:, None]) < 3]])


def test_a_mask_that_hides_nothing_but_padding_is_none():
    model = graph_of([*MADE, ("Where", ["mask", "nothing", "hidden"], "added"), *USED], CONSTANTS, mask=True)
    assert seen_by_distance(model, "mask", LENGTH, "right", refused) is None


def test_blocks_that_begin_at_fixed_places_are_refused():
    with pytest.raises(ArtifactError, match="depends on places in a row"):
        seen(*BLOCKS)


def test_a_mask_that_hides_keys_for_another_reason_is_refused():
    next_pads = [("Not", ["mask"], "turned_round"), ("And", ["mask", "turned_round"], "never")]
    nodes = [*MADE, *next_pads, ("Or", ["never", "mask"], "any"), ("Not", ["any"], "both")]
    model = graph_of([*nodes, ("Where", ["both", "nothing", "hidden"], "added"), *USED], CONSTANTS, mask=True)
    with pytest.raises(ArtifactError, match="hides more than what pads"):
        seen_by_distance(model, "both", LENGTH, "right", refused)
