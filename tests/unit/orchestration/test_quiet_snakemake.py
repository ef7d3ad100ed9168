"""Snakemake as a process of its own that does not say which profile it uses."""

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from temper.environment.own_process import environment, python_command
from temper.orchestration.quiet_snakemake import INTERRUPTED, parsed, run_here


@pytest.fixture
def workflow(tmp_path):
    """A Snakefile of one rule, and a profile beside it."""
    (tmp_path / "Snakefile").write_text(
        "rule all:\n    output: 'made'\n    shell: 'echo > {output}'\n", encoding="utf-8"
    )
    (tmp_path / "profile").mkdir()
    (tmp_path / "profile/config.yaml").write_text("rerun-incomplete: true\n", encoding="utf-8")
    return tmp_path


def options(workflow):
    """What names the workflow and its profile."""
    return [
        *("--snakefile", str(workflow / "Snakefile"), "--directory", str(workflow), "--cores", "1"),
        *("--workflow-profile", str(workflow / "profile")),
    ]


def run(*arguments):
    """Both streams of the process, and its exit code."""
    command = python_command("-m", "temper.orchestration.quiet_snakemake", *arguments)
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    return done.stdout + done.stderr, done.returncode


def test_it_makes_what_it_is_asked_for_and_names_no_profile(workflow):
    said, code = run(*options(workflow))
    assert code == 0, said
    assert (workflow / "made").is_file()
    assert "workflow specific profile" not in said
    _, given = parsed(options(workflow))
    assert given.rerun_incomplete  # which it reads all the same


def test_what_it_does_not_take_is_said_in_its_words(workflow):
    said, code = run(*options(workflow), "--no-such-option")
    assert code != 0
    assert "unrecognized arguments: --no-such-option" in said


def test_what_fails_has_a_code_that_is_not_zero(workflow):
    (workflow / "Snakefile").write_text("rule all:\n    output: 'made'\n    shell: 'false'\n", encoding="utf-8")
    assert run(*options(workflow))[1] == 1
    assert run_here([*options(workflow), "--snakefile", str(workflow / "absent")]) == 1


def test_a_profile_that_cannot_be_read_is_told_without_a_traceback(workflow):
    (workflow / "profile/config.yaml").write_text("cores: [1", encoding="utf-8")
    said, code = run(*options(workflow))
    assert code == 1
    assert "config.yaml" in said
    assert "Traceback" not in said


def test_its_help_is_no_error():
    said, code = run("--help")
    assert code == 0
    assert "--snakefile" in said


JOB = """from temper.orchestration.running_jobs import listen_again
onstart:
    listen_again()
rule all:
    output: 'made'
    shell: 'exec python3 job.py'
"""


def is_there(process):
    """Whether a process has not ended."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(") ")[2][0] != "Z"
    return False


@pytest.mark.parametrize("kind", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_it_alone_ends_its_jobs_with_it(workflow, kind):
    (workflow / "Snakefile").write_text(JOB, encoding="utf-8")
    (workflow / "job.py").write_text(
        "import os, time\nprint(os.getpid(), file=open('job', 'w'), flush=True)\ntime.sleep(100)\n", encoding="utf-8"
    )
    job = workflow / "job"
    command = python_command("-m", "temper.orchestration.quiet_snakemake", *options(workflow))
    with subprocess.Popen(command, env=environment(), stderr=subprocess.DEVNULL, start_new_session=True) as running:
        try:
            until = time.monotonic() + 60
            while not job.is_file() or not job.read_text(encoding="utf-8"):
                assert time.monotonic() < until
                time.sleep(0.1)
            running.send_signal(kind)
            assert running.wait(60) == INTERRUPTED
            assert not is_there(int(job.read_text(encoding="utf-8")))
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(running.pid, signal.SIGKILL)
