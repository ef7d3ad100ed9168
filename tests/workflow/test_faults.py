"""Kills, full disks, altered bytes, a clock set back: after one command the next run ends as an undisturbed one."""

import contextlib
import math
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from temper.measurement.record import Accuracy
from temper.measurement.record_file import read_record
from tests.workflow.conftest import FEWER_SAMPLES, PATIENCE_S, StudyFolder, happened
from tests.workflow.repository import BIN, Repository, copy_repository, dvc_jobs
from tests.workflow.test_exactness import JUDGED, flip_one_byte

SEED = 20261121
KILLS_BY_TOOL, KILLS = 3, 36
CHANGES = (FEWER_SAMPLES, {"train__epochs": 2})
JOBS = (8, 15)  # that each of the changes reruns
JOB_S = 2.0  # a kill falls that far into a job at most, or between it and the next
ONE_MEASURED_ANEW = {"backends__openvino-cpu__options__threads": 2}
ITS_JOBS = ["measure openvino-int8", *JUDGED]
ITS_LOG = "logs/measure/openvino-int8.log"
COMMANDS = {
    "snakemake": [sys.executable, "-m", "snakemake", "--cores", "2"],
    "dvc repro": [sys.executable, "-m", "dvc", "repro"],
    "dvc exp run": [sys.executable, "-m", "dvc", "exp", "run"],
}


def arguments(command: str, change: dict[str, object]) -> list[str]:
    """`dvc exp run` gets the change as -S; the others find it in params.yaml."""
    if command != "dvc exp run":
        return COMMANDS[command]
    return [*COMMANDS[command], *(f"-S{key.replace('__', '.')}={value}" for key, value in change.items())]


def digests_of(made: StudyFolder) -> dict[str, str]:
    """Of what equal settings must repeat, without what DVC writes for git."""
    return {path: digest for path, digest in made.digests().items() if not path.endswith(".gitignore")}


def predictions(made: StudyFolder) -> dict[str, list[int]]:
    """Predicted labels of every candidate that was measured. Fails where a record is none."""
    records = [read_record(path) for path in sorted((made / "artifacts/measurements").glob("*.json"))]
    return {r.candidate: r.accuracy.answers.predictions for r in records if isinstance(r.accuracy, Accuracy)}


class Undisturbed:
    """What each change leads to when nothing goes wrong; the second is made when first asked for, by plain `snakemake`."""

    def __init__(self, finished: Repository, folder: Path, first: StudyFolder) -> None:
        self._finished, self._folder = finished, folder
        self._found = {0: (digests_of(first), predictions(first))}

    def __call__(self, change: int) -> tuple[dict[str, str], dict[str, list[int]]]:
        if change not in self._found:
            made = copy_repository(self._finished, self._folder / str(change))
            made.set(**CHANGES[change])
            made.run(*COMMANDS["snakemake"])
            self._found[change] = (digests_of(made), predictions(made))
            subprocess.run(["rm", "-rf", str(made.folder)], check=True)
        return self._found[change]


@pytest.fixture(scope="module")
def undisturbed(finished_repository, fewer_samples, tmp_path_factory):
    return Undisturbed(finished_repository, tmp_path_factory.mktemp("undisturbed"), fewer_samples)


def begun(made: Repository) -> int:
    """How many jobs of the run have begun: each opens its log first."""
    return sum(1 for _ in (made / "logs").rglob("*.log"))


