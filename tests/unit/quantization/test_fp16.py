import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto
from pydantic import ValidationError

from temper.artifacts.onnx_file import contents, load
from temper.quantization.fp16 import Options, convert


def test_the_file_is_about_half_as_large_and_its_weights_are_fp16(tiny_study):
    before, after = contents(load(tiny_study.fp32)), contents(load(tiny_study.precision["fp16"]))
    weights = before["weight_elements_by_dtype"]["FLOAT"]
    assert after["weight_elements_by_dtype"]["FLOAT16"] == pytest.approx(weights, rel=0.01)
    assert after["weight_elements_by_dtype"].get("FLOAT", 0) < 0.01 * weights
    sizes = [(folder / "model.onnx").stat().st_size for folder in (tiny_study.fp32, tiny_study.precision["fp16"])]
    assert sizes[0] - sizes[1] == pytest.approx(2 * weights, rel=0.1)  # two bytes less for every weight


def test_inputs_and_outputs_keep_their_types(tiny_study):
    def types(folder):
        session = ort.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
        return [(put.name, put.type, put.shape) for put in (*session.get_inputs(), *session.get_outputs())]

    assert types(tiny_study.precision["fp16"]) == types(tiny_study.fp32)


def test_operators_that_stay_in_fp32_get_casts_around_them(tiny_study):
    kept = convert(load(tiny_study.fp32), None, Options(keep_in_fp32=("Gemm",)))
    everything = convert(load(tiny_study.fp32), None, Options(keep_in_fp32=()))
    dtypes = {tensor.name: tensor.data_type for tensor in kept.graph.initializer}
    gemms = [node for node in kept.graph.node if node.op_type == "Gemm"]
    assert {dtypes.get(node.input[1], TensorProto.FLOAT) for node in gemms} == {TensorProto.FLOAT}
    onnx.checker.check_model(kept, full_check=True)
    casts = [sum(node.op_type == "Cast" for node in model.graph.node) for model in (kept, everything)]
    assert casts[0] > casts[1]


def test_a_tensor_that_several_kept_operators_read_is_cast_once(tiny_study):
    kept = convert(load(tiny_study.fp32), None, Options(keep_in_fp32=("MatMul",)))  # query, key and value share theirs
    onnx.checker.check_model(kept, full_check=True)
    inputs = tiny_study.inputs([0, 1, 2])
    exact, answered = (
        ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"]).run(["logits"], inputs)[0]
        for model in (load(tiny_study.fp32), kept)
    )
    assert np.abs(answered - exact).max() < 0.05


def test_its_option_has_no_default():
    with pytest.raises(ValidationError, match="keep_in_fp32"):
        Options.model_validate({})
