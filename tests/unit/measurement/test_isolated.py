"""A task in a process of its own, and every way in which it can end. The workers are small programs of this test."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from temper.environment.machine import ALLOCATOR
from temper.environment.own_process import ENVIRONMENT
from temper.errors import BackendError, LibraryError, Unavailable
from temper.measurement import isolated
from temper.measurement.isolated import NoAnswer, OutOfMemory, run_isolated

WORKER = """
import atexit, os, pathlib, signal, subprocess, sys, time
from temper.errors import BackendError, Unavailable
from temper.measurement.isolated import answer_request

def task(request):
    does = request["does"]
    if does == "answer":
        return {"pid": os.getpid(), "got": request["value"]}
    if does == "environment":
        return {name: os.environ.get(name) for name in request["names"]}
    if does == "lack":
        raise Unavailable("no such device")
    if does == "fail":
        raise BackendError(asked="a", happened="b", affected="c", fix="d")
    if does == "import":
        import no_such_library
    if does == "memory":
        raise MemoryError("12 GiB")
    if does == "cuda":
        raise RuntimeError("CUDA error: out of memory")
    if does == "backend-memory":
        raise BackendError(asked="a", happened="cudaErrorMemoryAllocation: out of memory", affected="c", fix="d")
    if does == "unforeseen":
        raise KeyError("what is that")
    if does == "crash at its end":
        atexit.register(os.kill, os.getpid(), signal.SIGSEGV)
        return {}
    if does == "killed once":
        file = pathlib.Path(request["file"])
        if file.exists():
            return {"tries": 2}
        file.touch()
        does = "killed"
    if does == "say nothing":
        os._exit(0)
    if does == "leave one running":
        program = [sys.executable, "-c", "import time; time.sleep(600)"]
        return {"pid": subprocess.Popen(program, pass_fds=[int(sys.argv[1])]).pid}
    if does == "hang":
        print("first", "second", sep="\\n", flush=True)
        print("third", file=sys.stderr, flush=True)
        if "pid_file" in request:
            pathlib.Path(request["pid_file"]).write_text(str(os.getpid()))
        time.sleep(600)
    os.kill(os.getpid(), {"killed": signal.SIGKILL, "crash": signal.SIGSEGV}[does])

answer_request(task)
"""


@pytest.fixture
def run(tmp_path, monkeypatch):
    (tmp_path / "small_worker.py").write_text(WORKER)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    def run(does, timeout_s=None, keep_output=False, **request):
        return run_isolated(
            {"task": "t", "does": does, **request}, worker="small_worker", timeout_s=timeout_s, keep_output=keep_output
        )

    return run


def test_the_answer_comes_from_another_process(run):
    found = run("answer", value=[1, {"a": "ü"}])
    assert found["got"] == [1, {"a": "ü"}]
    assert found["pid"] != os.getpid()


def test_the_allocator_does_not_depend_on_which_files_were_read(run):
    """glibc's own threshold would move with the first large block that is freed."""
    found = run("environment", names=["MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"])
    assert found == ALLOCATOR
    assert int(found["MALLOC_MMAP_THRESHOLD_"]) > 32 * 2**20


def test_files_of_the_working_folder_are_no_libraries_of_a_worker(run, tmp_path, monkeypatch):
    study = tmp_path / "study"
    study.mkdir()
    for name in ("random", "numpy", "ctypes"):
        (study / f"{name}.py").write_text("raise SystemExit('the file of the folder ran')\n")
    monkeypatch.chdir(study)
    assert run("answer", value=1)["got"] == 1


def test_libraries_of_a_worker_tell_nobody_of_it(run):
    assert run("environment", names=list(ENVIRONMENT)) == dict(ENVIRONMENT)


def test_a_large_request_and_answer_pass(run):
    assert len(run("answer", value="x" * 3_000_000)["got"]) == 3_000_000


def test_our_errors_keep_their_kind_and_their_four_parts(run):
    with pytest.raises(BackendError) as caught:
        run("fail")
    error = caught.value
    assert (error.asked, error.happened, error.affected, error.fix) == ("a", "b", "c", "d")


