"""The last token that is no padding, in graphs of a few nodes; test_pack_rows.py has whole decoders."""

import numpy as np
import pytest

from temper.transforms.graph.last_token import last_token, read_fixed_token
from temper.transforms.graph.probe import observed_shapes
from tests.unit.transforms.graph.small_graphs import graph_of, run

PAD = 3
CONSTANTS = {
    "pad": np.array(PAD),
    "table": np.zeros((9, 4), np.float32),
    "zero": np.array(0),
    "one": np.array(1),
    "last": np.array([-1]),
    "first_axis": np.array([0]),
}


def picking(*telling):
    """A graph that gathers the token of each row whose place is `place` [batch], told by some nodes out of the input ids."""
    nodes = [
        ("Gather", ["table", "input_ids"], "embedded"),
        ("Add", ["x", "embedded"], "hidden"),
        ("Shape", ["input_ids"], "tokens", {"start": 1, "end": 2}),
        ("Squeeze", ["tokens", "first_axis"], "length"),
        ("Range", ["zero", "length", "one"], "places"),
        *telling,
        ("Unsqueeze", ["place", "last"], "indices"),
        ("GatherND", ["hidden", "indices"], "logits", {"batch_dims": 1}),
    ]
    return graph_of(nodes, CONSTANTS, ids=True)


NO_PAD = [("Equal", ["input_ids", "pad"], "pads"), ("Not", ["pads"], "kept"), ("Cast", ["kept"], "counted", {"to": 7})]
PLACE_OF_LAST = [("Mul", ["counted", "places"], "told"), ("ArgMax", ["told"], "place", {"axis": 1, "keepdims": 0})]


def test_the_last_token_that_is_no_padding_is_found_with_what_pads():
    model = picking(*NO_PAD, *PLACE_OF_LAST)
    found = last_token(model, observed_shapes(model))
    assert (found.classifier.name, found.pad) == ("logits", PAD)


@pytest.mark.parametrize(
    "telling",
    [
        [*NO_PAD, ("ArgMax", ["counted"], "place", {"axis": 1, "keepdims": 0})],  # the first that is none
        [
            ("Equal", ["input_ids", "pad"], "kept"),
            ("Cast", ["kept"], "counted", {"to": 7}),
            *PLACE_OF_LAST,
        ],  # that pads
    ],
)
def test_another_token_that_is_told_by_its_id_is_not_taken_for_it(telling):
    model = picking(*telling)
    assert last_token(model, observed_shapes(model)) is None


def test_in_its_place_the_first_one_can_be_read():
    model = picking(*NO_PAD, *PLACE_OF_LAST)
    read_fixed_token(model, last_token(model, observed_shapes(model)), "first")
    x = np.random.default_rng(0).standard_normal((2, 5, 4)).astype(np.float32)
    np.testing.assert_array_equal(run(model, {"x": x, "input_ids": np.full((2, 5), 1)}), x[:, 0])
