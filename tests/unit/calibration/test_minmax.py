import numpy as np
import onnx
import onnxruntime as ort
import pytest
from pydantic import ValidationError

from temper.calibration.minmax import Options, collect


def test_ranges_are_the_extremes_that_onnx_runtime_computes(model, batches, around_products):
    ranges = collect(model, batches, Options()).ranges
    inputs = {put.name for put in model.graph.input}
    names = sorted(around_products - inputs - {"logits"})
    seen = onnx.ModelProto()
    seen.CopyFrom(model)
    seen.graph.output.extend(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in names)
    settings = ort.SessionOptions()
    settings.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(seen.SerializeToString(), settings, providers=["CPUExecutionProvider"])
    values = [session.run(names, batch) for batch in batches]
    for position, name in enumerate(names):
        low = min(float(row[position].min()) for row in values)
        high = max(float(row[position].max()) for row in values)
        assert ranges[name] == pytest.approx((low, high), rel=1e-5, abs=1e-6), name
    assert np.ptp([ranges[name][1] for name in names]) > 0.1  # they do differ


def test_it_has_no_options():
    with pytest.raises(ValidationError):
        Options.model_validate({"bins": 128})
