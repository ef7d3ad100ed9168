import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from pydantic import ValidationError

from temper.calibration import nncf
from temper.calibration.cache import read_cache
from temper.onnx_file import contents


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
    options = nncf.Options(preset="mixed", model_type="other", fast_bias_correction=True)
    collected = nncf.collect(model, batches[:2], options)
    assert model.SerializeToString() == before
    assert collected.quantized.SerializeToString() != before


@pytest.mark.parametrize("change", [{"preset": "fast"}, {"model_type": "cnn"}, {"subset": 3}])
def test_unknown_options_are_refused(change):
    section = {"preset": "performance", "model_type": "other", "fast_bias_correction": True}
    with pytest.raises(ValidationError):
        nncf.Options.model_validate({**section, **change})
