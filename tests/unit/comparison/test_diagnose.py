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
    assert "The most of those that are told: b (Add), 30.8 %." in found.sentences()
    assert diagnose(file(tmp_path, "one"), file(tmp_path, "two", shift=1.5), FEED, tolerance=0.5).first_beyond is None


def test_the_first_layer_that_is_no_number_is_named(tmp_path):
    found = diagnose(file(tmp_path, "one"), file(tmp_path, "two", divisor=0.0), FEED, tolerance=0.1)
    assert found.first_no_number is not None
    assert found.first_no_number.name == "a"
    assert math.isinf(found.first_no_number.difference)
    assert "The first that is no number: a (Div)." in found.sentences()


def test_what_lies_outside_a_scales_range_is_counted(tmp_path):
    found = diagnose(file(tmp_path, "one"), file(tmp_path, "two", scale=2 / 127), FEED, tolerance=0.1)
    (outside,) = found.saturated
    assert (outside.name, outside.share) == ("b", 0.25)  # 3 of 2, 3, 0 and 1.5
    assert outside.reach == pytest.approx(1.5, rel=1e-3)
    assert found.first_beyond is not None
    assert found.first_beyond.name == "logits"
    assert "25 % of its values outside the scale's range, up to 1.5 times as far" in found.sentences()[-1]


def test_files_of_other_inputs_are_refused_in_words(tmp_path):
    with pytest.raises(ArtifactError) as caught:
        diagnose(file(tmp_path, "one"), file(tmp_path, "two", inputs=("x", "y")), FEED, tolerance=0.1)
    assert "it takes x, y" in caught.value.happened
