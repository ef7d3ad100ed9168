"""A job whose code, settings and inputs are those of last time puts back what it made then, and does not run."""

import os
import shutil
from pathlib import Path

import pytest

from temper.artifacts.manifest import sha256
from temper.orchestration.made_files import FOLDER
from tests.workflow.conftest import StudyFolder, adopted_in, copy_code_of, jobs_in
from tests.workflow.test_exactness import AFTER_CALIBRATION, CALIBRATE, flip_one_byte

CONVERTED, HARNESS = "artifacts/onnx/int8/model.onnx", "artifacts/measurements/harness.json"


@pytest.fixture
def adopting(finished, tmp_path):
    """The finished study with what its jobs may adopt, and code that a test may edit."""
    copied = shutil.copytree(finished.folder, tmp_path / "study", symlinks=True)
    yield StudyFolder(copied, copy_code_of(finished.code, tmp_path / "code"))
    shutil.rmtree(copied)


def edit(study: StudyFolder, number: int) -> None:
    """Other code for calibrating that gives the same bytes."""
    with open(study.code / "src/temper/quantization/calibration/nncf.py", "a") as module:
        module.write(f"EDITED = {number}\n")


def all_digests(study: StudyFolder) -> dict[str, str]:
    return {path: sha256(study / path) for path in study.files()}


def test_an_edit_that_changes_no_byte_runs_one_job_and_the_others_adopt(adopting):
    before = all_digests(adopting)
    edit(adopting, 1)
    said = adopting.temper("plan", "--directory", str(adopting.folder)).stdout.splitlines()
    assert said[0] == "8 jobs would run:"
    assert said[-1].startswith("7 of them only follow: where what one reads turns out the same, it adopts")
    output = adopting.snakemake()
    assert jobs_in(output) == sorted([*CALIBRATE, *AFTER_CALIBRATION])
    assert adopted_in(output) == AFTER_CALIBRATION  # measurements and their times of day among them
    assert adopting.planned() == []
    changed = {path for path, digest in all_digests(adopting).items() if digest != before[path]}
    assert changed == {"artifacts/jobs/calibrate/main.json"}  # it names the code
    edit(adopting, 2)
    kept = adopting / FOLDER / "convert_precision/int8" / CONVERTED  # the artifact itself by now: it gets a copy
    shutil.copy2(adopting / CONVERTED, tmp := adopting.folder / "copy")
    os.replace(tmp, adopting / CONVERTED)
    flip_one_byte(kept)
    output = adopting.snakemake("artifacts/jobs/convert_precision/int8.json")
    assert adopted_in(output) == []
    assert sha256(adopting / CONVERTED) == before[CONVERTED]


def test_other_calibration_rows_train_and_measure_nothing_anew_that_does_not_read_them(adopting):
    before = all_digests(adopting)
    adopting.set(data__calibration_rows=17)
    record = "artifacts/measurements/ort-fp32.json"
    output = adopting.snakemake(record)
    assert jobs_in(output) == ["export_onnx fp32", "fine_tune", "measure ort-fp32", "prepare_data"]
    assert adopted_in(output) == ["export_onnx fp32", "fine_tune", "measure ort-fp32"]
    changed = {path for path, digest in all_digests(adopting).items() if digest != before[path]}
    names = ("calibration.parquet", "calibration.json", "data_card.json")
    assert changed == {"artifacts/jobs/prepare_data.json", *(f"data/prepared/{name}" for name in names)}


def test_who_forces_a_job_or_deletes_what_it_made_gets_it_made_anew(adopting):
    def measured_anew(*arguments: str) -> bool:
        before = (adopting / HARNESS).read_bytes() if (adopting / HARNESS).exists() else kept
        output = adopting.snakemake(HARNESS, *arguments)
        assert jobs_in(output) == ["measure harness"]
        return not adopted_in(output) and (adopting / HARNESS).read_bytes() != before

    kept = (adopting / HARNESS).read_bytes()
    assert measured_anew("--force")
    kept = (adopting / HARNESS).read_bytes()
    Path(adopting / HARNESS).unlink()
    assert measured_anew()
