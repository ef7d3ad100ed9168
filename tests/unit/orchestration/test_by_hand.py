import os
import re

import pytest

from temper.artifacts import scratch
from temper.artifacts.manifest import sha256
from temper.errors import ArtifactError
from temper.orchestration.by_hand import beside, check_nothing_beside, check_unedited, edited, records_here
from temper.orchestration.job_record import JobRecord, record_path, write_job_record

STAGES = """
stages:
  prepare_data: {cmd: a, outs: [data/prepared, artifacts/jobs/prepare_data.json]}
  settings: {cmd: a, outs: [settings.json: {cache: false}]}
  export_onnx:
    foreach: ${exports}
    do: {cmd: a, outs: ['artifacts/onnx/${key}', 'artifacts/jobs/export_onnx/${key}.json']}
  report: {cmd: a, outs: [artifacts/report/summary.md]}
"""
OUTPUTS = ("data/prepared/test.parquet", "artifacts/onnx/fp32/model.onnx", "artifacts/report/summary.md")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dvc.yaml").write_text(STAGES)
    for path in OUTPUTS:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(path)
    write_job_record(JobRecord("a", "", {}, {}, {path: sha256(path) for path in OUTPUTS}))
    later(tmp_path / record_path("a", ""), 1)
    return tmp_path


def noted(folder, path):
    """A path that a job noted as its scratch."""
    (folder / scratch.NOTES).mkdir(parents=True, exist_ok=True)
    (folder / scratch.NOTES / path[-8:]).write_text(str(folder / path))
    return path


def later(path, seconds):
    os.utime(path, times=(os.stat(path).st_atime + seconds, os.stat(path).st_mtime + seconds))


@pytest.mark.parametrize("age", ["younger", "older"])
def test_a_file_with_other_bytes_is_not_its_jobs_and_a_touched_one_is(folder, age):
    assert edited(records_here()) == []
    (folder / OUTPUTS[0]).touch()
    later(folder / OUTPUTS[0], 9)
    (folder / OUTPUTS[2]).write_text("mine")
    later(folder / OUTPUTS[2], 9 if age == "younger" else -9)
    assert edited(records_here()) == [OUTPUTS[2]]
    with pytest.raises(ArtifactError, match=re.escape(OUTPUTS[2])) as caught:
        check_unedited("run", records_here())
    assert caught.value.fix.startswith("temper sync: moves it to set_aside/")


def test_a_torn_record_vouches_for_nothing(folder):
    (folder / record_path("a", "")).write_text("{")
    (folder / OUTPUTS[0]).write_text("mine")
    assert edited(records_here()) == []
    assert edited(["artifacts/jobs/none.json"]) == []


def test_files_beside_those_of_jobs_count_in_folders_that_dvc_keeps_as_a_whole(folder):
    theirs = ["artifacts/onnx/fp32/deep/notes.txt", "data/prepared/.notes.markdown"]
    elsewhere = ["artifacts/report/notes.txt", "artifacts/onnx/gone/notes.txt", "artifacts/notes.txt", "data/raw/a.tsv"]
    theirs += ["data/prepared/.test.parquet.original"]
    passing = ["artifacts/onnx/fp32/.gitignore", noted(folder, "data/prepared/.test.parquet.temper-abcd1234")]
    assert beside(OUTPUTS) == []
    for path in (*theirs, *elsewhere, *passing):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text("mine")
    assert beside(OUTPUTS) == theirs
    with pytest.raises(ArtifactError, match=re.escape(f"before it makes it anew: {theirs[0]}")):
        check_nothing_beside("run", OUTPUTS)


@pytest.mark.parametrize("text", [None, "", "[]", "stages: {"])
def test_without_stages_dvc_removes_nothing(folder, text):
    (folder / "dvc.yaml").unlink()
    if text is not None:
        (folder / "dvc.yaml").write_text(text)
    (folder / "data/prepared/notes.txt").write_text("mine")
    assert beside(OUTPUTS) == []
