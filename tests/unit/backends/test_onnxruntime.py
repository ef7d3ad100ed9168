import onnx
import onnxruntime as ort
import pytest

from temper.artifact import write_manifest
from temper.backends.onnxruntime import open_runner
from temper.errors import ArtifactError, BackendError, LibraryError, ProviderNotActive
from tests.tiny_onnx import unsupported_model
from tests.unit.backends.test_runner import CPU

OPTIONS = CPU["onnxruntime"][1]


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
