import numpy as np
import onnx
import pytest
from nncf import Dataset, ModelType, QuantizationPreset, quantize
from onnx import TensorProto, helper, numpy_helper
from pydantic import ValidationError

from temper.artifacts.onnx_file import contents
from temper.errors import ArtifactError
from temper.quantization.calibration import nncf
from temper.quantization.calibration.cache import read_cache
from tests.unit.quantization.calibration.small_models import between_products


def quantizer(dtype, zero, scale):
    constants = [
        numpy_helper.from_array(np.asarray(scale, np.float32), "scale"),
        numpy_helper.from_array(np.asarray(zero, dtype), "zero"),
        numpy_helper.from_array(np.ones((2, 2), np.float32), "weight"),
    ]
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "scale", "zero"], ["q"]),
        helper.make_node("QuantizeLinear", ["weight", "scale", "zero"], ["w"]),
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 2])
    return helper.make_model(helper.make_graph(nodes, "g", [x], [], constants))


@pytest.mark.parametrize(
    ("dtype", "zero", "scale", "expected"),
    [
        (np.int8, 0, 0.5, (-64.0, 63.5)),
        (np.uint8, 0, 0.5, (0.0, 127.5)),
        (np.uint8, 100, 0.5, (-50.0, 77.5)),
        (np.int8, [0, 0], [0.5, 1.0], (-128.0, 127.0)),
    ],
)
def test_the_range_follows_from_scale_and_zero_point_and_weights_have_none(dtype, zero, scale, expected):
    assert nncf.quantizer_ranges(quantizer(dtype, zero, scale)) == {"x": expected}


def test_the_cache_holds_a_quantised_model_that_is_whole(tiny_study):
    cache = read_cache(tiny_study.calibration["nncf"])
    onnx.checker.check_model(cache.quantized)
    found = contents(cache.quantized)
    assert found["products"] == 10
    assert found["products_quantized"] >= 9  # one DequantizeLinear stands before a Transpose


def test_the_model_is_left_as_it_was(model, batches):
    before = model.SerializeToString()
    options = nncf.Options(preset="mixed", model_type="other", fast_bias_correction=True, smooth_quant_alpha=None)
    collected = nncf.collect(model, batches[:2], options)
    assert model.SerializeToString() == before
    assert collected.quantized.SerializeToString() != before


TRANSFORMER = {"preset": "performance", "model_type": "transformer", "fast_bias_correction": True}


def smoothed(model, batches, alpha):
    return nncf.collect(model, batches, nncf.Options.model_validate({**TRANSFORMER, "smooth_quant_alpha": alpha}))


def test_smoothing_has_a_strength_and_can_be_left_out(model, batches):
    made = [smoothed(model, batches[:2], alpha).quantized for alpha in (0.95, 0.3, None)]
    multiplied = [sum(node.op_type == "Mul" for node in each.graph.node) for each in made]
    assert multiplied[0] == multiplied[1] > multiplied[2]  # one factor for each channel before a smoothed product
    assert made[0].SerializeToString() != made[1].SerializeToString()


def test_the_strength_that_the_studies_have_is_nncfs_own_default(model, batches):
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    plain = quantize(
        copy, Dataset(batches[:2]), preset=QuantizationPreset.PERFORMANCE, model_type=ModelType.TRANSFORMER
    )
    assert nncf.quantizer_ranges(plain) == smoothed(model, batches[:2], 0.95).ranges


def test_activations_that_are_not_finite_are_named():
    model = between_products("Sqrt")
    options = nncf.Options.model_validate({**TRANSFORMER, "smooth_quant_alpha": None})
    with pytest.raises(ArtifactError, match="between is not finite"):
        nncf.collect(model, [{"x": np.array([[-1.0]], np.float32)}], options)


@pytest.mark.parametrize(
    "change",
    [{"preset": "fast"}, {"model_type": "cnn"}, {"subset": 3}, {"smooth_quant_alpha": 1.1}, {"smooth_quant_alpha": -1}],
)
def test_unknown_options_are_refused(change):
    nncf.Options.model_validate({**TRANSFORMER, "smooth_quant_alpha": 0.5})
    with pytest.raises(ValidationError):
        nncf.Options.model_validate({**TRANSFORMER, "smooth_quant_alpha": 0.5, **change})


def test_smoothing_of_what_nncf_does_not_smooth_is_refused():
    with pytest.raises(ValidationError, match="NNCF smooths nothing where model_type is other: give null"):
        nncf.Options.model_validate({**TRANSFORMER, "model_type": "other", "smooth_quant_alpha": 0.5})


def test_a_model_that_does_not_go_into_one_message_is_refused_with_the_methods_that_take_it(monkeypatch):
    monkeypatch.setattr(nncf, "PROTOBUF_LIMIT_BYTES", 4)
    options = nncf.Options(preset="performance", model_type="other", fast_bias_correction=True, smooth_quant_alpha=None)
    with pytest.raises(ArtifactError) as caught:
        nncf.collect(between_products("Relu"), [], options)
    assert "NNCF passes models on in one protobuf message" in caught.value.happened
    assert "percentile" in caught.value.fix
