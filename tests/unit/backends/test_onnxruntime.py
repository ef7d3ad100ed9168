from types import SimpleNamespace

import onnx
import onnxruntime as ort
import pytest
from pydantic import ValidationError

from temper.artifacts.manifest import write_manifest
from temper.backends.onnxruntime import check_providers, executed_layers, open_runner, trace
from temper.errors import ArtifactError, BackendError, LibraryError, ProviderNotActive
from tests.tiny_onnx import IMAGE, TEXT, unsupported_model
from tests.unit.backends.test_runner import CPU

OPTIONS = CPU["onnxruntime"][1]
CPU_PROVIDER = "CPUExecutionProvider"


@pytest.mark.skipif("CUDAExecutionProvider" in ort.get_available_providers(), reason="this build has CUDA")
def test_an_inactive_provider_is_an_error_and_never_a_cpu_latency(tiny_study):
    runner = open_runner(str(tiny_study.fp32), {**OPTIONS, "execution_provider": "CUDAExecutionProvider"}, "installed")
    with pytest.raises(ProviderNotActive) as caught, runner:
        pass
    assert caught.value.asked == f"run {tiny_study.fp32 / 'model.onnx'} on CUDAExecutionProvider"
    assert "CPUExecutionProvider" in caught.value.happened
    assert ort.__version__ in caught.value.happened
    assert caught.value.spoiled == "this record only: its latency would be another device's"
    assert "docs/install.md" in caught.value.fix
    assert "params.yaml" in caught.value.fix


def test_the_provider_that_ran_is_described(tiny_study):
    with open_runner(str(tiny_study.fp32), OPTIONS, "installed") as runner:
        described = runner.describe()
    assert (described["provider"], described["device"]) == ("CPUExecutionProvider", "cpu")


@pytest.mark.parametrize("level", ["disable", "basic", "extended", "all"])
def test_every_level_of_graph_optimisation_loads(tiny_study, level):
    with open_runner(str(tiny_study.fp32), {**OPTIONS, "graph_optimization": level}, "installed") as runner:
        assert runner.infer(tiny_study.inputs([0])).shape == (1, 2)


def test_an_altered_file_is_refused_before_it_is_loaded(tiny_study, copy_of):
    folder = copy_of(tiny_study.fp32)
    with open(folder / "model.onnx", "ab") as stream:
        stream.write(b"\0")
    with pytest.raises(ArtifactError, match=r"model\.onnx"), open_runner(str(folder), OPTIONS, "installed"):
        pass


def test_a_model_it_cannot_run_is_a_backend_error(tiny_study, copy_of):
    folder = copy_of(tiny_study.fp32)
    onnx.save(unsupported_model(), folder / "model.onnx")
    write_manifest(folder / "onnx.json", kind="onnx", facts={})
    with pytest.raises(BackendError) as caught, open_runner(str(folder), OPTIONS, "installed"):
        pass
    assert "NoSuchOperator" in caught.value.happened
    assert caught.value.spoiled == "this record only"
    assert "opset" in caught.value.fix


def test_another_version_that_is_not_there_says_how_to_get_it(tiny_study):
    with pytest.raises(LibraryError) as caught, open_runner(str(tiny_study.fp32), OPTIONS, "0.0.1"):
        pass
    assert caught.value.fix.startswith("make library PACKAGE=onnxruntime VERSION=0.0.1")


def node(name, kind, provider="CUDAExecutionProvider", start_us=0, us=1, types=("float",), index=0):
    """One event of a profile, as ONNX Runtime writes it."""
    return {
        "cat": "Node",
        "name": f"{name}_kernel_time",
        "ts": start_us,
        "dur": us,
        "args": {
            "op_name": kind,
            "provider": provider,
            "node_index": str(index),
            "input_type_shape": [{word: [1]} for word in types],
            "output_type_shape": [{"float": [1]}],
        },
    }


def profile(*nodes, calls=3):
    """A profile of calls that take 100 µs each; the first warms up."""
    runs = [{"cat": "Session", "name": "model_run", "ts": 100 * call, "dur": 99} for call in range(calls)]
    return [{"cat": "Session", "name": "session_initialization", "ts": 0, "dur": 1}, *nodes, *runs]


