"""States of artifacts on jobs made by hand; tests/workflow/ syncs real studies."""

import os

import pytest

from temper.artifacts import scratch
from temper.artifacts.manifest import sha256
from temper.orchestration import set_aside, sync
from temper.orchestration.job_record import JobRecord, record_path, write_job_record
from temper.orchestration.jobs import Job
from temper.orchestration.sync import remove_records_of_no_row, remove_scratch
from temper.reading.typed import typed_study


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    set_aside._now.cache_clear()
    (tmp_path / "artifacts").mkdir()
    return tmp_path


def job(rule, row="", needs=(), inputs=(), **settings):
    outputs = (f"artifacts/{rule}{row}.bin", record_path(rule, row))
    return Job(rule, row, settings, tuple(inputs), outputs, tuple(needs))


def made(folder, planned, **settings):
    """Let a job have been made with these settings, by default today's."""
    file = folder / planned.outputs[0]
    file.write_text(planned.name)
    inputs = {path: sha256(path) for path in planned.inputs}
    write_job_record(
        JobRecord(planned.rule, planned.row, settings or planned.settings, inputs, {planned.outputs[0]: sha256(file)})
    )
    return planned


def test_records_of_no_row_leave_their_place_and_others_stay(folder):
    kept = made(folder, job("measure", "a"))
    gone = ("artifacts/measurements/gone.json", "artifacts/jobs/measure/gone.json")
    for path in (*gone, "artifacts/engine.bin"):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text("{}")
    said = remove_records_of_no_row([kept])
    assert [line.partition(":")[0] for line in said] == list(gone)
    assert all("no row asks for it: moved to set_aside/" in line for line in said)
    assert sorted(path.as_posix() for path in (folder / "set_aside").rglob("*.json")) == sorted(
        (folder / "set_aside" / set_aside._now() / path).as_posix() for path in gone
    )
    assert (folder / record_path("measure", "a")).exists()
    assert (folder / "artifacts/engine.bin").exists()


def test_only_what_a_killed_job_left_is_scratch(folder):
    left = [
        "artifacts/.a.json.temper-x_y12345",
        "artifacts/onnx/.fp32.temper-abcd1234",
        "data/.prepared.temper-abcdefgh",
    ]
    theirs = [
        "artifacts/onnx/.fp32.original",
        "data/prepared/.test.parquet.original",
        "artifacts/comparison/.my.original",
    ]
    theirs += ["data/raw/.photo.original", ".env.override", "artifacts/.a.json.temper-mine1234", "data/.notes.markdown"]
    outside = "../elsewhere/.a.temper-outside1"
    for path in (*left, *theirs, outside):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text("torn")
    scratch.NOTES.mkdir(parents=True)
    for path in (*left, outside):
        (scratch.NOTES / path[-8:]).write_text(os.path.abspath(path))
    assert sorted(remove_scratch()) == sorted(left)
    assert all((folder / path).exists() for path in (*theirs, outside))


def test_an_altered_output_is_set_aside_and_what_its_record_vouches_for_is_removed(folder):
    planned = Job("a", "", {"x": 1}, (), ("artifacts/one.bin", "artifacts/two.bin", record_path("a", "")), ())
    for path in planned.outputs[:2]:
        (folder / path).write_text(path)
    write_job_record(JobRecord("a", "", {"x": 1}, {}, {path: sha256(path) for path in planned.outputs[:2]}))
    (folder / "artifacts/two.bin").write_text("mine")
    aside = sync._take_away(planned)
    assert (folder / aside / "artifacts/two.bin").read_text() == "mine"
    assert not (folder / "artifacts/one.bin").exists()
    assert not (folder / record_path("a", "")).exists()


def test_what_is_not_there_is_named_with_the_command_that_makes_it(folder):
    whole, gone = made(folder, job("export")), made(folder, job("quantize", "int8"))
    assert sync._not_there([whole, gone]) == []
    (folder / gone.outputs[0]).unlink()
    with typed_study("studies/mine"):
        (said,) = sync._not_there([whole, gone])
    assert said == f"{gone.outputs[0]} is not there: temper run -C studies/mine makes it"
    (folder / whole.outputs[0]).unlink()
    (said,) = sync._not_there([whole, gone])
    assert said == f"{whole.outputs[0]} and 1 more are not there: temper run makes them"
