"""ONNX Runtime's providers on a real GPU: the CPU's answers, bound buffers, CUDA graphs that are launched."""

from importlib.util import find_spec

import numpy as np
import onnxruntime as ort
import pytest

from temper.backends.onnxruntime import open_runner, trace
from temper.environment.devices import nvidia_gpus
from temper.errors import Unavailable
from tests.gpu.conftest import assert_same_answers
from tests.tiny_onnx import text_inputs

CUDA, RTX = "CUDAExecutionProvider", "NvTensorRTRTXExecutionProvider"
pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not nvidia_gpus(), reason="no NVIDIA GPU")]
needs_cuda = pytest.mark.skipif(CUDA not in ort.get_available_providers(), reason="this build has no CUDA")
needs_rtx = pytest.mark.skipif(
    find_spec("onnxruntime_ep_nv_tensorrt_rtx") is None, reason="the plugin of TensorRT-RTX is not installed"
)
OPTIONS = {
    "device_index": 0,
    "intra_op_threads": 1,
    "spinning": False,
    "graph_optimization": "all",
    "allow_cpu_fallback": True,  # nodes that only look at shapes
    "io_binding": True,
    "cuda_graph": False,
    "profile_shapes": None,
}
PROVIDERS = {
    CUDA: {**OPTIONS, "execution_provider": CUDA, "tf32": False},
    RTX: {
        **OPTIONS,
        "execution_provider": RTX,
        "tf32": True,
        "profile_shapes": {"min": [1, 8], "opt": [8, 32], "max": [8, 64]},
    },
}
providers = pytest.mark.parametrize(
    "provider", [pytest.param(CUDA, marks=needs_cuda), pytest.param(RTX, marks=needs_rtx)]
)
BINDINGS = {
    "host": {"io_binding": False},
    "bound": {"io_binding": True},
    "graph": {"io_binding": True, "cuda_graph": True},
}
SHAPES = [(1, 16), (8, 32), (1, 16), (3, 9)]


def tolerance(precision, provider):
    return 3e-2 if precision == "fp16" else 1e-4 if provider == CUDA else 2e-2  # TF32


@providers
@pytest.mark.parametrize("binding", BINDINGS)
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_every_way_of_running_it_answers_as_the_cpu_does(small_bert, provider, binding, precision):
    options = {**PROVIDERS[provider], **BINDINGS[binding]}
    with open_runner(str(small_bert.onnx[precision]), options, "installed") as runner:
        for shape in SHAPES:
            expected = small_bert.expected(shape)
            for _ in range(runner.warmup_calls_per_shape + 1):
                found = runner.infer(text_inputs(*shape))
                assert_same_answers(found, expected, tolerance(precision, provider))
        described = runner.describe()
    assert described["device"] == nvidia_gpus()[0].name
    assert (described["io_binding"], described["cuda_graph"]) == (binding != "host", binding == "graph")
    assert described.get("bound_shapes") == (None if binding == "host" else 3)


@providers
@pytest.mark.parametrize("binding", ["bound", "graph"])
def test_an_answer_is_not_overwritten_by_the_next(small_bert, provider, binding):
    inputs = text_inputs(8, 32)
    other = {name: array[::-1].copy() for name, array in inputs.items()}
    with open_runner(str(small_bert.onnx["fp16"]), {**PROVIDERS[provider], **BINDINGS[binding]}, "installed") as runner:
        for _ in range(runner.warmup_calls_per_shape):
            runner.infer(inputs)
        first = runner.infer(inputs)
        kept = first.copy()
        assert not np.array_equal(runner.infer(other), kept)
        np.testing.assert_array_equal(first, kept)


@providers
@pytest.mark.parametrize(("binding", "graphs"), [("bound", False), ("graph", True)])
def test_cuda_graphs_are_launched_where_they_are_asked_for(small_bert, provider, binding, graphs):
    pytest.importorskip("torch")
    from temper.backends.pytorch_trace import profiled  # it sees what any library of the process launches

    with open_runner(str(small_bert.onnx["fp16"]), {**PROVIDERS[provider], **BINDINGS[binding]}, "installed") as runner:
        batches = [text_inputs(8, 32), text_inputs(1, 16)]
        for batch in batches:
            for _ in range(runner.warmup_calls_per_shape):
                runner.infer(batch)
        profile = profiled(runner.infer, batches, cuda=True)
    assert profile.execution.layers, "the profiler saw no kernels"
    assert (profile.graph_launches >= len(batches)) == graphs, (profile.graph_launches, profile.execution.source)


@providers
@pytest.mark.parametrize("binding", ["bound", "graph"])
def test_a_trace_lists_the_nodes_of_the_provider(small_bert, provider, binding):
    options = {**PROVIDERS[provider], **BINDINGS[binding]}
    found = trace(str(small_bert.onnx["fp16"]), options, "installed", [text_inputs(8, 32)])
    there = [layer for layer in found.layers if layer.device != "CPUExecutionProvider"]
    assert there
    assert {layer.time_ms for layer in there} == {None}
    assert len(found.elsewhere) == len(found.layers) - len(there)
    assert ("without the CUDA graph" in found.source) == (binding == "graph")
    if provider == CUDA:
        assert sum(layer.is_product and layer.precision == "FP16" for layer in there) >= 8
    else:
        assert {layer.precision for layer in there} == {"not listed"}


@needs_cuda
def test_tf32_is_used_only_where_the_row_says_so(small_bert):
    inputs, expected = text_inputs(8, 32), small_bert.expected((8, 32))
    with open_runner(str(small_bert.onnx["fp32"]), {**PROVIDERS[CUDA], "tf32": True}, "installed") as runner:
        assert 1e-5 < np.abs(runner.infer(inputs) - expected).max() < 0.1


@needs_rtx
def test_nothing_is_left_to_the_cpu_by_tensorrt_rtx(small_bert):
    options = {**PROVIDERS[RTX], "allow_cpu_fallback": False}
    with open_runner(str(small_bert.onnx["fp16"]), options, "installed") as runner:
        assert runner.infer(text_inputs(8, 32)).shape == (8, 2)
        assert runner.limits() == {"batch_size": (1, 8), "sequence_length": (8, 64)}


@providers
def test_a_gpu_that_is_not_there_is_unavailable(small_bert, provider):
    options = {**PROVIDERS[provider], "device_index": 99}
    with pytest.raises(Unavailable, match="99"), open_runner(str(small_bert.onnx["fp32"]), options, "installed"):
        pass
