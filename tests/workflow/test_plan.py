"""`temper plan` says what would run and why. Its words come from Snakemake's dry run, whose form these tests hold."""

import json

import yaml

from temper.environment.machine import KIND
from tests.unit.study.sections.test_machines import SHORT as ON_TWO_MACHINES


def test_nothing_to_be_done_is_said(study):
    done = study.temper("plan", "--directory", str(study.folder))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Nothing to be done")


def test_a_changed_number_is_shown_with_its_old_value(study):
    study.set(calibrations__main__samples=8)
    lines = study.temper("plan", "--directory", str(study.folder)).stdout.splitlines()
    assert lines[0] == "8 jobs would run:"
    assert "  calibrate main: calibration samples: 16 → 8" in lines
    (converted,) = [line for line in lines if line.startswith("  convert_precision int8: ")]
    assert converted == "  convert_precision int8: follows artifacts/calibration/main"
    study.set(analysis__latency_margin=0.06)  # of a job that would run anyway
    lines = study.temper("plan", "--directory", str(study.folder)).stdout.splitlines()
    (report,) = [line for line in lines if line.startswith("  report: ")]
    assert report.startswith("  report: analysis.latency_margin: 0.05 → 0.06; follows artifacts")


def test_an_edited_module_is_named_as_code_and_not_as_a_setting(own_code):
    with open(own_code.code / "src/temper/backends/openvino.py", "a") as module:
        module.write("EDITED = 1\n")
    lines = own_code.temper("plan", "--directory", str(own_code.folder)).stdout.splitlines()
    assert lines[0] == "3 jobs would run:"
    assert "  measure openvino-int8: its code changed" in lines


def test_a_lost_file_is_named(study):
    (study / "artifacts/onnx/fp16/model.onnx").unlink()
    (study / "artifacts/report/summary.csv").unlink()
    lines = study.temper("plan", "--directory", str(study.folder)).stdout.splitlines()
    assert "  convert_precision fp16: not there: artifacts/onnx/fp16/model.onnx" in lines
    assert "  report: not there: artifacts/report/summary.csv" in lines


def test_a_changed_setting_and_edited_code_are_two_reasons(own_code):
    own_code.set(calibrations__main__samples=8)
    with open(own_code.code / "src/temper/quantization/calibration/nncf.py", "a") as module:
        module.write("EDITED = 1\n")
    lines = own_code.temper("plan", "--directory", str(own_code.folder)).stdout.splitlines()
    assert "  calibrate main: calibration samples: 16 → 8; its code changed" in lines


def test_a_study_that_was_never_run_is_planned_whole(fresh):
    lines = fresh.temper("plan", "--directory", str(fresh.folder)).stdout.splitlines()
    assert lines[0] == "17 jobs would run:"
    assert "  prepare_data: not there: data/prepared/calibration.json and 12 more" in lines


def test_a_plan_that_cannot_be_made_ends_in_the_error_itself(fresh):
    fresh.set(train__epoch=3)
    done = fresh.temper("plan", "--directory", str(fresh.folder))
    assert done.returncode != 0
    assert "train.epoch is an unknown key" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith("  fix:")  # nothing of Snakemake's after it


def test_a_study_on_two_machines_is_planned_for_each_whoever_plans(fresh):
    (fresh / "params.yaml").write_text(yaml.safe_dump(ON_TWO_MACHINES, sort_keys=False))
    planned = fresh.planned()
    for rule in ("read_machine", "remeasure", "report"):
        assert [job for job in planned if job.startswith(f"{rule} ")] == [f"{rule} large", f"{rule} small"]
    assert {"measure harness", "measure harness-large", "measure int8-large"} <= set(planned)
    (fresh / "machines").mkdir()
    for name in ("small", "large"):  # as a job on another kind of machine than this one would have written it
        kind = dict.fromkeys(KIND, name)
        content = {"format_version": 1, "kind": kind, "gpus": [], "libraries": {"onnxruntime": "9.9"}}
        (fresh / f"machines/{name}.json").write_text(json.dumps(content))
    assert not [job for job in fresh.planned() if job.startswith("read_machine")]
