"""Without a GPU: a row is unavailable with its reason. tests/gpu/test_tensorrt_rtx.py runs engines."""

import subprocess
import sys
from types import SimpleNamespace

import pytest
from pydantic import ValidationError

from temper.artifact import write_manifest
from temper.backends import tensorrt_rtx
from temper.devices import nvidia_gpus
from temper.engines.engine import Inspection
from temper.engines.layers import Layer
from temper.errors import ArtifactError, Unavailable
from tests.tiny_onnx import TEXT

without_gpu = pytest.mark.skipif(bool(nvidia_gpus()), reason="tests/gpu takes over where there is a GPU")


@pytest.fixture
def engine_folder(tmp_path):
    def make(**facts):
        (tmp_path / "model.engine").write_bytes(b"an engine")
        (tmp_path / "signature.json").write_text(TEXT.model_dump_json())
        write_manifest(tmp_path / "engine.json", kind="engine", facts=facts)
        return tmp_path

    return make


def open_engine(folder):
    return tensorrt_rtx.open_runner(str(folder), {"device_index": 0}, "installed")


def test_an_engine_that_was_not_built_is_unavailable_for_that_reason(engine_folder):
    folder = engine_folder(status="not built", reason="no build for Darwin arm64")
    with pytest.raises(Unavailable, match="no build for Darwin arm64"), open_engine(folder):
        pass


@without_gpu
def test_without_a_gpu_it_is_unavailable(engine_folder):
    with pytest.raises(Unavailable, match=r"^no NVIDIA GPU$"), open_engine(engine_folder(status="built")):
        pass


@without_gpu
def test_without_a_gpu_the_library_is_not_imported(engine_folder):
    program = f"""
import sys
from temper.backends.tensorrt_rtx import open_runner
from temper.errors import Unavailable
try:
    open_runner({str(engine_folder(status="built"))!r}, {{"device_index": 0}}, "installed").__enter__()
except Unavailable:
    print([name for name in sys.modules if name.startswith(("tensorrt", "cuda"))])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_engine_altered_after_its_manifest_is_refused_before_anything_else(engine_folder):
    folder = engine_folder(status="built")
    (folder / "model.engine").write_bytes(b"another engine")
    with pytest.raises(ArtifactError, match="altered"), open_engine(folder):
        pass


@pytest.mark.parametrize("options", [{}, {"device_index": -1}, {"device_index": 0, "cuda_graph": True}])
def test_options_are_closed_and_have_no_defaults(options):
    with pytest.raises(ValidationError):
        tensorrt_rtx.open_runner("engine", options, "installed")


def test_it_loads_engines_only():
    assert tensorrt_rtx.ACCEPTS == ("engines",)


LAYERS = (
    Layer("node_MatMul_94_myl0_2", "gemm", "INT8", ("INT8",), (), ("FP32",), ("node_MatMul_94",)),
    Layer("__myl_FcAddRelu_myl0_24", "runtime_fusion", "FP16", ("FP16",), (), ("FP16",), ("node_relu",)),
    Layer("softmax", "kgen", "FP32", ("FP32",), (), ("FP32",), ()),
)


def test_layers_of_the_inspector_get_the_profilers_times():
    times_ms = {"node_MatMul_94_myl0_2": 0.3, "__myl_FcAddRelu_myl0_24": 0.1}
    execution = tensorrt_rtx.executed_layers(Inspection(LAYERS, "listed"), times_ms, None, "a GPU")
    assert [(layer.kernel, layer.time_ms) for layer in execution.layers] == [
        ("node_MatMul_94", 0.3),
        ("__myl_FcAddRelu", 0.1),
        (None, None),
    ]
    assert execution.source == "TensorRT's engine inspector (listed); times from its profiler"
    found = execution.summary()
    assert found["products_by_precision"] == {"FP16": 1, "INT8": 1}
    assert found["layers_by_device"] == {"a GPU": 3}
    assert found["time_share_by_precision"] == {"INT8": 0.75, "FP16": 0.25}


@pytest.mark.parametrize(
    ("times_ms", "failure", "reason"),
    [
        ({}, "AttributeError: no profiler", "AttributeError: no profiler"),
        ({}, None, "it reported none of these layers"),
        ({"other": 1.0}, None, "it reported none of these layers"),
    ],
)
def test_without_the_profiler_there_are_layers_without_times_and_the_reason(times_ms, failure, reason):
    execution = tensorrt_rtx.executed_layers(Inspection(LAYERS, "listed"), times_ms, failure, "a GPU")
    assert execution.source.endswith(f"no times from its profiler: {reason}")
    assert [layer.time_ms for layer in execution.layers] == [None] * 3
    assert execution.summary()["products"] == {"total": 2, "quantized": 1}


def test_an_engine_whose_layers_nobody_lists_says_so():
    execution = tensorrt_rtx.executed_layers(Inspection(None, "not confirmed: no list"), {}, None, "a GPU")
    assert execution.layers == ()
    assert "not confirmed: no list" in execution.source


@without_gpu
def test_a_trace_without_a_gpu_is_unavailable(engine_folder):
    with pytest.raises(Unavailable, match=r"^no NVIDIA GPU$"):
        tensorrt_rtx.trace(str(engine_folder(status="built")), {"device_index": 0}, "installed", [])


class FakeTensorRT:
    """What of TensorRT a profiler needs."""

    class IProfiler:
        pass


@pytest.mark.parametrize("batches", [1, 4])
def test_the_profilers_times_are_means_over_the_batches(batches):
    runner = tensorrt_rtx.TensorRTRTXRunner("engine", tensorrt_rtx.Options(device_index=0), "installed")
    runner._trt, runner._context = FakeTensorRT, SimpleNamespace(profiler=None)
    runner.infer = lambda batch: runner._context.profiler.report_layer_time("gemm", batch)
    assert runner.time_layers([0.5] * batches) == {"gemm": 0.5}
