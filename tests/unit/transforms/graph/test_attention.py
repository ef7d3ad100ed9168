"""Attention as products and a softmax: found, and written so that it can be fused."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from temper.errors import ArtifactError
from temper.transforms.graph.attention import find_attention, rewrite_attention
from temper.transforms.graph.probe import Answers, attribute

HEADS, FEATURES = 2, 4


def small(*, behind=False, key_halves=False, guard=False, masked=True, kind="Div", reads_scores=False):
    """Attention on [rows, tokens, 8] by hand: the scale behind the scores, or half of it on either side."""
    nodes, constants = [], [numpy_helper.from_array(np.asarray([0, 0, HEADS, FEATURES], np.int64), "split")]
    generator = np.random.default_rng(3)

    def node(operator, inputs, name, **attributes):
        nodes.append(helper.make_node(operator, inputs, [name], name=name, **attributes))
        return name

    def constant(name, value):
        constants.append(numpy_helper.from_array(np.asarray(value, np.float32), name))
        return name

    heads = {}
    for part in "qkv":
        weight = constant(f"w_{part}", generator.standard_normal((8, 8)) * 0.5)
        split = node("Reshape", [node("MatMul", ["x", weight], f"project_{part}"), "split"], f"split_{part}")
        heads[part] = node("Transpose", [split], f"heads_{part}", perm=[0, 2, 1, 3])
    keys = node("Transpose", [heads["k"]], "keys", perm=[0, 1, 3, 2])
    queries = heads["q"]
    if key_halves:
        queries = node("Mul", [queries, constant("half_q", FEATURES**-0.25)], "queries_half")
        keys = node("Mul", [constant("half_k", FEATURES**-0.25), keys], "keys_half")
    scores = node("MatMul", [queries, keys], "product_of_scores")
    if behind:
        divided = constant("root", FEATURES**0.5 if kind == "Div" else FEATURES**-0.5)
        scores = node(kind, [scores, divided], "scaled_scores")
    if masked:
        scores = node("Add", [scores, "mask"], "masked")
    seen = node("Softmax", [scores], "softmax", axis=-1)
    if guard:
        seen = node("Where", [node("IsNaN", [seen], "is_nan"), constant("nothing", 0), seen], "guarded")
    weighted = node("MatMul", [seen, heads["v"]], "product_of_values")
    if reads_scores:
        weighted = node("Add", [weighted, node("ReduceMean", ["scaled_scores"], "mean", keepdims=1)], "with_scores")
    node("ReduceMean", [weighted], "logits", keepdims=0)
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", "tokens", 8])]
    if masked:
        inputs.append(helper.make_tensor_value_info("mask", TensorProto.FLOAT, ["rows", 1, 1, "tokens"]))
    graph = helper.make_graph(
        nodes, "attention", inputs, [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [])], constants
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    return model


def rewritten(model):
    answers = Answers.of(model)
    changed = rewrite_attention(model, find_attention(model, "rewrite"))
    onnx.checker.check_model(model, full_check=True)
    answers.check(model, "rewrite")
    return changed, {node.name: node for node in model.graph.node}, {node.output[0]: node for node in model.graph.node}


def stored(model):
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


@pytest.mark.parametrize(
    "form",
    [
        {"behind": True},
        {"behind": True, "kind": "Mul", "masked": False},
        {"key_halves": True},
        {"key_halves": True, "guard": True},
        {"behind": True, "key_halves": True},
    ],
)
def test_the_whole_scale_stands_on_the_querys_side_and_the_softmax_is_what_values_are_weighted_by(form):
    model = small(**form)
    changed, by_name, made_by = rewritten(model)
    query, key = by_name["product_of_scores"].input
    whole = FEATURES ** -(0.5 * form.get("behind", False) + 0.5 * form.get("key_halves", False))
    assert made_by[query].op_type == "Mul"
    assert stored(model)[made_by[query].input[1]] == pytest.approx(whole)
    assert (made_by[key].op_type, attribute(made_by[key], "perm")) == ("Transpose", [0, 2, 3, 1])
    assert made_by[key].input[0] == "split_k"  # its own two transposes are one
    assert made_by[by_name["product_of_values"].input[0]].op_type == "Softmax"
    assert {node.op_type for node in model.graph.node}.isdisjoint({"Div", "IsNaN", "Where"})
    before = FEATURES ** -(0.25 * form.get("key_halves", False))
    assert {each.name: each.factor for each in changed} == {
        query: pytest.approx(whole / before),
        key: pytest.approx(1 / before),
    }


def test_operands_keep_their_names_for_who_gives_a_product_back_to_float():
    model = small(key_halves=True, guard=True)
    read = {node.name: list(node.input) for node in model.graph.node if node.name.startswith("product")}
    _, by_name, _ = rewritten(model)
    assert {name: list(by_name[name].input) for name in read} == read


def test_a_scale_whose_result_others_read_is_not_moved():
    with pytest.raises(ArtifactError, match="none of the 1 Softmax nodes"):
        find_attention(small(behind=True, reads_scores=True), "rewrite")


def test_a_file_without_attention_is_refused_with_the_reason():
    model = small()
    for node in model.graph.node:
        node.op_type = "Sigmoid" if node.op_type == "Softmax" else node.op_type
    with pytest.raises(ArtifactError, match="no Softmax, and so no attention"):
        find_attention(model, "rewrite")
    model.graph.node[0].op_type = "Attention"
    with pytest.raises(ArtifactError, match=r"one operator in this file \(1 Attention nodes\)"):
        find_attention(model, "rewrite")
