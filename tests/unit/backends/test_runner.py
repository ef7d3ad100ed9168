"""What every backend promises, held against all of them that this machine can run."""

import numpy as np
import pytest

from temper.backends import pytorch
from temper.backends.runner import Runner
from temper.environment import plugins
from tests.processor import int8_tolerance

CPU = {
    "null": ("fp32", {}),
    "pytorch": ("checkpoint", {"device": "cpu", "dtype": "float32", "threads": 1, "tf32": False, "mode": "eager"}),
    "onnxruntime": (
        "fp32",
        {
            "execution_provider": "CPUExecutionProvider",
            "device_index": 0,
            "intra_op_threads": 1,
            "spinning": False,
            "graph_optimization": "all",
            "allow_cpu_fallback": False,
            "io_binding": False,
            "cuda_graph": False,
            "tf32": False,
            "profile_shapes": None,
        },
    ),
    "openvino": ("fp32", {"device": "CPU", "inference_precision": "f32", "threads": 1, "shapes": "dynamic"}),
}
LIBRARIES = sorted(set(CPU) - {"null"})


@pytest.fixture
def opened(tiny_study):
    """A loaded runner of the tiny study's FP32 model, or of another artifact."""
    loaded = []

    def opened(backend, folder=None, **changes):
        artifact, options = CPU[backend]
        runner = plugins.load("backends", backend).open_runner(
            str(folder or getattr(tiny_study, artifact)), {**options, **changes}, "installed"
        )
        loaded.append(runner.__enter__())
        return loaded[-1]

    yield opened
    for runner in loaded:
        runner.__exit__(None, None, None)


def trace(tiny_study, backend, folder=None, **changes):
    """What a backend executes on two batches of other sizes."""
    artifact, options = CPU[backend]
    batches = [tiny_study.inputs([0, 1, 2]), tiny_study.inputs([3], length=9)]
    return plugins.load("backends", backend).trace(
        str(folder or getattr(tiny_study, artifact)), {**options, **changes}, "installed", batches
    )


@pytest.mark.parametrize("backend", CPU)
def test_logits_are_float32_per_row_and_label(tiny_study, opened, backend):
    runner = opened(backend)
    for rows, length in (([0], None), ([1, 2, 3], 9), (list(range(8)), 24)):
        logits = runner.infer(tiny_study.inputs(rows, length=length))
        assert isinstance(logits, np.ndarray)
        assert (logits.dtype, logits.shape) == (np.float32, (len(rows), 2))


@pytest.mark.parametrize("backend", CPU)
def test_an_answer_stays_as_it_was_when_the_next_call_comes(tiny_study, opened, backend):
    runner = opened(backend)
    first = runner.infer(tiny_study.inputs([0, 1], length=12))
    kept = first.copy()
    second = runner.infer(tiny_study.inputs([2, 3], length=12))
    assert np.array_equal(first, kept)
    assert backend == "null" or not np.array_equal(first, second)


@pytest.mark.parametrize("backend", CPU)
def test_inputs_are_left_as_they_were(tiny_study, opened, backend):
    inputs = tiny_study.inputs([0, 1, 2])
    copies = {name: array.copy() for name, array in inputs.items()}
    opened(backend).infer(inputs)
    assert all(np.array_equal(inputs[name], copies[name]) for name in inputs)


@pytest.mark.parametrize("backend", CPU)
def test_a_runner_says_what_ran_and_what_it_accepts(opened, backend):
    runner: Runner = opened(backend)
    described = runner.describe()
    assert described["device"] == "cpu"
    assert described["library"] in {"none", "torch", "onnxruntime", "openvino"}
    assert described.get("threads", 1) == 1
    assert runner.limits() == {}


@pytest.mark.parametrize("backend", LIBRARIES)
def test_the_version_that_ran_is_the_one_installed(opened, backend):
    module = plugins.load("backends", backend)
    from temper.environment.library import installed_version, public_version

    assert public_version(opened(backend).describe()["version"]) == public_version(installed_version(module.LIBRARY))


@pytest.mark.parametrize("backend", LIBRARIES)
def test_a_trace_lists_the_layers_of_an_fp32_model(tiny_study, backend):
    execution = trace(tiny_study, backend)
    found = execution.summary()
    # eight products with weights; attention's own two are no modules of PyTorch
    assert found["products"] == {"total": 8 if backend == "pytorch" else 10, "quantized": 0}
    assert found["products_by_precision"] == {"FP32": found["products"]["total"]}
    assert found["layers_elsewhere"] == {"total": 0, "first": []}
    assert all(layer.time_ms is None or layer.time_ms >= 0 for layer in execution.layers)
    assert (found["product_time_share"] is None) == (backend == "pytorch")


@pytest.mark.parametrize("mode", ["eager", "torchscript"])
def test_workloads_traced_on_one_loading_are_each_as_if_alone(tiny_study, mode):
    _, options = CPU["pytorch"]
    asked = str(tiny_study.checkpoint), {**options, "mode": mode}, "installed"
    workloads = {"long": [tiny_study.inputs([0, 1, 2])], "short": [tiny_study.inputs([3], length=9)]}
    found = pytorch.traces(*asked, workloads)
    for name, batches in workloads.items():
        alone = pytorch.trace(*asked, batches)
        assert found[name].source == alone.source
        assert [(layer.name, layer.precision) for layer in found[name].layers] == [
            (layer.name, layer.precision) for layer in alone.layers
        ]


def test_the_null_backend_executes_nothing(tiny_study):
    assert trace(tiny_study, "null") is None


@pytest.mark.parametrize("precision", ["int8_static", "int8_nncf"])
@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
def test_a_trace_shows_the_int8_products_of_a_static_file(tiny_study, backend, precision):
    found = trace(tiny_study, backend, tiny_study.precision[precision]).summary()
    assert found["products"]["quantized"] >= 5
    assert found["products_by_precision"]["INT8"] == found["products"]["quantized"]


def test_what_is_dynamic_int8_for_onnx_runtime_is_fp32_for_openvino(tiny_study):
    folder = tiny_study.precision["int8_dynamic"]
    assert trace(tiny_study, "onnxruntime", folder).summary()["products"] == {"total": 10, "quantized": 8}
    assert trace(tiny_study, "openvino", folder).summary()["products_by_precision"] == {"FP32": 10}


def test_all_backends_agree_in_fp32(tiny_study, opened):
    inputs = tiny_study.inputs(list(range(21)))
    answers = {backend: opened(backend).infer(inputs) for backend in LIBRARIES}
    assert np.ptp(answers["pytorch"]) > 0.5  # logits that differ between rows
    for backend, logits in answers.items():
        assert np.abs(logits - answers["pytorch"]).max() < 1e-3, backend


@pytest.mark.parametrize("precision", ["int8_static", "int8_nncf"])
def test_an_int8_file_answers_nearly_the_same_on_both_onnx_backends(tiny_study, opened, precision):
    inputs = tiny_study.inputs(list(range(21)))
    folder = tiny_study.precision[precision]
    exact = opened("pytorch").infer(inputs)
    ours, theirs = (opened(backend, folder).infer(inputs) for backend in ("onnxruntime", "openvino"))
    assert np.abs(ours - theirs).mean() < int8_tolerance(0.05, 0.2) * np.ptp(exact)
    assert np.abs(ours - exact).mean() < int8_tolerance(0.05, 0.1) * np.ptp(exact)
    assert np.abs(ours - exact).max() > 1e-4  # the quantised file is what ran
