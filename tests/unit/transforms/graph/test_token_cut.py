"""How far up the choice of a token moves, in graphs of a few nodes; test_read_token.py cuts a whole model."""

import numpy as np
import onnx
import pytest
from onnx import helper

from temper.errors import ArtifactError
from temper.transforms.graph.probe import observed_shapes
from temper.transforms.graph.token_cut import TOKEN_AXIS, cut_tokens, insert_behind
from tests.unit.transforms.graph.small_graphs import FEATURES, graph_of, node_named, refused, run

WEIGHT = np.arange(FEATURES * FEATURES, dtype=np.float32).reshape(FEATURES, FEATURES) / 10
CONSTANTS = {"place": np.int64(2), "w": WEIGHT, "one": np.ones(FEATURES, np.float32)}
GATHER = ("Gather", ["last", "place"], "logits", {"axis": TOKEN_AXIS})


def cut_of(*nodes, across_attention=True, constants=CONSTANTS):
    model = graph_of([*nodes, GATHER], constants)
    cut = cut_tokens(model, observed_shapes(model), "cut", across_attention=across_attention, refused=refused)
    assert (cut.classifier.name, cut.place) == ("logits", 2)
    return model, {
        tensor: {axis: [(node.name, at) for node, at in reads] for axis, reads in axes.items()}
        for tensor, axes in cut.wanted.items()
    }


@pytest.mark.parametrize(
    "node",
    [
        ("Relu", ["x"], "last"),
        ("MatMul", ["x", "w"], "last"),
        ("Add", ["x", "one"], "last"),
        ("LayerNormalization", ["x", "one"], "last", {"axis": -1}),
        ("Softmax", ["x"], "last", {"axis": -1}),
    ],
    ids=lambda node: node[0],
)
def test_what_treats_its_tokens_one_by_one_is_passed(node):
    assert cut_of(node)[1] == {"x": {TOKEN_AXIS: [("last", 0)]}}


@pytest.mark.parametrize(
    "node",
    [
        ("Softmax", ["x"], "last", {"axis": 1}),
        ("LayerNormalization", ["x", "one"], "last", {"axis": 1}),
        ("CumSum", ["x", "axis"], "last"),
    ],
    ids=lambda node: node[0],
)
def test_what_mixes_its_tokens_is_where_the_choice_stays(node):
    constants = {**CONSTANTS, "axis": np.int64(1)}
    if node[0] == "LayerNormalization":
        constants["one"] = np.float32(1.0)  # of every token and feature
    assert cut_of(node, constants=constants)[1] == {"last": {TOKEN_AXIS: [("logits", 0)]}}


def test_a_sum_asks_the_one_token_of_both_its_operands():
    _, wanted = cut_of(("Relu", ["x"], "left"), ("MatMul", ["x", "w"], "right"), ("Add", ["left", "right"], "last"))
    assert wanted == {"x": {TOKEN_AXIS: [("right", 0), ("left", 0)]}}


def test_a_tensor_that_another_node_reads_whole_is_not_cut_above():
    nodes = [("Relu", ["x"], "shared"), ("CumSum", ["shared", "axis"], "mixed"), ("Add", ["shared", "mixed"], "last")]
    _, wanted = cut_of(*nodes, constants={**CONSTANTS, "axis": np.int64(1)})
    assert wanted == {"shared": {TOKEN_AXIS: [("last", 0)]}, "mixed": {TOKEN_AXIS: [("last", 1)]}}


def attention():
    """x's heads as queries: [batch, token, 2, 2] → [batch, 2, token, 2] → product → back."""
    constants = {
        **CONSTANTS,
        "heads": np.array([0, 0, 2, 2]),
        "joined": np.array([0, 0, FEATURES]),
        "v": np.eye(2, dtype=np.float32),
    }
    nodes = [
        ("Relu", ["x"], "hidden"),
        ("Reshape", ["hidden", "heads"], "split"),
        ("Transpose", ["split"], "queries", {"perm": [0, 2, 1, 3]}),
        ("MatMul", ["queries", "v"], "context"),
        ("Transpose", ["context"], "back", {"perm": [0, 2, 1, 3]}),
        ("Reshape", ["back", "joined"], "last"),
    ]
    return nodes, constants


def test_across_attention_the_token_is_followed_through_heads_and_back():
    nodes, constants = attention()
    assert cut_of(*nodes, constants=constants)[1] == {"x": {TOKEN_AXIS: [("hidden", 0)]}}
    assert cut_of(*nodes, constants=constants, across_attention=False)[1] == {"last": {TOKEN_AXIS: [("logits", 0)]}}


def test_the_cut_graph_answers_as_before():
    nodes, constants = attention()
    x = np.random.default_rng(0).standard_normal((3, 5, FEATURES)).astype(np.float32)
    whole = run(graph_of([*nodes, GATHER], constants), {"x": x})
    model, wanted = cut_of(*nodes, constants=constants)
    # one token of x, kept as an axis of one place; the classifier then takes place 0
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array([2]), "chosen"))
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.int64(0), "first"))
    insert_behind(model, {"x": [helper.make_node("Gather", ["x", "chosen"], ["x_cut"], axis=TOKEN_AXIS)]})
    ((reader, at),) = wanted["x"][TOKEN_AXIS]
    node_named(model, reader).input[at] = "x_cut"
    node_named(model, "logits").input[1] = "first"
    np.testing.assert_allclose(run(model, {"x": x}), whole, rtol=1e-6)


@pytest.mark.parametrize(
    "nodes",
    [
        [("ReduceMean", ["x", "axes"], "logits", {"keepdims": 0})],
        [
            ("Gather", ["x", "place"], "one_token", {"axis": 1}),
            ("Gather", ["x", "other"], "two_token", {"axis": 1}),
            ("Add", ["one_token", "two_token"], "logits"),
        ],
    ],
    ids=["none", "two"],
)
def test_a_graph_that_reads_no_single_token_is_refused(nodes):
    model = graph_of(nodes, {**CONSTANTS, "axes": np.array([1]), "other": np.int64(0)})
    number = sum(node[0] == "Gather" for node in nodes)
    with pytest.raises(ArtifactError, match=f"{number} nodes pick one fixed token"):
        cut_tokens(model, observed_shapes(model), "cut", across_attention=True, refused=refused)


def test_nodes_stand_behind_the_maker_of_what_they_read_and_those_of_inputs_first():
    model = graph_of([("Relu", ["x"], "hidden"), ("Tanh", ["hidden"], "last"), GATHER], CONSTANTS)
    behind = {
        "hidden": [
            helper.make_node("Neg", ["hidden"], ["a"], name="a"),
            helper.make_node("Neg", ["a"], ["b"], name="b"),
        ],
        "x": [helper.make_node("Abs", ["x"], ["c"], name="c")],
    }
    insert_behind(model, behind)
    assert [node.name for node in model.graph.node] == ["c", "hidden", "a", "b", "last", "logits"]
    assert run(model, {"x": np.zeros((1, 3, FEATURES), np.float32)}).shape == (1, FEATURES)
