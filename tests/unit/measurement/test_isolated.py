"""A task in a process of its own, and every way in which it can end. The workers are small programs of this test."""

import os
import sys

import pytest

from temper.errors import BackendError, Unavailable
from temper.measurement.isolated import OutOfMemory, run_isolated
from temper.provenance import ALLOCATOR

WORKER = """
import json, os, signal, sys
from temper.errors import BackendError, Unavailable
from temper.measurement.isolated import answered

request = json.loads(sys.stdin.read())

def task():
    does = request["does"]
    if does == "answer":
        return {"pid": os.getpid(), "got": request["value"]}
    if does == "environment":
        return {name: os.environ.get(name) for name in request["names"]}
    if does == "lack":
        raise Unavailable("no such device")
    if does == "fail":
        raise BackendError(asked="a", happened="b", spoiled="c", fix="d")
    if does == "memory":
        raise MemoryError("12 GiB")
    if does == "cuda":
        raise RuntimeError("CUDA error: out of memory")
    if does == "backend-memory":
        raise BackendError(asked="a", happened="cudaErrorMemoryAllocation: out of memory", spoiled="c", fix="d")
    if does == "unforeseen":
        raise KeyError("what is that")
    os.kill(os.getpid(), {"killed": signal.SIGKILL, "crash": signal.SIGSEGV}[does])

answer = answered(task)
with open(int(sys.argv[1]), "w") as stream:
    json.dump(answer, stream)
"""


@pytest.fixture
def run(tmp_path, monkeypatch):
    (tmp_path / "small_worker.py").write_text(WORKER)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return lambda does, **request: run_isolated({"task": "t", "does": does, **request}, worker="small_worker")


def test_the_answer_comes_from_another_process(run):
    found = run("answer", value=[1, {"a": "ü"}])
    assert found["got"] == [1, {"a": "ü"}]
    assert found["pid"] != os.getpid()


def test_the_allocator_does_not_depend_on_which_files_were_read(run):
    """glibc's own threshold would move with the first large block that is freed."""
    found = run("environment", names=["MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"])
    assert found == ALLOCATOR
    assert int(found["MALLOC_MMAP_THRESHOLD_"]) > 32 * 2**20


def test_a_large_request_and_answer_pass(run):
    assert len(run("answer", value="x" * 3_000_000)["got"]) == 3_000_000


def test_our_errors_keep_their_kind_and_their_four_parts(run):
    with pytest.raises(BackendError) as caught:
        run("fail")
    error = caught.value
    assert (error.asked, error.happened, error.spoiled, error.fix) == ("a", "b", "c", "d")


def test_what_is_lacking_is_told_as_that(run):
    with pytest.raises(Unavailable) as caught:
        run("lack")
    assert caught.value.reason == "no such device"


@pytest.mark.parametrize(
    ("does", "message"),
    [("memory", "12 GiB"), ("cuda", "out of memory"), ("backend-memory", "out of memory"), ("killed", "SIGKILL")],
)
def test_memory_that_ran_out_is_told_as_that(run, does, message):
    with pytest.raises(OutOfMemory, match=message):
        run(does)


@pytest.mark.parametrize(("does", "message"), [("crash", "signal SIGSEGV"), ("unforeseen", "exit code 1")])
def test_any_other_end_is_unforeseen_and_its_output_is_kept(run, capfd, does, message):
    with pytest.raises(RuntimeError, match=f"'t' ended with {message}"):
        run(does)
    if does == "unforeseen":
        assert "KeyError: 'what is that'" in capfd.readouterr().err


@pytest.mark.skipif(sys.platform != "linux", reason="file descriptors are counted in /proc")
def test_no_pipe_is_left_open(run):
    before = len(os.listdir("/proc/self/fd"))
    run("answer", value=1)
    with pytest.raises(OutOfMemory):
        run("killed")
    assert len(os.listdir("/proc/self/fd")) == before
