import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from temper.errors import ArtifactError
from temper.quantization.matching import Match, match

RANDOM = np.random.default_rng(5)
FIRST, SECOND = (RANDOM.standard_normal(shape).astype(np.float32) for shape in ((4, 6), (4, 4)))


def model(*products, weights):
    """A chain of products: each (name of the node, its inputs)."""
    nodes = [helper.make_node("MatMul", inputs, [f"{name}_out"], name=name) for name, inputs in products]
    stored = [numpy_helper.from_array(values, name) for name, values in weights.items()]
    entry = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", 6])
    result = helper.make_tensor_value_info(f"{products[-1][0]}_out", TensorProto.FLOAT, ["rows", 4])
    return helper.make_model(helper.make_graph(nodes, "chain", [entry], [result], stored))


def test_a_product_is_the_module_whose_weight_it_holds_also_transposed():
    chain = model(("a", ["x", "w1"]), ("b", ["a_out", "w2"]), weights={"w1": FIRST.T.copy(), "w2": SECOND})
    assert match({"first": FIRST, "second": SECOND}, chain, kept=()) == [
        Match("a", "x", "first"),
        Match("b", "a_out", "second"),
    ]


def test_what_is_kept_and_products_of_two_activations_are_left_out():
    chain = model(("a", ["x", "w1"]), ("b", ["a_out", "a_out"]), weights={"w1": FIRST.T.copy()})
    assert match({"first": FIRST}, chain, kept=("a",)) == []
    assert [each.node for each in match({"first": FIRST}, chain, kept=())] == ["a"]


def test_a_name_decides_where_a_weight_was_changed_on_the_way_or_two_are_equal():
    chain = model(
        ("a", ["x", "network.first.weight"]),
        ("b", ["a_out", "network.second.weight"]),
        weights={"network.first.weight": 2 * FIRST.T, "network.second.weight": SECOND},
    )
    found = match({"first": FIRST, "second": SECOND, "twin": SECOND}, chain, kept=())
    assert [each.module for each in found] == ["first", "second"]


def test_a_product_of_no_module_is_refused_by_name():
    chain = model(("a", ["x", "w1"]), weights={"w1": FIRST.T + 1})
    with pytest.raises(ArtifactError) as caught:
        match({"first": FIRST}, chain, kept=())
    assert caught.value.happened.startswith("a of the ONNX file hold weights of no")
    assert "keep_in_float" in caught.value.fix


def test_a_module_that_is_called_twice_is_refused():
    chain = model(("a", ["x", "w1"]), ("b", ["x", "w1"]), ("c", ["a_out", "b_out"]), weights={"w1": FIRST.T.copy()})
    with pytest.raises(ArtifactError, match="first are called several times"):
        match({"first": FIRST}, chain, kept=())
