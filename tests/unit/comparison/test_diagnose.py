"""Where two files part, on graphs small enough to say it by hand."""

import math

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from temper.comparison.diagnose import diagnose
from temper.errors import ArtifactError

FEED = {"x": np.array([[1.0, 2.0], [-1.0, 0.5]], dtype=np.float32)}


def file(tmp_path, name, *, divisor=1.0, shift=1.0, scale=None, inputs=("x",)):
    """x / divisor = a, a + shift = b, 2 b = logits; with a scale, b goes through INT8."""
    constants = {"divisor": divisor, "shift": shift, "two": 2.0}
    nodes = [
        helper.make_node("Div", ["x", "divisor"], ["a"]),
        helper.make_node("Add", ["a", "shift"], ["b"]),
        helper.make_node("Mul", ["b" if scale is None else "rounded", "two"], ["logits"]),
    ]
    weights = [numpy_helper.from_array(np.asarray(value, np.float32), key) for key, value in constants.items()]
    if scale is not None:
        weights += [
            numpy_helper.from_array(np.asarray(scale, np.float32), "scale"),
            numpy_helper.from_array(np.asarray(0, np.int8), "zero"),
        ]
        nodes[2:2] = [
            helper.make_node("QuantizeLinear", ["b", "scale", "zero"], ["quantised"]),
            helper.make_node("DequantizeLinear", ["quantised", "scale", "zero"], ["rounded"]),
        ]
    given = [helper.make_tensor_value_info(each, TensorProto.FLOAT, ["batch_size", 2]) for each in inputs]
    made = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch_size", 2])
    graph = helper.make_graph(nodes, "made", given, [made], weights)
    path = tmp_path / f"{name}.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), path)
    return path


def test_files_that_compute_the_same_part_nowhere(tmp_path):
    found = diagnose(file(tmp_path, "one"), file(tmp_path, "two"), FEED, tolerance=0.1)
    assert [layer.name for layer in found.layers] == ["a", "b", "logits"]
    assert (found.first_beyond, found.first_no_number, found.saturated) == (None, None, [])
    assert found.sentences()[-1] == "No tensor differs by more than 10 % of its magnitude."


def test_the_first_layer_beyond_the_tolerance_is_named_by_what_makes_it(tmp_path):
    found = diagnose(file(tmp_path, "one"), file(tmp_path, "two", shift=1.5), FEED, tolerance=0.1)
    assert found.first_beyond is not None
    assert (found.first_beyond.name, found.first_beyond.operator) == ("b", "Add")
    # b is [[2, 3], [0, 1.5]] in the reference, and 0.5 off everywhere
    assert found.first_beyond.difference == pytest.approx(0.5 / 1.625)
    assert "The first beyond 10 %: b (Add), 30.8 %." in found.sentences()
    assert diagnose(file(tmp_path, "one"), file(tmp_path, "two", shift=1.5), FEED, tolerance=0.5).first_beyond is None


def test_the_first_layer_that_is_no_number_is_named(tmp_path):
    found = diagnose(file(tmp_path, "one"), file(tmp_path, "two", divisor=0.0), FEED, tolerance=0.1)
    assert found.first_no_number is not None
    assert found.first_no_number.name == "a"
    assert math.isinf(found.first_no_number.difference)
    assert found.sentences()[1:] == ["The first that has no number: a (Div)."]


def test_what_lies_outside_a_scales_range_is_counted(tmp_path):
    found = diagnose(file(tmp_path, "one"), file(tmp_path, "two", scale=2 / 127), FEED, tolerance=0.1)
    (outside,) = found.saturated
    assert (outside.name, outside.share) == ("b", 0.25)  # 3 of 2, 3, 0 and 1.5
    assert outside.reach == pytest.approx(1.5, rel=1e-3)
    assert found.first_beyond is not None
    assert found.first_beyond.name == "logits"
    assert found.sentences()[-1] == "25 % of b outside the range of its scale, up to 1.5 times as far."


def test_a_file_that_quantises_is_held_to_what_such_files_keep_to(tmp_path):
    assert diagnose(file(tmp_path, "one"), file(tmp_path, "two"), FEED).tolerance == 0.1
    assert diagnose(file(tmp_path, "one"), file(tmp_path, "two", scale=0.1), FEED).tolerance == 0.5


def masked(tmp_path, name, *, lowest, shift=0.0):
    """x + shift = a, where it is above 0, else a mask's number; a parameter of a module shifts it."""
    weights = {"network.layer.bias": shift, "zero": 0.0, "lowest": lowest}
    nodes = [
        helper.make_node("Add", ["x", "network.layer.bias"], ["a"]),
        helper.make_node("Greater", ["x", "zero"], ["seen"]),
        helper.make_node("Where", ["seen", "a", "lowest"], ["b"]),
        helper.make_node("Softmax", ["b"], ["logits"]),
    ]
    given, made = (helper.make_tensor_value_info(key, TensorProto.FLOAT, ["batch_size", 2]) for key in ("x", "logits"))
    constants = [numpy_helper.from_array(np.asarray(value, np.float32), key) for key, value in weights.items()]
    graph = helper.make_graph(nodes, "made", [given], [made], constants)
    path = tmp_path / f"{name}.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), path)
    return path


@pytest.mark.parametrize("lowest", [-65504.0, -math.inf])
def test_what_is_masked_on_both_sides_is_no_difference(tmp_path, lowest):
    feed = {"x": np.array([[1.0, -2.0], [1.0, 0.5]], dtype=np.float32)}
    sound = masked(tmp_path, "one", lowest=float(np.finfo(np.float32).min))
    found = diagnose(sound, masked(tmp_path, "two", lowest=lowest), feed)
    assert (found.first_beyond, found.first_no_number) == (None, None)
    assert len(found.layers) == 3
    shifted = diagnose(sound, masked(tmp_path, "three", lowest=lowest, shift=1.0), feed)
    assert str(shifted.first_beyond) == "a (Add of layer)"
    assert [layer.difference for layer in shifted.layers[:2]] == pytest.approx([4 / 4.5, 3 / 2.5])


def test_files_of_other_inputs_are_refused_in_words(tmp_path):
    with pytest.raises(ArtifactError) as caught:
        diagnose(file(tmp_path, "one"), file(tmp_path, "two", inputs=("x", "y")), FEED, tolerance=0.1)
    assert "it takes x, y" in caught.value.happened
