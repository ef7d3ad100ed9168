import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto
from onnxruntime.quantization.calibrate import create_calibrator

from temper.artifacts.onnx_file import QUANTIZABLE
from temper.errors import ArtifactError
from temper.quantization.calibration.ranges import count_histograms, find_extremes, tensors_around_products
from tests.tiny_onnx import text_model
from tests.unit.quantization.calibration.small_models import between_products

ROOT = Path(__file__).parents[4]
BINS = 64


class Reader:
    """The batches in the form in which ONNX Runtime's calibrators read them."""

    def __init__(self, batches):
        self._batches = iter(batches)

    def get_next(self):
        return next(self._batches, None)


def test_the_tensors_are_those_of_onnx_runtimes_calibrators(model, batches, tmp_path):
    onnx.save(model, tmp_path / "model.onnx")
    augmented = str(tmp_path / "augmented.onnx")
    calibrator = create_calibrator(str(tmp_path / "model.onnx"), list(QUANTIZABLE), augmented_model_path=augmented)
    calibrator.collect_data(Reader(batches[:1]))
    assert set(find_extremes(model, batches[:1]).names) == set(calibrator.compute_data().keys())


def test_tensors_stand_in_the_order_in_which_they_are_made(model):
    made = [name for node in model.graph.node for name in node.output]
    names = [name for name in tensors_around_products(model) if name in made]
    assert names == sorted(names, key=made.index)
    assert names != sorted(names)


def test_extremes_of_each_call_are_those_of_the_activations(model, batches, activations, around_products):
    found = find_extremes(model, batches)
    assert set(found.names) == around_products
    assert found.lows.shape == found.highs.shape == (len(batches), len(around_products))
    for n, name in enumerate(found.names):
        np.testing.assert_allclose(found.lows[:, n], [call[name].min() for call in activations], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(found.highs[:, n], [call[name].max() for call in activations], rtol=1e-5, atol=1e-6)
    assert np.ptp(found.high) > 0.1  # they do differ
    assert (found.low <= found.lows[0]).all()
    assert (found.low < found.lows[0]).any()
    np.testing.assert_array_equal(found.absmax, np.maximum(-found.low, found.high))


def test_histograms_are_those_of_the_activations(model, batches, activations):
    found = count_histograms(model, batches, find_extremes(model, batches), BINS)
    assert found.counts.shape == (len(found.extremes.names), BINS)
    for n, name in enumerate(found.extremes.names):
        values = np.abs(np.concatenate([call[name].ravel() for call in activations]).astype(np.float64))
        assert found.totals[n] == values.size
        expected, edges = np.histogram(values, BINS, (0, found.extremes.absmax[n]))
        assert edges[1] == pytest.approx(found.widths[n])
        # a value on an edge may be rounded to either side
        assert np.abs(np.cumsum(found.counts[n]) - np.cumsum(expected)).max() <= 2, name


@pytest.mark.parametrize("dtype", [TensorProto.FLOAT, TensorProto.FLOAT16])
def test_an_input_of_the_model_that_enters_a_product_counts_too(dtype):
    model = between_products(None, [[1.0, 0.0], [0.0, -3.0]], dtype)
    x = np.array([[0.5, -1.0], [2.0, 0.25]], onnx.helper.tensor_dtype_to_np_dtype(dtype))
    before = x.copy()
    found = count_histograms(model, [{"x": x}, {"x": x}], find_extremes(model, [{"x": x}, {"x": x}]), 4)
    assert found.extremes.names == ("x", "first")
    np.testing.assert_allclose(found.extremes.low, [-1.0, -0.75])
    np.testing.assert_allclose(found.extremes.high, [2.0, 3.0])
    assert found.counts.tolist() == [[2, 2, 2, 2], [2, 4 - 2, 2, 2]]
    np.testing.assert_array_equal(x, before)


def test_a_tensor_of_zeros_is_counted(model):
    small = between_products("Relu")
    calls = [{"x": np.full((3, 1), -1.0, np.float32)}]
    found = count_histograms(small, calls, find_extremes(small, calls), 4)
    assert found.counts[found.extremes.names.index("between")].tolist() == [3, 0, 0, 0]


def test_a_value_above_the_largest_of_the_first_pass_is_in_the_last_bin():
    small = between_products(None)
    first = find_extremes(small, [{"x": np.array([[1.0]], np.float32)}])
    found = count_histograms(small, [{"x": np.array([[0.1], [1.0001]], np.float32)}], first, 4)
    assert found.counts.tolist() == [[1, 0, 0, 1], [1, 0, 0, 1]]


def test_the_model_is_left_as_it_was(model, batches):
    before = model.SerializeToString()
    count_histograms(model, batches[:2], find_extremes(model, batches[:2]), BINS)
    assert model.SerializeToString() == before


ROWS, COLUMNS, CALLS = 2048, 8192, 5  # 64 MiB of activations in a call
MEMORY = """
import sys
import numpy as np
from temper.quantization.calibration.ranges import Extremes, count_histograms, find_extremes
from tests.unit.quantization.calibration.small_models import between_products

passes, number = sys.argv[1], int(sys.argv[2])
model = between_products(None, np.ones((1, {columns})))
calls = [{{"x": np.ones(({rows}, 1), np.float32)}}] * number
if passes == "first":
    find_extremes(model, calls)
else:
    count_histograms(model, calls, Extremes(("x", "first"), np.ones((1, 2)), np.ones((1, 2))), 2048)
status = open("/proc/self/status").read()  # ru_maxrss would start from what this process's parent has
print(int(status.partition("VmHWM:")[2].split()[0]) / 1024)
"""


@pytest.mark.parametrize("passes", ["first", "second"])
def test_no_more_than_one_calls_activations_are_in_memory(passes):
    code, call_mib = MEMORY.format(rows=ROWS, columns=COLUMNS), ROWS * COLUMNS * 4 / 2**20

    def peak_mib(calls: int) -> float:
        command = [sys.executable, "-c", code, passes, str(calls)]
        return float(subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout)

    assert peak_mib(CALLS) - peak_mib(1) < 0.5 * call_mib


@pytest.mark.parametrize(
    ("kind", "wrong", "value"),
    [("Sqrt", -1.0, np.nan), ("Exp", 100.0, np.inf), ("Log", 0.0, -np.inf)],
)
def test_the_first_tensor_that_is_not_finite_is_named(kind, wrong, value):
    model = between_products(kind)
    fine, spoiled = np.ones((64, 1), np.float32), np.ones((64, 1), np.float32)
    spoiled[37] = wrong  # one value among 64
    find_extremes(model, [{"x": fine}])
    with pytest.raises(ArtifactError) as caught:
        find_extremes(model, [{"x": fine}, {"x": spoiled}])
    assert caught.value.happened.startswith("between is not finite: 1 of its 64 values in call 2 of 2")
    assert "overflow" in caught.value.fix


def test_a_sum_that_overflows_is_no_reason_to_refuse():
    found = find_extremes(between_products(None, [[1e-38]]), [{"x": np.full((4, 1), 3e38, np.float32)}])
    assert found.high[0] == pytest.approx(3e38)


def test_a_model_that_is_quantised_already_is_refused():
    with pytest.raises(ArtifactError) as caught:
        tensors_around_products(text_model("int8"))
    assert caught.value.happened == ("the model is quantised already: it holds DequantizeLinear, QuantizeLinear")
    assert "exports" in caught.value.fix