def kill_and_recover(
    made: Repository, command: str, change: int, share: float, undisturbed: Undisturbed
) -> dict[str, object]:
    """Kill a run after `share` of its jobs, recover with the one documented command, run again, compare."""
    digests, labels = undisturbed(change)
    if command != "dvc exp run":
        made.set(**CHANGES[change])
    shutil.rmtree(made / "logs")
    environment = {**os.environ, "PYTHONPATH": str(made / "src")}
    environment["PATH"] = os.pathsep.join([str(BIN), environment["PATH"]])
    run = subprocess.Popen(
        arguments(command, CHANGES[change]),
        cwd=made.folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    into_the_job, first = math.modf(share * JOBS[change])
    deadline = time.monotonic() + PATIENCE_S
    while begun(made) < first:
        assert run.poll() is None, f"the run ended after {begun(made)} of {JOBS[change]} jobs"
        assert time.monotonic() < deadline
        time.sleep(0.02)
    time.sleep(into_the_job * JOB_S)
    killed = run.poll() is None
    if killed:
        kill_all(run.pid)
    run.wait(timeout=PATIENCE_S)
    left = begun(made)
    said = made.run("temper", "sync")
    made.run(*arguments(command, CHANGES[change]))
    found = digests_of(made)
    differing = sorted(path for path in digests.keys() | found.keys() if digests.get(path) != found.get(path))
    assert differing == []
    assert predictions(made) == labels
    assert made.scratch() == []
    assert made.run("temper", "sync").startswith("every artifact is what Snakemake left here") or command != "snakemake"
    assert made.planned() == []
    return {"command": command, "change": change, "jobs_begun": left, "killed": killed, "sync": said.splitlines()}


def kill_all(pid: int) -> None:
    """SIGKILL to a process and all it has started, as a power cut does; DVC gives its stages a session of their own."""
    process = psutil.Process(pid)
    for each in [process, *process.children(recursive=True)]:
        with contextlib.suppress(psutil.NoSuchProcess):
            each.send_signal(signal.SIGKILL)


def plan_of_kills(number: int) -> list[tuple[int, str, int, float]]:
    drawn = random.Random(SEED)
    return [
        (
            kill,
            list(COMMANDS)[kill % 3],
            0 if number <= KILLS_BY_TOOL else drawn.randrange(2),
            drawn.uniform(0.05, 0.95),
        )
        for kill in range(number)
    ]


@pytest.mark.long  # test_exactness.py kills plain `snakemake` with every change
@pytest.mark.parametrize(
    ("kill", "command", "change", "share"),
    plan_of_kills(KILLS_BY_TOOL),
    ids=str,
)
def test_a_killed_run_recovers_with_one_command(repository, undisturbed, kill, command, change, share):
    assert kill_and_recover(repository, command, change, share, undisturbed)["killed"]


@pytest.mark.long
@pytest.mark.parametrize(("kill", "command", "change", "share"), plan_of_kills(KILLS), ids=str)
def test_many_killed_runs_recover(repository, undisturbed, record_property, kill, command, change, share):
    figures = kill_and_recover(repository, command, change, share, undisturbed)
    for name, value in figures.items():
        record_property(name, value)


@pytest.mark.long
def test_a_job_that_outlives_its_killed_dvc_is_named_and_not_run_beside(repository):
    repository.set(**ONE_MEASURED_ANEW)
    (repository / ITS_LOG).unlink()
    environment = {
        **os.environ,
        "PATH": os.pathsep.join([str(BIN), os.environ["PATH"]]),
        "PYTHONPATH": str(repository / "src"),
    }
    run = subprocess.Popen(COMMANDS["dvc repro"], cwd=repository.folder, env=environment, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + PATIENCE_S
    while not (repository / ITS_LOG).exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    job = next(each for each in psutil.Process(run.pid).children(recursive=True) if "snakemake" in each.cmdline())
    job.suspend()  # it must not end before it has been seen
    run.kill()
    run.wait()
    try:
        assert f"process {job.pid} on " in repository.attempt("temper", "sync").stderr
    finally:
        job.resume()
    job.wait(timeout=PATIENCE_S)
    repository.run("temper", "sync")
    repository.dvc("repro")
    assert repository.planned() == []


def test_bytes_flipped_under_an_old_time_are_named_and_the_named_command_restores_them(repository):
    before, path = repository.digests(), "artifacts/onnx/int8/model.onnx"
    flip_one_byte(repository / path)
    output = repository.refused("--forcerun", "artifacts/measurements/ort-int8.json")
    assert f"happened: changed since its job wrote it: {path}" in output
    assert "temper sync" in output
    assert f"{path} is not the file its job wrote: restored from DVC's cache" in repository.temper_says("sync")
    assert repository.digests() == before
    assert repository.repro() in ([], ["measure ort-int8", *JUDGED])
    repository.run("temper", "sync")
    repository.snakemake()
    assert repository.planned() == []


def test_without_dvc_an_altered_artifact_is_set_aside_and_made_anew_with_the_same_bytes(study):
    before, path = study.digests(), "artifacts/onnx/fp16/model.onnx"
    flip_one_byte(study / path)
    done = study.temper("sync", "--directory", str(study.folder))
    assert f"{path} is not the file its job wrote: will be made anew; what was there is in set_aside/" in done.stdout
    assert not (study / path).exists()
    study.snakemake()
    assert study.digests() == before
    assert study.planned() == []


def test_a_record_edited_by_hand_has_no_place_in_the_report(study):
    record = study / "artifacts/measurements/ort-int8.json"
    times = (record.stat().st_atime_ns, record.stat().st_mtime_ns)
    record.write_text(record.read_text().replace('"accuracy": 0.', '"accuracy": 0.9', 1))
    assert "changed since its job wrote it: artifacts/measurements/ort-int8.json" in happened(study.refused())
    os.utime(record, ns=times)  # by somebody who hides it
    output = study.refused("--forcerun", "report")
    assert "changed since its job wrote it: artifacts/measurements/ort-int8.json" in happened(output)


@pytest.mark.long
def test_a_full_disk_while_dvc_stores_spoils_no_artifact(repository, mount_small):
    repository.set(engines__fp32__max_shape=[4, 32])  # one job, whose engine is larger than the disk
    repository.snakemake()
    before = repository.digests()
    disk = mount_small(repository / ".dvc/cache", "64k")
    done = repository.attempt("temper", "commit")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "asked:    dvc commit" in done.stderr
    assert "the artifacts are whole" in done.stderr
    assert repository.digests() == before
    subprocess.run(["mount", "-o", "remount,size=200m", str(disk)], check=True)
    repository.temper_says("commit")
    assert repository.repro() == []
    assert repository.planned() == []


def set_the_clock_back(repository: Repository) -> None:
    before, later = repository.digests(), time.time() + 3 * 24 * 3600
    for path in (repository / "artifacts").rglob("*"):
        os.utime(path, times=(later, later))  # the artifacts come from what is now the future
    assert "is from the future: the clock was set back" in happened(repository.refused())
    assert "files were from the future" in repository.temper_says("sync")
    assert repository.planned() == []
    assert repository.digests() == before


def test_a_clock_that_was_set_back_is_said_and_one_command_puts_it_right(repository):
    set_the_clock_back(repository)


@pytest.mark.long
def test_after_that_command_both_tools_go_on_as_before(repository):
    set_the_clock_back(repository)
    assert repository.repro() == []
    repository.set(**ONE_MEASURED_ANEW)
    assert dvc_jobs(repository.dvc("repro")) == ITS_JOBS
    assert repository.planned() == []


@pytest.mark.long
def test_a_second_dvc_run_is_told_who_works(repository):
    repository.set(**ONE_MEASURED_ANEW)
    environment = {**os.environ, "PATH": os.pathsep.join([str(BIN), os.environ["PATH"]])}
    environment["PYTHONPATH"] = str(repository / "src")
    (repository / ITS_LOG).unlink()
    first = subprocess.Popen(
        COMMANDS["dvc repro"], cwd=repository.folder, env=environment, stdout=subprocess.DEVNULL, start_new_session=True
    )
    works: list[psutil.Process] = []
    try:
        deadline = time.monotonic() + PATIENCE_S
        while not (repository / ITS_LOG).exists():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        works = [psutil.Process(first.pid), *psutil.Process(first.pid).children(recursive=True)]
        for process in works:  # it must not end before everybody has asked
            process.suspend()
        second = repository.attempt("dvc", "repro")
        assert second.returncode != 0
        assert "Traceback" not in second.stderr
        assert str(first.pid) in second.stderr
        plain = repository.attempt("snakemake", "--cores", "1")
        assert plain.returncode != 0
        synced = repository.attempt("temper", "sync")
        assert "works in this folder since" in synced.stderr
    finally:
        for process in works:
            process.resume()
        first.wait(timeout=PATIENCE_S)
    repository.run("temper", "sync")
    assert repository.planned() == []