CUDA = "CUDAExecutionProvider"
ON_CUDA = [node("attention", "MatMul", start_us=at, us=us) for at, us in ((10, 900), (110, 20), (210, 40))]
ON_CPU = [node("length", "Shape", "CPUExecutionProvider", start_us=at, types=("int64",)) for at in (5, 105, 205)]


def check(events, **changes):
    settings = {"wanted": "CUDAExecutionProvider", "allow_cpu_fallback": False, "asked": "run it on CUDA", **changes}
    return check_providers(executed_layers(events, provider=CUDA), **settings)


def test_times_are_means_over_the_calls_after_the_first():
    on_cpu = [node("attention", "MatMul", CPU_PROVIDER, at, us) for at, us in ((10, 900), (110, 20), (210, 40))]
    (layer,) = executed_layers(profile(*on_cpu), provider=CPU_PROVIDER)
    assert (layer.name, layer.type, layer.precision) == ("attention", "MatMul", "FP32")
    assert (layer.device, layer.time_ms) == (CPU_PROVIDER, pytest.approx(0.03))


def test_nodes_of_a_gpu_have_no_times_because_it_works_on_after_their_code_has_returned():
    (layer,) = executed_layers(profile(*ON_CUDA), provider=CUDA)
    assert (layer.device, layer.precision, layer.time_ms) == (CUDA, "FP32", None)


def test_what_a_fused_node_computes_in_is_not_listed():
    fused = node("TRTKernel_0", "TRTKernel_0", "nv_tensorrt_rtx", start_us=110, types=("int64",))
    (layer,) = executed_layers(profile(fused), provider="NvTensorRTRTXExecutionProvider")
    assert (layer.precision, layer.device) == ("not listed", "nv_tensorrt_rtx")


def test_a_profile_without_nodes_shows_nothing():
    with pytest.raises(ProviderNotActive, match="lists no node"):
        check(profile())


def test_a_node_on_the_cpu_is_an_error_where_another_provider_was_asked_for():
    with pytest.raises(ProviderNotActive) as caught:
        check(profile(*ON_CUDA, *ON_CPU))
    assert caught.value.asked == "run it on CUDA"
    assert caught.value.happened == "1 of 2 nodes ran on CPUExecutionProvider: Shape 'length'"
    assert caught.value.spoiled == "this record only: its latency would be another device's"
    assert "allow_cpu_fallback: true" in caught.value.fix


def test_of_many_nodes_on_the_cpu_the_first_five_are_named():
    many = [node(f"n{at}", "Shape", "CPUExecutionProvider", start_us=110 + at, index=at) for at in range(7)]
    with pytest.raises(ProviderNotActive, match="7 of 7 nodes") as caught:
        check(profile(*many))
    assert caught.value.happened.endswith("Shape 'n4', …")


def test_a_row_may_allow_nodes_on_the_cpu_and_then_they_are_listed():
    assert check(profile(*ON_CUDA, *ON_CPU), allow_cpu_fallback=True) == ("Shape length",)
    assert check(profile(*ON_CUDA), allow_cpu_fallback=True) == ()


def test_a_third_provider_is_an_error_whatever_the_row_allows():
    with pytest.raises(ProviderNotActive, match="DmlExecutionProvider"):
        check(profile(node("x", "Add", "DmlExecutionProvider", start_us=110)), allow_cpu_fallback=True)


def test_a_real_profile_of_the_cpu_passes_for_the_cpu_and_not_for_cuda(tiny_study):
    execution = trace(str(tiny_study.fp32), OPTIONS, "installed", [tiny_study.inputs([0, 1])])
    settings = {"allow_cpu_fallback": False, "asked": "run it"}
    assert check_providers(execution.layers, wanted="CPUExecutionProvider", **settings) == ()
    with pytest.raises(ProviderNotActive, match=f"{len(execution.layers)} of {len(execution.layers)} nodes"):
        check_providers(execution.layers, wanted="CUDAExecutionProvider", **settings)


