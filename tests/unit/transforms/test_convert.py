import json

import numpy as np
import onnxruntime as ort
import pytest
from google.protobuf.message import EncodeError

from temper.artifacts.manifest import read_manifest, sha256
from temper.environment.plugins import load
from temper.errors import ArtifactError
from temper.transforms.convert import convert_precision
from tests.processor import int8_tolerance
from tests.tiny_study import STATIC

FP16 = {"step": "fp16", "options": {"keep_in_fp32": []}, "calibration_folder": None, "search_folder": None}


@pytest.fixture
def run(tiny_study, tmp_path):
    """Applies a step to the tiny study's FP32 file, or to another; gives the result's folder."""

    def run(name="made", onnx_folder=None, external_data=False, **call):
        convert_precision(
            onnx_folder=str(onnx_folder or tiny_study.fp32),
            folder=str(tmp_path / name),
            external_data=external_data,
            **{**FP16, **call},
        )
        return tmp_path / name

    return run


def answer(folder, inputs):
    session = ort.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    return session.run(["logits"], inputs)[0]


@pytest.mark.parametrize(
    ("name", "step", "cache"),
    [
        ("fp16", "fp16", None),
        ("int8_dynamic", "int8_dynamic", None),
        ("int8_static", "int8_static", "minmax"),
        ("int8_nncf", "int8_static", "nncf"),
    ],
)
def test_the_manifest_says_how_and_from_what(tiny_study, name, step, cache):
    manifest = read_manifest(tiny_study.precision[name] / "onnx.json", kind="onnx")
    assert manifest["made_by"]["step"] == step
    made_from = {"model.onnx": sha256(tiny_study.fp32 / "model.onnx")}
    if cache is not None:
        made_from["cache.json"] = sha256(tiny_study.calibration[cache] / "cache.json")
    assert manifest["made_from"] == made_from
    assert {"onnx", "onnxruntime"} <= manifest["versions"].keys()
    assert (tiny_study.precision[name] / "signature.json").read_text() == (
        tiny_study.fp32 / "signature.json"
    ).read_text()


@pytest.mark.parametrize("name", ["fp16", "int8_dynamic", "int8_static", "int8_nncf"])
def test_every_precision_answers_nearly_as_fp32(tiny_study, name):
    inputs = tiny_study.inputs(list(range(10)))
    expected = answer(tiny_study.fp32, inputs)
    limit = int8_tolerance(0.15, 0.3) * np.ptp(expected)
    assert np.abs(answer(tiny_study.precision[name], inputs) - expected).max() < limit


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("fp16", {}),
        ("int8_dynamic", {"step": "int8_dynamic", "options": {"per_channel": True}}),
        ("int8_static", {"step": "int8_static", "options": STATIC, "calibration_folder": "minmax"}),
    ],
)
def test_a_repeat_gives_equal_bytes(tiny_study, run, name, call):
    if "calibration_folder" in call:
        call = {**call, "calibration_folder": str(tiny_study.calibration[call["calibration_folder"]])}
    folder = run(**call)
    for path in sorted(tiny_study.precision[name].iterdir()):
        assert (folder / path.name).read_bytes() == path.read_bytes(), path.name


def test_steps_chain(tiny_study, run):
    first = run("static", step="int8_static", options=STATIC, calibration_folder=str(tiny_study.calibration["nncf"]))
    second = run("then_dynamic", onnx_folder=first, step="int8_dynamic", options={"per_channel": True})
    expected = answer(first, tiny_study.inputs([0, 1]))
    assert np.abs(answer(second, tiny_study.inputs([0, 1])) - expected).max() < 0.05 * np.ptp(expected)
    assert read_manifest(second / "onnx.json", kind="onnx")["made_from"] == {"model.onnx": sha256(first / "model.onnx")}


def test_steps_whose_result_is_no_valid_onnx_are_refused(tiny_study, run, tmp_path):
    first = run("dynamic", step="int8_dynamic", options={"per_channel": False})
    with pytest.raises(ArtifactError) as caught:
        run("then_fp16", onnx_folder=first)
    assert "DynamicQuantizeLinear" in caught.value.happened
    assert "start from another row" in caught.value.fix
    assert not (tmp_path / "then_fp16").exists()


def test_external_data_goes_in_and_out(tiny_study, run):
    nncf = {"step": "int8_static", "options": STATIC, "calibration_folder": str(tiny_study.calibration["nncf"])}
    beside = run("beside", external_data=True, **nncf)
    again = run("again", onnx_folder=beside, step="int8_dynamic", options={"per_channel": True}, external_data=True)
    assert (beside / "model.onnx.data").stat().st_size > 1000
    assert (again / "model.onnx.data").stat().st_size > 1000
    inputs = tiny_study.inputs([0, 1])
    assert np.array_equal(answer(beside, inputs), answer(tiny_study.precision["int8_nncf"], inputs))
    assert answer(again, inputs).shape == (2, 2)


@pytest.mark.parametrize("what", ["onnx_folder", "calibration_folder"])
def test_altered_inputs_are_refused(tiny_study, copy_of, run, tmp_path, what):
    folders = {"onnx_folder": tiny_study.fp32, "calibration_folder": tiny_study.calibration["nncf"]}
    folders[what] = copy_of(folders[what])
    file = folders[what] / ("model.onnx" if what == "onnx_folder" else "quantized.onnx")
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(ArtifactError, match=file.name):
        run(step="int8_static", options=STATIC, **{key: str(folder) for key, folder in folders.items()})
    assert not (tmp_path / "made").exists()


def test_what_a_library_cannot_convert_is_an_error_of_this_file(tiny_study, run, tmp_path):
    with pytest.raises(ArtifactError) as caught:
        run(step="int8_static", options=STATIC, calibration_folder=None)
    assert caught.value.asked == f"apply int8_static to {tiny_study.fp32 / 'model.onnx'}"
    assert "AssertionError" in caught.value.happened
    assert "drop the row" in caught.value.fix
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("step", ["fp16", "simplify", "additive_mask"])
def test_a_step_that_needs_the_model_in_one_message_says_so(run, monkeypatch, tmp_path, step):
    def convert(model, cache, options):
        raise EncodeError("Failed to serialize proto")  # as a model of more than 2 GiB has it

    module = load("steps", step)
    monkeypatch.setattr(module, "convert", convert)
    with pytest.raises(ArtifactError) as caught:
        run(step=step, options={"keep_in_fp32": []} if step == "fp16" else {})
    assert "one protobuf message, which holds 2 GiB" in caught.value.happened
    assert caught.value.fix == "drop the row from params.yaml, and what loads it"
    assert not (tmp_path / "made").exists()


def test_no_path_of_this_machine_is_in_any_file(tiny_study):
    for folder in tiny_study.precision.values():
        for path in folder.iterdir():
            assert b"/tmp" not in path.read_bytes(), path
            assert str(folder.parent).encode() not in path.read_bytes(), path
        assert json.loads((folder / "onnx.json").read_text())["kind"] == "onnx"


def test_a_step_that_changes_nothing_is_refused(tiny_study, run, tmp_path):
    with pytest.raises(ArtifactError, match="it changes nothing in this file") as caught:
        run("again", onnx_folder=tiny_study.precision["fp16"])
    assert "timed against itself" in caught.value.fix
    assert not (tmp_path / "again").exists()
