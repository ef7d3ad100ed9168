"""Places of tokens that graphs of a few nodes count and read; test_pack_rows.py has whole models."""

import numpy as np
import pytest

from temper.errors import ArtifactError
from temper.transforms.graph.positions import check_places, counted_places, live_nodes
from temper.transforms.graph.probe import observed_shapes, values_of
from tests.unit.transforms.graph.small_graphs import graph_of, refused

CONSTANTS = {
    "table": np.arange(160, dtype=np.float32).reshape(40, 4),
    "zero": np.array(0),
    "one": np.array(1),
    "two": np.array(2),
    "first_axis": np.array([0]),
    "token_axis": np.array([1]),
    "pad": np.array(0),
}
COLUMNS = [
    ("Shape", ["attention_mask"], "tokens", {"start": 1, "end": 2}),
    ("Squeeze", ["tokens", "first_axis"], "length"),
    ("Range", ["zero", "length", "one"], "range"),
    ("Unsqueeze", ["range", "first_axis"], "columns"),
]
SHOWN = [("CumSum", ["attention_mask", "one"], "counted"), ("Add", ["counted", "one"], "places")]
FROM_THE_LEFT = [
    *COLUMNS,
    ("ReduceSum", ["attention_mask", "token_axis"], "own"),
    ("Sub", ["tokens", "own"], "padding"),
    ("Sub", ["columns", "padding"], "below"),
    ("Clip", ["below", "zero"], "places"),
]
NO_PAD = [
    ("Equal", ["input_ids", "pad"], "pads"),
    ("Not", ["pads"], "kept"),
    ("Cast", ["kept"], "ones", {"to": 7}),
    ("CumSum", ["ones", "one"], "places"),
]


def reading(*counting, by="places", ids=False):
    nodes = [
        *counting,
        ("Gather", ["table", by], "embedded"),
        ("Add", ["x", "embedded"], "hidden"),
        ("ReduceMean", ["hidden", "token_axis"], "logits", {"keepdims": 0}),
    ]
    return graph_of(nodes, CONSTANTS, mask=True, ids=ids)


def found(model, side="right"):
    places = counted_places(model, observed_shapes(model), live_nodes(model, []), side)
    return [([(node.name, node.input[at]) for node, at in each.readers], each.first) for each in places]


def test_columns_are_counted_on_the_side_without_padding():
    model = reading(*COLUMNS, by="columns")
    assert found(model) == [([("embedded", "columns")], 0)]
    assert found(model, "left") == []


def test_tokens_that_the_mask_shows_are_counted_on_either_side_from_the_first_one_on():
    model = reading(*SHOWN)
    assert found(model) == found(model, "left") == [([("embedded", "places")], 2)]


def test_places_behind_padding_on_the_left_are_none_beside_padding_on_the_right():
    assert found(reading(*FROM_THE_LEFT)) == [([("below", "columns")], 0)]
    assert found(reading(*FROM_THE_LEFT), "left") == [([("embedded", "places")], 0)]


def test_tokens_that_are_told_by_their_id_are_counted():
    assert found(reading(*NO_PAD, ids=True)) == [([("embedded", "places")], 1)]


def test_what_is_no_count_is_not_found():
    twice = [*COLUMNS, ("Mul", ["columns", "two"], "places")]
    assert found(reading(*twice)) == [([("places", "columns")], 0)]


def test_one_row_of_types_for_all_is_still_read_at_one_rows_places():
    """BERT gathers its token types, all 0, at [1, token] places: the places of several rows are beyond that one row."""
    types = [("GatherElements", ["types", "columns"], "chosen", {"axis": 1}), ("Gather", ["table", "chosen"], "typed")]
    read = [("Gather", ["table", "columns"], "embedded"), ("Add", ["embedded", "typed"], "both")]
    used = [("Add", ["x", "both"], "hidden"), ("ReduceMean", ["hidden", "token_axis"], "logits", {"keepdims": 0})]
    constants = CONSTANTS | {"types": np.zeros((1, 9), np.int64)}
    assert found(graph_of([*COLUMNS, *types, *read, *used], constants, mask=True)) == [([("embedded", "columns")], 0)]


def test_distances_are_still_made_of_one_rows_places():
    assert found(mixture(*BY_DISTANCE, of="table_of_two")) == []


def test_nodes_behind_what_is_replaced_are_not_looked_at():
    model = reading(*COLUMNS, by="columns")
    (hidden,) = (node for node in model.graph.node if node.name == "hidden")
    live = live_nodes(model, [(hidden, 1)])
    assert live == {"hidden", "logits"}
    assert counted_places(model, observed_shapes(model), live, "right") == []


ROW = 6
BY_DISTANCE = [("Unsqueeze", ["range", "token_axis"], "queries"), ("Sub", ["columns", "queries"], "table_of_two")]
BY_PLACE = [("Unsqueeze", ["range", "token_axis"], "queries"), ("Mul", ["columns", "queries"], "table_of_two")]
ALIKE = [("Mul", ["columns", "zero"], "table_of_one")]


def mixture(*made, of):
    """A graph in which what is made of the length alone meets the hidden states."""
    used = (
        [("Cast", [of], "weights", {"to": 1}), ("MatMul", ["weights", "x"], "hidden")]
        if of == "table_of_two"
        else [("Gather", ["table", of], "embedded"), ("Add", ["x", "embedded"], "hidden")]
    )
    answering = ("ReduceMean", ["hidden", "token_axis"], "logits", {"keepdims": 0})
    return graph_of([*COLUMNS, *made, *used, answering], CONSTANTS, mask=True)


def mixing(*made, of):
    """The same on rows of ROW tokens, and the shapes that it had."""
    model = mixture(*made, of=of)
    shapes = observed_shapes(model)
    for value in model.graph.input:
        value.type.tensor_type.shape.dim[1].dim_value = ROW
    return model, shapes


@pytest.mark.parametrize(("made", "of"), [(BY_DISTANCE, "table_of_two"), (ALIKE, "table_of_one")])
def test_what_depends_on_distances_or_on_nothing_may_stay(made, of):
    check_places(*mixing(*made, of=of), refused)


@pytest.mark.parametrize(("made", "of"), [(BY_PLACE, "table_of_two"), ([], "columns")])
def test_what_tells_places_apart_is_refused_by_name(made, of):
    with pytest.raises(ArtifactError, match=r"'hidden' reads .* tells places of a row apart"):
        check_places(*mixing(*made, of=of), refused)


def test_a_tensor_is_computed_without_what_it_is_not_made_of():
    model = reading(*SHOWN)
    ran = values_of(model, ["places"], {"attention_mask": np.array([[1, 1, 0]])})
    assert ran["places"].tolist() == [[2, 3, 3]]
