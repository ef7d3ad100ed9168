"""What is planned for a named machine follows from its file, wherever it is planned, and runs on no other machine."""

import json

import pytest

from temper.environment.library import NOT_INSTALLED, Library
from temper.environment.machine import measuring_machine
from temper.errors import ArtifactError, MachineError
from temper.orchestration import machines
from temper.orchestration.machines import check_here, gpus_of, kind_of, look, machine_file, seen, unseen, version_on

ORT = Library("onnxruntime", ("onnxruntime", "onnxruntime-gpu"), "ONNX Runtime")


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """The file of a machine that is not this one, in a study's folder."""
    monkeypatch.chdir(tmp_path)
    look(machine_file("gpu"))
    content = json.loads((tmp_path / machine_file("gpu")).read_text())
    content["kind"]["instructions"] = "amx_int8"
    content["gpus"] = [["NVIDIA H200", "580.1"], ["NVIDIA H200", "580.1"]]
    content["libraries"]["onnxruntime"] = "9.9"
    (tmp_path / machine_file("gpu")).write_text(json.dumps(content))
    return content


def test_a_machine_that_was_looked_at_here_is_this_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    look(machine_file("cpu"))
    assert kind_of("cpu") == {"name": "cpu", **measuring_machine()}
    check_here("measure a", {"machine": kind_of("cpu"), "gpus": [], "backend": {"gpus": 0, "options": {}}})
    first = (tmp_path / machine_file("cpu")).read_bytes()
    look(machine_file("cpu"))
    assert (tmp_path / machine_file("cpu")).read_bytes() == first


def test_what_a_plan_needs_is_in_the_machines_file(elsewhere):
    assert kind_of("gpu")["instructions"] == "amx_int8"
    assert gpus_of("gpu", 1, {"device_index": 1}) == [("NVIDIA H200", "580.1")]
    assert gpus_of("gpu", 3, {}) == [("NVIDIA H200", "580.1")] * 2
    assert version_on("gpu", ORT, "installed") == "9.9"
    assert version_on("gpu", ORT, "1.2.3") == "1.2.3"
    assert version_on("gpu", None, "installed") == "none"


def test_before_anybody_looked_a_job_is_planned_all_the_same(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert kind_of("gpu") == {"name": "gpu", "seen": "no job has looked at it yet"}
    assert gpus_of("gpu", 1, {}) == []
    assert version_on("gpu", ORT, "installed") == NOT_INSTALLED
    assert unseen(["", "gpu"]) == ["gpu"]


def test_a_job_that_runs_on_another_machine_than_its_own_refuses(elsewhere):
    with pytest.raises(MachineError) as caught:
        check_here("measure a", {"machine": kind_of("gpu"), "gpus": []})
    assert "machines/gpu.json" in caught.value.happened
    assert "instructions is" in caught.value.happened
    assert "temper run --again gpu" in caught.value.fix


def test_a_job_that_was_planned_elsewhere_without_a_name_refuses():
    planned = {**measuring_machine(), "cores_usable": 999}
    with pytest.raises(MachineError) as caught:
        check_here("measure a", {"machine": planned})
    assert "not 999" in caught.value.happened
    assert "machines: in params.yaml" in caught.value.fix


def test_another_gpu_or_driver_than_planned_is_refused(monkeypatch):
    monkeypatch.setattr(machines, "gpus_used", lambda count, options: [("NVIDIA H200", "580.2")] * count)
    settings = {"machine": measuring_machine(), "backend": {"gpus": 1, "options": {}}}
    check_here("measure a", settings | {"gpus": [["NVIDIA H200", "580.2"]]})
    with pytest.raises(MachineError) as caught:
        check_here("measure a", settings | {"gpus": [["NVIDIA H200", "580.1"]]})
    assert "580.2" in caught.value.happened


def test_a_job_that_times_nothing_runs_anywhere():
    check_here("calibrate main", {"row": {}})


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"format_version": 2}', '{"format_version": 1, "kind": {}, "gpus": [], "libraries": {}}']
)
def test_a_file_that_is_no_such_record_is_refused_in_four_parts(tmp_path, monkeypatch, text):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "machines").mkdir()
    (tmp_path / machine_file("gpu")).write_text(text)
    with pytest.raises(ArtifactError) as caught:
        seen("gpu")
    assert "git checkout" in caught.value.fix
