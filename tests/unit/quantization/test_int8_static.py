import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper
from pydantic import ValidationError

from temper.artifacts.census import census_of_model
from temper.artifacts.onnx_file import contents, load
from temper.errors import ArtifactError
from temper.quantization.calibration.cache import CalibrationCache, read_cache
from temper.quantization.int8_static import Options, convert, signed_activations
from tests.tiny_study import STATIC


def static(**changes):
    return Options.model_validate({**STATIC, **changes})


def values(model):
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


def activations(model):
    """Tensor, scale and zero point of every activation that is quantised."""
    stored = values(model)
    quantizers = [node for node in model.graph.node if node.op_type == "QuantizeLinear" and node.input[0] not in stored]
    return {node.input[0]: (stored[node.input[1]], stored[node.input[2]]) for node in quantizers}


def answer(model, inputs):
    return ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"]).run(None, inputs)[0]


@pytest.fixture
def unsigned():
    """x through UINT8 Q/DQ (zero point 0), then through UINT8 Q/DQ with another scale."""
    stored = {
        "scale": np.float32(0.02),
        "zero": np.uint8(0),
        "other_scale": np.float32(0.05),
        "other_zero": np.uint8(0),
        "weight": np.arange(4, dtype=np.uint8),
    }
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "scale", "zero"], ["xq"]),
        helper.make_node("DequantizeLinear", ["xq", "scale", "zero"], ["xd"]),
        helper.make_node("QuantizeLinear", ["xd", "other_scale", "other_zero"], ["yq"]),
        helper.make_node("DequantizeLinear", ["yq", "other_scale", "other_zero"], ["yd"]),
        helper.make_node("DequantizeLinear", ["weight", "scale", "zero"], ["wd"]),
        helper.make_node("Mul", ["yd", "wd"], ["out"]),
    ]
    tensors = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [4]) for name in ("x", "out")]
    constants = [numpy_helper.from_array(np.asarray(value), name) for name, value in stored.items()]
    graph = helper.make_graph(nodes, "g", tensors[:1], tensors[1:], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def test_unsigned_activations_become_signed_with_the_scale_of_the_same_range(unsigned):
    before = answer(unsigned, {"x": np.array([0.0, 1.0, 2.5, 5.0], np.float32)})
    assert signed_activations(unsigned) == 2
    found = activations(unsigned)
    scale, zero = found["x"]
    assert (zero.dtype, int(zero)) == (np.int8, 0)
    assert float(scale) == pytest.approx(0.02 * 255 / 127, rel=1e-6)
    assert [node.input[1] for node in unsigned.graph.node[:2]] == ["scale_int8"] * 2  # both ends of the pair
    onnx.checker.check_model(unsigned)
    after = answer(unsigned, {"x": np.array([0.0, 1.0, 2.5, 5.0], np.float32)})
    assert np.abs(after - before).max() <= 3 * (0.02 * 255 / 127 + 0.05)  # the steps, times the largest weight


def test_quantised_weights_stay_as_they_are(unsigned):
    signed_activations(unsigned)
    assert values(unsigned)["weight"].dtype == np.uint8
    weight_pair = next(node for node in unsigned.graph.node if node.input[0] == "weight")
    assert list(weight_pair.input[1:]) == ["scale", "zero"]
    assert signed_activations(unsigned) == 0  # a second time changes nothing


def test_another_zero_point_than_0_is_refused_by_the_activations_name(unsigned):
    for tensor in unsigned.graph.initializer:
        if tensor.name == "other_zero":
            tensor.CopyFrom(numpy_helper.from_array(np.uint8(7), "other_zero"))
    with pytest.raises(ArtifactError) as caught:
        signed_activations(unsigned)
    assert "xd" in caught.value.happened
    assert "performance" in caught.value.fix


@pytest.mark.parametrize("name", ["int8_static", "int8_nncf"])
def test_products_are_quantised_and_every_activation_is_signed_with_zero_point_0(tiny_study, name):
    model = load(tiny_study.precision[name])
    found = contents(model)
    assert found["products"] == 10
    assert found["products_quantized"] >= 9
    assert len(activations(model)) >= 8
    for scale, zero in activations(model).values():
        assert zero.dtype == np.int8
        assert not zero.any()
        assert (scale > 0).all()


@pytest.mark.parametrize("name", ["int8_static", "int8_nncf"])
def test_the_model_is_valid_onnx_also_where_onnx_runtime_would_not_mind(tiny_study, name):
    onnx.checker.check_model(load(tiny_study.precision[name]), full_check=True)


@pytest.mark.parametrize("name", ["int8_static", "int8_nncf"])
def test_the_quantised_model_answers_nearly_as_the_fp32_model(tiny_study, name):
    inputs = tiny_study.inputs(list(range(21)))
    before, after = (answer(load(folder), inputs) for folder in (tiny_study.fp32, tiny_study.precision[name]))
    difference = np.abs(after - before)
    assert 1e-4 < difference.mean() < 0.05 * np.ptp(before)
    assert difference.max() < 0.25 * np.ptp(before)
    assert (after.argmax(1) == before.argmax(1)).mean() >= 0.8


def test_scales_follow_from_the_caches_ranges(tiny_study):
    cache = read_cache(tiny_study.calibration["minmax"])
    for name, (scale, _) in activations(load(tiny_study.precision["int8_static"])).items():
        widest = max(abs(end) for end in cache.ranges[name.removesuffix("_QuantizeLinear_Input")])
        assert float(scale) == pytest.approx(2 * widest / 255, rel=0.01), name


def test_other_ranges_give_another_model(tiny_study):
    cache = read_cache(tiny_study.calibration["minmax"])
    doubled = CalibrationCache("minmax", {name: (2 * a, 2 * b) for name, (a, b) in cache.ranges.items()}, None)
    options = Options(
        per_channel=True, symmetric_activations=True, quantize_bias=False, quantize_outputs=True, keep_in_float=()
    )
    once, twice = (activations(convert(load(tiny_study.fp32), each, options)) for each in (cache, doubled))
    assert all(float(twice[name][0]) == pytest.approx(2 * float(once[name][0])) for name in once)


def test_asymmetric_activations_use_the_range_as_it_is(tiny_study):
    cache = read_cache(tiny_study.calibration["minmax"])
    model = convert(
        load(tiny_study.fp32),
        cache,
        Options(
            per_channel=True, symmetric_activations=False, quantize_bias=False, quantize_outputs=True, keep_in_float=()
        ),
    )
    scale, zero = activations(model)["relu"]
    low, high = cache.ranges["relu"]
    assert float(scale) == pytest.approx((high - low) / 255, rel=0.01)
    assert int(zero) == -128


def test_per_channel_gives_every_column_of_a_weight_a_scale_of_its_own(tiny_study):
    cache = read_cache(tiny_study.calibration["minmax"])

    def widest(per_channel):
        options = Options(
            per_channel=per_channel,
            symmetric_activations=True,
            quantize_bias=False,
            quantize_outputs=True,
            keep_in_float=(),
        )
        model = convert(load(tiny_study.fp32), cache, options)
        stored = values(model)
        return max(stored[n.input[1]].size for n in model.graph.node if n.op_type == "DequantizeLinear")

    assert (widest(True), widest(False)) == (32, 1)  # 32 columns in the larger feed-forward layer


def test_the_caches_quantised_model_is_taken_where_there_is_one(tiny_study):
    cache = read_cache(tiny_study.calibration["nncf"])
    expected = contents(cache.quantized)
    converted = convert(
        load(tiny_study.fp32),
        cache,
        Options(
            per_channel=True, symmetric_activations=False, quantize_bias=False, quantize_outputs=True, keep_in_float=()
        ),
    )
    assert contents(converted) == expected
    assert any(zero.dtype == np.uint8 for _, zero in activations(converted).values())


@pytest.mark.parametrize("quantize_bias", [True, False])
def test_a_bias_is_int32_only_where_asked(tiny_study, quantize_bias):
    options = Options(
        per_channel=True,
        symmetric_activations=True,
        quantize_bias=quantize_bias,
        quantize_outputs=True,
        keep_in_float=(),
    )
    model = convert(load(tiny_study.fp32), read_cache(tiny_study.calibration["minmax"]), options)
    stored = {tensor.data_type for tensor in model.graph.initializer if tensor.name.endswith("bias_quantized")}
    assert (TensorProto.INT32 in stored) == quantize_bias


def test_what_products_write_stays_in_float_where_only_their_inputs_are_quantised(tiny_study):
    cache = read_cache(tiny_study.calibration["minmax"])
    model = load(tiny_study.fp32)
    both = convert(load(tiny_study.fp32), cache, static())
    inputs = convert(load(tiny_study.fp32), cache, static(quantize_outputs=False))
    written = {node.output[0] for node in model.graph.node if node.op_type in ("MatMul", "Gemm")}
    read = {name for node in model.graph.node if node.op_type in ("MatMul", "Gemm") for name in node.input[:2]}
    assert set(activations(both)) & (written - read)
    assert not set(activations(inputs)) & (written - read)
    assert census_of_model(inputs).quantized == census_of_model(inputs).total


def test_inputs_alone_are_quantised_symmetrically():
    with pytest.raises(ValidationError, match="that placement has symmetric activations"):
        static(quantize_outputs=False, symmetric_activations=False)
