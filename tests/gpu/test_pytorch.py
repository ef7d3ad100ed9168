"""PyTorch's modes on a real GPU: the CPU's answers, CUDA graphs that are launched, and callers in threads of their own."""

import numpy as np
import pytest

from temper.backends.pytorch import open_runner, trace
from temper.measurement.alone import _saturated
from temper.measurement.timed_inputs import TimedInputs
from temper.package.runtime.on_pytorch import PyTorchRunner
from temper.package.runtime.signature import read_signature
from tests.gpu.conftest import assert_same_answers
from tests.tiny_onnx import text_inputs

torch = pytest.importorskip("torch")
pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="PyTorch sees no CUDA device")]
OPTIONS = {"device": "cuda", "dtype": "float32", "threads": 1, "tf32": False, "mode": "eager"}
TOLERANCE = {"float32": 1e-4, "float16": 3e-2, "bfloat16": 2e-1}
SHAPES = [(1, 16), (8, 32), (1, 16)]
MODES = [
    ("eager", "float32"),
    ("eager", "float16"),
    ("eager", "bfloat16"),
    ("torchscript", "float16"),
    ("compile", "float16"),
    ("compile-reduce-overhead", "float32"),
    ("compile-reduce-overhead", "float16"),
    ("unpadded", "float16"),
    ("unpadded", "bfloat16"),
    ("unpadded-gelu-tanh", "float16"),
    pytest.param("compile-max-autotune", "float16", marks=pytest.mark.long),
]


def opened(small_bert, **changes):
    return open_runner(str(small_bert.checkpoint), {**OPTIONS, **changes}, "installed")


@pytest.mark.parametrize(("mode", "dtype"), MODES)
def test_every_mode_answers_as_the_cpu_does(small_bert, mode, dtype):
    with opened(small_bert, mode=mode, dtype=dtype) as runner:
        for shape in SHAPES:
            inputs, expected = text_inputs(*shape), small_bert.expected(shape)
            for _ in range(runner.warmup_calls_per_shape + 2):  # warming up, recorded, replayed
                assert_same_answers(runner.infer(inputs), expected, TOLERANCE[dtype])
        described = runner.describe()
        assert runner.compiles_shapes == (mode != "eager")
    assert described["device"] == torch.cuda.get_device_name()
    assert (described["mode"], described["dtype"], described["tf32"]) == (mode, dtype, False)
    if mode.startswith("compile"):
        assert (described["compiled_shapes"], described["compiled_graphs"]) == (2, 2)
        assert described["recompilations"] == 0
        assert described["cuda_graphs"] == (mode != "compile")


@pytest.mark.parametrize("mode", ["eager", "unpadded", "unpadded-gelu-tanh"])
def test_a_packages_runtime_answers_as_the_backend_does(small_bert, mode):
    changes = {"mode": mode, "dtype": "float16"}
    signature = read_signature(small_bert.checkpoint / "signature.json")
    packaged = PyTorchRunner(small_bert.checkpoint, {"options": {**OPTIONS, **changes}}, signature)
    with opened(small_bert, **changes) as measured:
        for shape in SHAPES:
            inputs = text_inputs(*shape)
            for _ in range(3):  # compiled and recorded, replayed
                np.testing.assert_allclose(packaged.infer(inputs), measured.infer(inputs), atol=1e-3, rtol=1e-3)
    packaged.close()


@pytest.mark.parametrize("mode", ["eager", "compile-reduce-overhead", "unpadded"])
def test_an_answer_is_not_overwritten_by_the_next(small_bert, mode):
    inputs = text_inputs(8, 32)
    other = {name: array[::-1].copy() for name, array in inputs.items()}
    with opened(small_bert, mode=mode, dtype="float16") as runner:
        for _ in range(runner.warmup_calls_per_shape):
            runner.infer(inputs)
        first = runner.infer(inputs)
        kept = first.copy()
        assert not np.array_equal(runner.infer(other), kept)
        np.testing.assert_array_equal(first, kept)


@pytest.mark.parametrize(
    ("mode", "graphs"), [("eager", 0), ("compile", 0), ("compile-reduce-overhead", 1), ("unpadded", 1)]
)
def test_the_profiler_shows_the_kernels_and_the_graphs_that_were_launched(small_bert, mode, graphs):
    options = {**OPTIONS, "mode": mode, "dtype": "float16"}
    found = trace(str(small_bert.checkpoint), options, "installed", [text_inputs(8, 32) for _ in range(3)])
    assert (f"; {graphs} CUDA graphs launched in each call" in found.source) == bool(graphs), found.source
    products = [layer for layer in found.layers if layer.is_product]
    assert len(products) >= 8, [layer.kernel for layer in found.layers]  # each of 2 layers has 6, and some are fused
    assert "FP16" in {layer.precision for layer in products}, [layer.kernel for layer in products]
    assert "TF32" not in {layer.precision for layer in found.layers}
    assert all(layer.time_ms > 0 for layer in found.layers)


def test_products_in_fp8_answer_nearly_as_float_ones_and_the_profiler_shows_them(small_bert):
    if torch.cuda.get_device_capability() < (8, 9):
        pytest.skip("no tensor cores that multiply FP8")
    changes = {"mode": "unpadded-fp8", "dtype": "bfloat16"}
    inputs, expected = text_inputs(8, 32), small_bert.expected((8, 32))
    with opened(small_bert, **changes) as runner:
        for _ in range(runner.warmup_calls_per_shape + 2):
            assert np.abs(runner.infer(inputs) - expected).max() < 0.2 * np.abs(expected).max()
    found = trace(str(small_bert.checkpoint), {**OPTIONS, **changes}, "installed", [inputs])
    assert "FP8" in {layer.precision for layer in found.layers if layer.is_product}


def test_tf32_is_used_only_where_the_row_says_so(small_bert):
    inputs, expected = text_inputs(8, 32), small_bert.expected((8, 32))
    with opened(small_bert) as exact, opened(small_bert, tf32=True) as rounded:  # both in one process, in turns
        for _ in range(2):
            assert_same_answers(exact.infer(inputs), expected, TOLERANCE["float32"])
            difference = np.abs(rounded.infer(inputs) - expected).max()
    if torch.cuda.get_device_capability() >= (8, 0):
        assert TOLERANCE["float32"] / 10 < difference < 0.1


@pytest.mark.parametrize("mode", ["eager", "compile-reduce-overhead", "unpadded"])
def test_two_callers_each_have_a_loading_in_a_thread_of_their_own(small_bert, mode):
    side = {
        "runner": "pytorch",
        "artifact": str(small_bert.checkpoint),
        "options": {**OPTIONS, "mode": mode, "dtype": "float16"},
        "version": "installed",
    }
    inputs = TimedInputs([text_inputs(4, 16), text_inputs(4, 24)], [4, 4], 0.0, "", [(4, 16), (4, 24)])
    with opened(small_bert, mode=mode, dtype="float16") as first:
        assert _saturated(side, first, inputs, 2, 0.3) > 0
        expected = small_bert.expected((4, 16))
        assert_same_answers(first.infer(inputs.batches[0]), expected, TOLERANCE["float16"])
