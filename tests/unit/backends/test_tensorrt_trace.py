import pytest

from temper.backends.tensorrt_engine import Settings
from temper.backends.tensorrt_trace import executed_layers, trace_with, traces_with
from temper.engines.engine import Inspection
from temper.engines.layers import Layer
from temper.engines.tensorrt_rtx import API
from tests.tiny_onnx import text_inputs
from tests.unit.backends.conftest import STATIC

LAYERS = (
    Layer("node_MatMul_94_myl0_2", "gemm", "INT8", ("INT8",), (), ("FP32",), ("node_MatMul_94",)),
    Layer("__myl_FcAddRelu_myl0_24", "runtime_fusion", "FP16", ("FP16",), (), ("FP16",), ("node_relu",)),
    Layer("softmax", "kgen", "FP32", ("FP32",), (), ("FP32",), ()),
)


def test_layers_of_the_inspector_get_the_profilers_times():
    times_ms = {"node_MatMul_94_myl0_2": 0.3, "__myl_FcAddRelu_myl0_24": 0.1}
    execution = executed_layers(Inspection(LAYERS, "listed"), times_ms, None, "a GPU", only_timed=False)
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
    execution = executed_layers(Inspection(LAYERS, "listed"), times_ms, failure, "a GPU", only_timed=False)
    assert execution.source.endswith(f"no times from its profiler: {reason}")
    assert [layer.time_ms for layer in execution.layers] == [None] * 3
    assert execution.summary()["products"] == {"total": 2, "quantized": 1}


def test_an_engine_whose_layers_nobody_lists_says_so():
    execution = executed_layers(Inspection(None, "not confirmed: no list"), {}, None, "a GPU", only_timed=False)
    assert execution.layers == ()
    assert "not confirmed: no list" in execution.source


def test_of_an_engine_with_several_profiles_the_layers_that_ran_are_kept():
    times_ms = {"node_MatMul_94_myl0_2": 0.3}
    execution = executed_layers(Inspection(LAYERS, "listed"), times_ms, None, "a GPU", only_timed=True)
    assert [layer.name for layer in execution.layers] == ["node_MatMul_94_myl0_2"]
    without = executed_layers(Inspection(LAYERS, "listed"), {}, "no profiler", "a GPU", only_timed=True)
    assert len(without.layers) == 3


@pytest.mark.parametrize(("row", "kept"), [(STATIC, ["sum"]), ({"static_shapes": [[4, 16]]}, ["sum", "other"])])
def test_a_trace_runs_without_graphs_and_times_what_ran(on_fake_gpu, row, kept):
    gpu = on_fake_gpu(row)
    settings = Settings(
        device_index=0, cuda_graph=True, kernel_specialization="eager", runtime_cache=False, trim_padding=False
    )
    execution = trace_with(API, str(gpu.folder), settings, "installed", [text_inputs(4, 8)] * 2)
    assert [layer.name for layer in execution.layers] == kept
    assert execution.layers[0].time_ms == 0.5
    assert gpu.cuda.calls["cudaGraphLaunch"] == 0


def test_workloads_are_traced_on_one_loading_and_each_layer_is_timed_in_its_own(on_fake_gpu):
    gpu = on_fake_gpu(STATIC)
    settings = Settings(
        device_index=0, cuda_graph=True, kernel_specialization="eager", runtime_cache=False, trim_padding=False
    )
    workloads = {
        "small": [text_inputs(4, 8)] * 2,
        "large": [text_inputs(8, 16)] * 3,
        "small again": [text_inputs(4, 8)],
    }
    found = traces_with(API, str(gpu.folder), settings, "installed", workloads)
    assert list(found) == list(workloads)
    assert [[(layer.name, layer.time_ms) for layer in execution.layers] for execution in found.values()] == [
        [("sum", 0.5)]
    ] * 3
    assert gpu.engine.ran == [(4, 8)] * 4 + [(8, 16)] * 6 + [(4, 8)] * 2
