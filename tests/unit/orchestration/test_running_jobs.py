import contextlib
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from temper.orchestration import running_jobs
from temper.orchestration.running_jobs import ended_with_this_run, job_processes

PATIENCE_S = 60
WAITS = f"{sys.executable} -c 'import time; print(1, flush=True); time.sleep(1000)'"


@pytest.fixture
def job():
    """Starts a process by a command line for a shell, waits until it is at work, and ends it with the test."""
    started = []

    def start(command):
        process = subprocess.Popen(command, shell=True, executable="/bin/bash", stdout=subprocess.PIPE)
        process.stdout.readline()
        started.append(process)
        return process

    yield start
    for process in started:
        for number in (*job_processes(process.pid), process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
        process.wait()
        process.stdout.close()


@pytest.mark.parametrize("command", [WAITS, f"set -e; {WAITS}; true"])
def test_a_job_is_the_process_that_works_and_not_the_shell_that_waits(job, command):
    process = job(command)
    (number,) = set(job_processes(os.getpid())) & {process.pid, *job_processes(process.pid)}
    assert Path(f"/proc/{number}/comm").read_text().startswith("python")


def test_jobs_end_once_the_run_is_being_ended(job, monkeypatch):
    begun = threading.Event()
    others = set(job_processes(os.getpid()))  # the tests' own: the Python that has imported all libraries
    monkeypatch.setattr(running_jobs, "job_processes", lambda parent: set(job_processes(parent)) - others)
    process = job(f"{WAITS}; exit 7")
    with ended_with_this_run(begun):
        assert process.poll() is None
        begun.set()
        assert process.wait(timeout=PATIENCE_S) == 7  # the shell itself goes on, and says how its job ended


def test_a_run_that_ends_by_itself_leaves_everything_alone(job):
    process = job(WAITS)
    with ended_with_this_run(threading.Event()):
        pass
    assert process.poll() is None
