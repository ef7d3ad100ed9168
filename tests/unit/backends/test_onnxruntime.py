from types import SimpleNamespace

import onnx
import onnxruntime as ort
import pytest
from pydantic import ValidationError

from temper.artifacts.manifest import write_manifest
from temper.backends.onnxruntime import open_runner, trace
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
    assert caught.value.affected == "this record only: its latency would be another device's"
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
    assert caught.value.affected == "this record only"
    assert "opset" in caught.value.fix


def test_another_version_that_is_not_there_says_how_to_get_it(tiny_study):
    with pytest.raises(LibraryError) as caught, open_runner(str(tiny_study.fp32), OPTIONS, "0.0.1"):
        pass
    assert caught.value.fix.startswith("make library PACKAGE=onnxruntime VERSION=0.0.1")


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