@pytest.mark.parametrize(
    ("kind", "types", "precision"),
    [
        ("MatMulIntegerToFloat", ("uint8", "float", "float", "uint8"), "INT8"),
        ("DynamicQuantizeMatMul", ("float", "float", "int8"), "INT8"),
        ("MatMul", ("float16",), "FP16"),
        ("Gather", ("float", "int64"), "FP32"),
        ("Where", ("bool", "float", "float"), "FP32"),
        ("Concat", ("int64", "int64"), "INT64"),
        ("Constant", (), "FP32"),
    ],
)
def test_a_node_computes_in_the_type_of_the_data_it_reads(kind, types, precision):
    (layer,) = executed_layers(profile(node("n", kind, start_us=150, types=types)), provider=CUDA)
    assert layer.precision == precision


def test_the_time_of_a_branch_is_that_of_the_nodes_in_it():
    (layer,) = executed_layers(
        profile(node("n", "If", CPU_PROVIDER, start_us=150, types=("bool",))), provider=CPU_PROVIDER
    )
    assert layer.time_ms is None


def test_a_call_that_fails_is_an_error_and_is_not_repeated_on_the_cpu(tiny_study, monkeypatch):
    class Failing:
        """A session whose provider fails: ONNX Runtime's own wrapper would make another one on the CPU and go on."""

        calls = 0

        def run(self, *arguments):
            self.calls += 1
            raise ort.capi.onnxruntime_pybind11_state.EPFail("CUDA failure 700")

        def is_webgpu_graph_capture_enabled(self):
            return False

    with open_runner(str(tiny_study.fp32), OPTIONS, "installed") as runner:
        failing = Failing()
        monkeypatch.setattr(runner._session, "_sess", failing)
        with pytest.raises(BackendError, match="EPFail: CUDA failure 700"):
            runner.infer(tiny_study.inputs([0]))
        assert failing.calls == 1


def test_memory_that_ran_out_is_said_in_the_words_by_which_it_is_recorded(tiny_study, monkeypatch):
    def too_much(*arguments):
        raise RuntimeError("bfc_arena.cc:376 Failed to allocate memory for requested buffer of size 4096")

    with open_runner(str(tiny_study.fp32), OPTIONS, "installed") as runner:
        monkeypatch.setattr(runner._session, "run", too_much)
        with pytest.raises(BackendError, match="out of memory: RuntimeError"):
            runner.infer(tiny_study.inputs([0]))


def test_tensorrt_that_is_not_installed_is_a_provider_that_is_not_active():
    def without_libraries(*arguments, **settings):
        raise RuntimeError("Please install TensorRT libraries as mentioned in the GPU requirements page")

    changes = {"execution_provider": "TensorrtExecutionProvider", "tf32": True}
    runner = open_runner("anywhere", {**OPTIONS, **changes}, "installed")
    with pytest.raises(ProviderNotActive, match="install TensorRT"):
        runner._load(SimpleNamespace(InferenceSession=without_libraries), None, {})


def test_a_profile_of_shapes_bounds_what_is_accepted():
    profile = {"min": [1, 8], "opt": [4, 16], "max": [8, 24]}
    changes = {"execution_provider": "NvTensorRTRTXExecutionProvider", "tf32": True, "profile_shapes": profile}
    runner = open_runner("anywhere", {**OPTIONS, **changes}, "installed")
    assert runner._profile_limits(TEXT) == {"batch_size": (1, 8), "sequence_length": (8, 24)}
    with pytest.raises(BackendError, match="dynamic axes are"):
        runner._profile_limits(IMAGE)


def test_profiles_are_not_left_behind(tiny_study, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    trace(str(tiny_study.fp32), OPTIONS, "installed", [tiny_study.inputs([0])])
    assert list(tmp_path.iterdir()) == []


def test_whether_the_cpu_may_step_in_has_no_default():
    options = {key: value for key, value in OPTIONS.items() if key != "allow_cpu_fallback"}
    with pytest.raises(ValidationError, match="allow_cpu_fallback"):
        open_runner("anywhere", options, "installed")
