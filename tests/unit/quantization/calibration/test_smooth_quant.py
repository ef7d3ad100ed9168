import pytest
from onnx import numpy_helper
from pydantic import ValidationError

from temper.quantization.calibration import nncf, smooth_quant

TRANSFORMER = {"preset": "performance", "model_type": "transformer", "fast_bias_correction": True}


def biases(model):
    """Every float vector of the graph, which bias correction would change, by name."""
    return {
        tensor.name: numpy_helper.to_array(tensor).tobytes()
        for tensor in model.graph.initializer
        if len(tensor.dims) == 1 and tensor.data_type == tensor.FLOAT and tensor.name.endswith("bias")
    }


def test_it_smooths_as_nncf_does_and_leaves_biases_as_they_are(model, batches):
    own = smooth_quant.collect(model, batches[:4], smooth_quant.Options(alpha=0.95))
    other = nncf.collect(model, batches[:4], nncf.Options.model_validate({**TRANSFORMER, "smooth_quant_alpha": 0.95}))
    assert own.ranges == other.ranges
    before = biases(model)
    assert before
    kept = biases(own.quantized)
    assert {name: kept[name] for name in kept if name in before} == {
        name: before[name] for name in kept if name in before
    }
    changed = biases(other.quantized)
    assert any(changed[name] != before[name] for name in changed if name in before)


@pytest.mark.parametrize("alpha", [-0.1, 1.1, None])
def test_a_strength_that_there_is_not_is_refused(alpha):
    with pytest.raises(ValidationError):
        smooth_quant.Options(alpha=alpha)
