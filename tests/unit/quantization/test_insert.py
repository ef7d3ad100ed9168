"""Q/DQ nodes around products: FP8 and weight-only INT8."""

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from temper.artifacts.census import census_of_model
from temper.errors import ArtifactError
from temper.quantization.insert import FP8, INT8, insert_qdq
from tests.tiny_onnx import text_model

RANGES = {"mean": (-2.0, 1.0), "relu": (0.0, 4.0)}
INPUTS = {
    "input_ids": np.arange(12, dtype=np.int64).reshape(2, 6) % 12,
    "attention_mask": np.ones((2, 6), np.int64),
}


def answer(model):
    options = ort.SessionOptions()
    options.graph_optimization_level = (
        ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    )  # it fuses FP8 into what it cannot run
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, INPUTS)[0]


def stored(model):
    return {tensor.name: tensor for tensor in model.graph.initializer}


@pytest.mark.parametrize("per_channel", [True, False])
@pytest.mark.parametrize(("form", "ranges"), [(FP8, RANGES), (INT8, RANGES), (INT8, None), (FP8, None)])
def test_answers_stay_near_the_float_files(form, ranges, per_channel):
    model = text_model("fp32")
    found = insert_qdq(model, form, ranges, per_channel=per_channel, kept=())
    onnx.checker.check_model(found, full_check=True)
    difference = np.abs(answer(found) - answer(model)).max()
    assert 0 < difference < 0.5


def test_scales_let_each_range_just_fit():
    found = stored(insert_qdq(text_model("fp32"), FP8, RANGES, per_channel=True, kept=()))
    assert float(numpy_helper.to_array(found["mean/FP8/scale"])) == pytest.approx(2.0 / 448)
    assert float(numpy_helper.to_array(found["relu/FP8/scale"])) == pytest.approx(4.0 / 448)
    weight = numpy_helper.to_array(stored(text_model("fp32"))["first_weight"])
    scales = numpy_helper.to_array(found["first_weight/FP8/1/scale"])
    np.testing.assert_allclose(scales, np.abs(weight).max(axis=0) / 448, rtol=1e-6)
    assert found["first_weight/FP8/1"].data_type == TensorProto.FLOAT8E4M3FN


def test_the_census_shows_what_was_done():
    both = census_of_model(insert_qdq(text_model("fp32"), FP8, RANGES, per_channel=True, kept=()))
    assert (both.quantized, both.by_precision) == (2, {"FP8": 2})
    alone = census_of_model(insert_qdq(text_model("fp32"), INT8, None, per_channel=True, kept=()))
    assert (alone.quantized, alone.weight_only, alone.weights_by_precision) == (0, 2, {"INT8": 2})


def test_weights_are_stored_in_8_bits():
    found = stored(insert_qdq(text_model("fp32"), INT8, None, per_channel=True, kept=()))
    assert "first_weight" not in found
    assert found["first_weight/INT8/1"].data_type == TensorProto.INT8


def test_kept_layers_stay_as_they_are():
    model = text_model("fp32")
    found = insert_qdq(model, INT8, None, per_channel=True, kept={"second"})
    assert "second_weight" in stored(found)
    assert census_of_model(found).weight_only == 1


def test_a_channel_of_zeros_and_a_dead_activation_do_no_harm():
    model = text_model("fp32")
    weight = next(tensor for tensor in model.graph.initializer if tensor.name == "first_weight")
    values = numpy_helper.to_array(weight).copy()
    values[:, 3] = 0
    weight.CopyFrom(numpy_helper.from_array(values, "first_weight"))
    found = insert_qdq(model, INT8, {**RANGES, "relu": (0.0, 0.0)}, per_channel=True, kept=())
    assert np.isfinite(answer(found)).all()


@pytest.mark.parametrize(("transposed", "axis"), [(0, 1), (1, 0)])
def test_a_gemms_channels_are_on_the_axis_of_its_outputs(transposed, axis):
    weight = np.arange(6, dtype=np.float32).reshape(3, 2) + 1
    weight = weight.T if transposed else weight
    graph = helper.make_graph(
        [helper.make_node("Gemm", ["x", "w", "b"], ["y"], name="g", transB=transposed)],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 2])],
        [numpy_helper.from_array(weight, "w"), numpy_helper.from_array(np.zeros(2, np.float32), "b")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    found = stored(insert_qdq(model, INT8, None, per_channel=True, kept=()))
    np.testing.assert_allclose(numpy_helper.to_array(found[f"w/INT8/{axis}/scale"]), [5 / 127, 6 / 127], rtol=1e-6)


def test_a_convolutions_channels_are_its_outputs():
    weight = np.ones((4, 2, 3, 3), np.float32) * np.arange(1, 5, dtype=np.float32).reshape(4, 1, 1, 1)
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "w"], ["y"], name="c")],
        "c",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 2, 3, 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4, 1, 1])],
        [numpy_helper.from_array(weight, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    found = stored(insert_qdq(model, INT8, None, per_channel=True, kept=()))
    np.testing.assert_allclose(numpy_helper.to_array(found["w/INT8/0/scale"]), np.arange(1, 5) / 127, rtol=1e-6)


def test_a_missing_range_is_named():
    with pytest.raises(ArtifactError, match="no range for relu"):
        insert_qdq(text_model("fp32"), FP8, {"mean": (0.0, 1.0)}, per_channel=True, kept=())


def test_a_model_with_nothing_to_quantise_is_refused():
    with pytest.raises(ArtifactError, match="no MatMul, Gemm or Conv"):
        insert_qdq(text_model("fp32"), FP8, RANGES, per_channel=True, kept={"first", "second"})
