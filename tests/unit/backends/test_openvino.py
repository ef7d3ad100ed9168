import onnx
import pytest
from pydantic import ValidationError

from temper.artifact import write_manifest
from temper.backends.openvino import open_runner
from temper.errors import ArtifactError, BackendError
from tests.tiny_onnx import unsupported_model
from tests.unit.backends.test_runner import CPU

OPTIONS = CPU["openvino"][1]


def layers(folder):
    with open_runner(str(folder), OPTIONS, "installed") as runner:
        return runner.describe()["layers_by_precision"]


def test_layers_are_listed_by_the_precision_that_ran(tiny_study):
    found = layers(tiny_study.fp32)
    assert found["f32"] > 5
    assert not found.keys() & {"bf16", "f16", "i8"}  # u8 is what its masks are


@pytest.mark.parametrize("precision", ["int8_static", "int8_nncf"])
def test_a_quantised_file_really_runs_in_8_bits(tiny_study, precision):
    assert layers(tiny_study.precision[precision])["i8"] >= 5


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
    assert caught.value.asked == f"run {folder / 'model.onnx'} on OpenVINO CPU in f32"
    assert "NoSuchOperator" in caught.value.happened


@pytest.mark.parametrize("change", [{"device": "GPU"}, {"inference_precision": "int8"}, {"streams": 2}])
def test_other_devices_precisions_and_keys_are_refused(change):
    with pytest.raises(ValidationError):
        open_runner("anywhere", {**OPTIONS, **change}, "installed")
