import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from temper.artifacts.onnx_file import load
from temper.engines.profile import Profile, Profiles
from temper.engines.tensorrt_rtx import build
from temper.errors import ArtifactError
from temper.quantization.bf16 import Options, _bfloat16, convert


@pytest.fixture
def bf16(tiny_study):
    return convert(load(tiny_study.fp32), None, Options())


def test_every_weight_is_bf16_and_inputs_and_outputs_stay(tiny_study, bf16):
    before = load(tiny_study.fp32)
    assert {tensor.data_type for tensor in bf16.graph.initializer} & {TensorProto.FLOAT} == set()
    assert [value.type for value in (*bf16.graph.input, *bf16.graph.output)] == [
        value.type for value in (*before.graph.input, *before.graph.output)
    ]
    onnx.checker.check_model(bf16)


def test_an_engine_of_it_has_bf16_layers(tiny_study, bf16, tmp_path):
    onnx.save(bf16, str(tmp_path / "model.onnx"))
    built = build(
        onnx_path=tmp_path / "model.onnx",
        signature=tiny_study.signature,
        profiles=Profiles.dynamic(Profile((1, 8), (2, 16), (4, 24))),
        version="installed",
    )
    assert built.layers_by_precision.get("BF16", 0) > 0
    assert built.layers_by_precision.get("FP16", 0) == 0


def test_values_are_rounded_to_the_nearest_and_ties_to_even():
    values = np.array([1.0, 1.00390625, 1.01171875, -3.4e38, 0.0, 1e-40, 3.14159], np.float32)
    made = numpy_helper.to_array(_bfloat16(numpy_helper.from_array(values, "w"))).astype(np.float32)
    assert made[1] == 1.0  # half way between 1 and 1.0078125: to the even one
    assert made[2] == 1.015625
    assert np.abs(made - values).max(where=values > -1, initial=0) < 2**-8 * 3.2
    assert np.isfinite(made).all()


def test_a_chain_of_products_answers_as_in_fp32_within_bf16():
    weights = np.random.default_rng(0).standard_normal((2, 8, 8)).astype(np.float32)
    nodes = [helper.make_node("MatMul", ["x", "a"], ["y"]), helper.make_node("MatMul", ["y", "b"], ["logits"])]
    model = helper.make_model(
        helper.make_graph(
            nodes,
            "two",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 8])],
            [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [2, 8])],
            [numpy_helper.from_array(weight, name) for weight, name in zip(weights, "ab", strict=True)],
        ),
        opset_imports=[helper.make_opsetid("", 20)],
        ir_version=10,
    )
    x = np.random.default_rng(1).standard_normal((2, 8)).astype(np.float32)
    (exact,) = ReferenceEvaluator(model).run(None, {"x": x})
    (answered,) = ReferenceEvaluator(convert(model, None, Options())).run(None, {"x": x})
    assert answered.dtype == np.float32
    assert 0 < np.abs(answered - exact).max() < 0.05 * np.abs(exact).max()


def test_a_file_in_fp16_is_refused(tiny_study):
    with pytest.raises(ArtifactError, match="weights in FP16"):
        convert(load(tiny_study.precision["fp16"]), None, Options())


def test_a_quantised_file_is_refused(tiny_study):
    with pytest.raises(ArtifactError, match="nodes that quantise"):
        convert(load(tiny_study.precision["int8_static"]), None, Options())
