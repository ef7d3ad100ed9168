"""Snakemake asked for files: what it is told, and what is made of how it ends."""

import json
import signal
import subprocess
import sys
import time

import pytest
import yaml

from temper.errors import ExperimentError
from temper.optimize import build
from temper.optimize.build import is_made, make, why_not_made
from temper.orchestration.job_record import record_path
from temper.study.study import read_study


@pytest.fixture
def played(monkeypatch, tmp_path):
    """A program in Snakemake's place; what it was asked for stands in `asked`."""
    asked = []

    def plays(program):
        def command(folder, *arguments):
            asked.append(arguments)
            return [sys.executable, "-c", "" if "--unlock" in arguments else program]

        monkeypatch.setattr(build, "snakemake_command", command)
        return asked

    return plays


def test_snakemake_is_asked_for_the_files_and_goes_on_where_one_cannot_be_made(played, tmp_path):
    asked = played("raise SystemExit(1)")
    assert not make(tmp_path, ["artifacts/onnx/a/model.onnx"], cores="2", seconds=None, keep_going=True)
    assert asked[0][-3:] == ("--keep-going", "--", "artifacts/onnx/a/model.onnx")


def test_what_everything_starts_from_has_to_be_made(played, tmp_path):
    played("raise SystemExit(1)")
    with pytest.raises(ExperimentError) as caught:
        make(tmp_path, ["artifacts/onnx/fp32/model.onnx"], cores="2", seconds=None, keep_going=False)
    assert "the same command again" in caught.value.fix


def test_nothing_is_asked_for_where_nothing_is_wanted(played, tmp_path):
    asked = played("")
    assert make(tmp_path, [], cores="2", seconds=None, keep_going=True)
    assert asked == []


def test_time_that_is_over_ends_it_and_unlocks_the_folder(played, tmp_path, monkeypatch):
    asked = played("import time; time.sleep(60)")
    assert not make(tmp_path, ["artifacts/onnx/a/model.onnx"], cores="2", seconds=0.2, keep_going=True)
    assert "--unlock" in asked[-1]


def test_one_that_does_not_end_when_it_is_asked_is_killed(monkeypatch):
    monkeypatch.setattr(build, "_GRACE_S", 0.1)
    program = "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); print(flush=True); time.sleep(60)"
    running = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, start_new_session=True)
    assert running.stdout is not None
    running.stdout.readline()
    build._stop(running)
    assert running.returncode == -9
    running.stdout.close()


def test_a_row_is_made_where_its_record_and_its_files_are_there(tmp_path):
    path = tmp_path / record_path("convert_precision", "int8")
    assert not is_made(tmp_path, "onnx/int8")
    path.parent.mkdir(parents=True)
    record = {"format_version": 1, "rule": "convert_precision", "row": "int8", "settings": {}, "inputs": {}}
    path.write_text(json.dumps({**record, "outputs": {"artifacts/onnx/int8/model.onnx": "0"}}), encoding="utf-8")
    assert not is_made(tmp_path, "onnx/int8")
    (tmp_path / "artifacts/onnx/int8").mkdir(parents=True)
    (tmp_path / "artifacts/onnx/int8/model.onnx").write_bytes(b"")
    assert is_made(tmp_path, "onnx/int8")


INTERRUPTED = "X: interrupted; what it had begun to write was removed\n"
ERROR = "LibraryError in rule X:\n  asked:    a\n  happened: {}\n  affected: b\n  fix:      c\n"


@pytest.fixture
def study():
    with open("tests/workflow/params.tiny.yaml", encoding="utf-8") as stream:
        return read_study(yaml.safe_load(stream))


def log(folder, job, text):
    file = folder / "logs" / f"{job}.log"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def test_why_a_row_is_not_made_stands_in_its_log(tmp_path, study):
    assert why_not_made(tmp_path, study, "onnx/int8") == "there was no time left to make it"
    log(tmp_path, "convert_precision/int8", ERROR.format("no such layer"))
    assert why_not_made(tmp_path, study, "onnx/int8") == "no such layer"
    log(tmp_path, "convert_precision/int8", INTERRUPTED)
    assert why_not_made(tmp_path, study, "onnx/int8") == "there was no time left to make it"
    log(tmp_path, "convert_precision/int8", "half a")
    assert why_not_made(tmp_path, study, "onnx/int8") == "its job did not end"


@pytest.mark.parametrize("artifact", ["onnx/int8", "engines/int8"])
@pytest.mark.parametrize("job", ["calibrate main", "export_onnx fp32"])
def test_what_stopped_that_which_a_row_is_made_from_is_said_of_the_row(tmp_path, study, artifact, job):
    log(tmp_path, "build_engine/fp32", "what a job that ended well wrote\n")
    log(tmp_path, job.replace(" ", "/"), INTERRUPTED)
    assert why_not_made(tmp_path, study, artifact) == "there was no time left to make it"
    log(tmp_path, job.replace(" ", "/"), ERROR.format("no module nncf"))
    assert why_not_made(tmp_path, study, artifact) == f"{job}, which it is made from, stopped: no module nncf"


@pytest.mark.parametrize(("program", "code"), [("raise SystemExit(3)", 3), ("pass", -signal.SIGKILL)])
def test_a_run_is_asked_to_end_and_killed_where_it_does_not(monkeypatch, tmp_path, program, code):
    monkeypatch.setattr(build, "_GRACE_S", 30.0 if code == 3 else 0.5)
    handler = f"import signal, time\ndef end(*_):\n    {program}\nsignal.signal(signal.SIGTERM, end)\n"
    begun = tmp_path / "begun"
    command = [sys.executable, "-c", f"{handler}open({str(begun)!r}, 'w').close()\nfor _ in range(100): time.sleep(1)"]
    with subprocess.Popen(command) as running:
        while not begun.exists():
            time.sleep(0.05)
        build.end(running)
    assert running.returncode == code