def test_a_module_that_is_not_installed_is_named(run):
    with pytest.raises(LibraryError, match="no_such_library"):
        run("import")


def test_what_is_lacking_is_told_as_that(run):
    with pytest.raises(Unavailable) as caught:
        run("lack")
    assert caught.value.reason == "no such device"


@pytest.mark.parametrize(
    ("does", "message"),
    [("memory", "12 GiB"), ("cuda", "out of memory"), ("backend-memory", "out of memory")],
)
def test_memory_that_ran_out_is_told_as_that(run, does, message):
    with pytest.raises(OutOfMemory, match=message):
        run(does)


def test_a_kill_that_the_memory_killer_counts_is_memory(run, monkeypatch):
    counts = iter([3, 4])
    monkeypatch.setattr(isolated, "memory_kills", lambda: next(counts))
    with pytest.raises(OutOfMemory, match="the system's memory killer ended the process"):
        run("killed")


@pytest.mark.parametrize("count", [3, None], ids=["it counts none", "nobody counts"])
def test_any_other_kill_is_tried_once_more_and_is_no_lack_of_memory(run, monkeypatch, tmp_path, count, capfd):
    monkeypatch.setattr(isolated, "memory_kills", lambda: count)
    assert run("killed once", file=str(tmp_path / "once"))["tries"] == 2
    assert "killed from outside (SIGKILL): started once more" in capfd.readouterr().out
    with pytest.raises(NoAnswer) as caught:
        run("killed")
    assert (caught.value.killed, caught.value.crashed) == (True, False)


@pytest.mark.parametrize(
    ("does", "message"),
    [("crash", "signal SIGSEGV"), ("unforeseen", "exit code 1"), ("say nothing", "exit code 0")],
)
def test_any_other_end_is_unforeseen_and_its_output_is_kept(run, capfd, does, message):
    with pytest.raises(NoAnswer, match=f"'t' ended with {message}") as caught:
        run(does)
    assert caught.value.crashed == (does == "crash")
    if does == "unforeseen":
        assert "KeyError: 'what is that'" in capfd.readouterr().err


@pytest.mark.skipif(sys.platform != "linux", reason="file descriptors are counted in /proc")
def test_no_file_is_left_open(run):
    before = len(os.listdir("/proc/self/fd"))
    run("answer", value=1)
    with pytest.raises(NoAnswer):
        run("killed")
    assert len(os.listdir("/proc/self/fd")) == before


def test_what_a_library_does_while_it_is_torn_down_does_not_count(run):
    assert run("crash at its end") == {}


def test_a_process_that_the_task_has_left_running_is_not_waited_for(run):
    left = run("leave one running", timeout_s=60)["pid"]
    assert not ended(left)  # it sleeps on: had it been waited for, the run would have been over time
    os.kill(left, signal.SIGKILL)


def test_a_process_whose_time_is_over_is_killed_and_its_last_lines_are_kept(run, tmp_path, capfd):
    pid_file = tmp_path / "pid"
    with pytest.raises(NoAnswer, match="'t' had not ended in time, and was killed") as caught:
        run("hang", timeout_s=3, keep_output=True, pid_file=str(pid_file))
    assert (caught.value.how, caught.value.last_said) == (None, "first / second / third")
    assert capfd.readouterr().out == "first\nsecond\nthird\n"
    assert ended(int(pid_file.read_text()))


def ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nobody tells a process that its parent was killed")
def test_a_worker_ends_with_the_process_that_asked_for_it(run, tmp_path):
    pid_file = tmp_path / "pid"
    request = {"task": "t", "does": "hang", "pid_file": str(pid_file)}
    code = f"from temper.measurement.isolated import run_isolated; run_isolated({request}, worker='small_worker')"
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until(lambda: pid_file.is_file() and pid_file.read_text())
    worker = int(pid_file.read_text())
    parent.kill()
    parent.wait()
    try:
        wait_until(lambda: ended(worker))
    finally:
        if not ended(worker):
            os.kill(worker, signal.SIGKILL)


def wait_until(true, patience_s=30):
    deadline_s = time.monotonic() + patience_s
    while not true():
        assert time.monotonic() < deadline_s
        time.sleep(0.02)
