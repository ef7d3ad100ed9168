import json
import os
import subprocess
import sys

import pytest

from temper.errors import BusyError
from temper.orchestration import run_lock


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def held_by(**changes):
    run_lock.hold()
    note = {**json.loads(run_lock.HOLDER.read_text()), **changes}
    run_lock.HOLDER.write_text(json.dumps(note))


def test_a_folder_that_nobody_holds_is_free():
    run_lock.check_free("run")
    assert run_lock.holder() is None


def test_ones_own_note_does_not_keep_one_out():
    run_lock.hold()
    run_lock.check_free("run")
    run_lock.release()
    assert not run_lock.HOLDER.exists()


def test_only_the_jobs_that_the_run_names_may_adopt():
    assert not run_lock.may_adopt("measure", "ort")
    run_lock.hold(["measure/ort"])
    assert run_lock.may_adopt("measure", "ort")
    assert not run_lock.may_adopt("measure", "rtx")


def test_another_process_that_lives_is_named_with_its_command():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        held_by(pid=other.pid, started=run_lock._started(other.pid), command="snakemake --cores 2")
        with pytest.raises(BusyError, match=f"process {other.pid} on .*: snakemake --cores 2"):
            run_lock.check_free("run")
        other.kill()
    assert run_lock.holder() is None  # it has ended: the note of a killed run keeps nobody out


@pytest.mark.parametrize(
    ("program", "called"),
    [
        ("/checkout/.venv/bin/temper", "temper run -C studies/mine"),
        ("/checkout/src/temper/cli/__main__.py", "temper run -C studies/mine"),
        ("/checkout/.venv/bin/snakemake", "snakemake run -C studies/mine"),
        ("/lib/site-packages/snakemake/__main__.py", "snakemake run -C studies/mine"),
    ],
)
def test_a_run_is_noted_by_the_name_that_it_was_started_by(monkeypatch, program, called):
    monkeypatch.setattr("sys.argv", [program, "run", "-C", "studies/mine"])
    run_lock.hold()
    assert json.loads(run_lock.HOLDER.read_text())["command"] == called


def test_another_process_under_an_old_number_does_not_count():
    held_by(pid=os.getppid(), started="1")
    assert run_lock.holder() is None


def test_a_process_of_another_machine_counts_for_it_cannot_be_asked():
    held_by(pid=1, host="elsewhere")
    with pytest.raises(BusyError, match="on elsewhere"):
        run_lock.check_free("run")


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"pid": "x"}'])
def test_a_torn_note_keeps_nobody_out(text):
    run_lock.HOLDER.parent.mkdir(parents=True)
    run_lock.HOLDER.write_text(text)
    assert run_lock.holder() is None


# After a kill


@pytest.fixture
def killed(folder):
    """A run that was killed with its lock and a half-written file."""
    (folder / ".snakemake/locks").mkdir(parents=True)
    (folder / ".snakemake/locks/0.output.lock").write_text("artifacts/x\n")
    (folder / "artifacts").mkdir()
    program = """
import os, signal
from temper.artifacts.scratch import scratch_folder
from pathlib import Path
from temper.orchestration import run_lock
run_lock.hold()
with scratch_folder(Path("artifacts/fp32")):
    os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", program], check=False)
    assert json.loads(run_lock.HOLDER.read_text())["pid"] != os.getpid()
    return folder


def test_the_next_run_removes_what_a_killed_one_left_and_says_so(killed):
    (said,) = run_lock.clear_after_a_kill("run")
    assert "was killed: its lock was removed, and 1 half-written files" in said
    assert list((killed / ".snakemake/locks").iterdir()) == []
    assert list((killed / "artifacts").iterdir()) == []
    assert not run_lock.HOLDER.exists()
    assert run_lock.clear_after_a_kill("run") == []


def test_a_run_whose_job_was_killed_alone_removes_what_that_left(folder):
    (folder / "artifacts").mkdir()
    job = """
import os, signal
from temper.artifacts.scratch import scratch_folder
from pathlib import Path
with scratch_folder(Path("artifacts/report")):
    os.kill(os.getpid(), signal.SIGKILL)
"""
    run_lock.hold()
    (folder / "artifacts/.photo.original").write_text("a person's")
    subprocess.run([sys.executable, "-c", job], check=False)
    assert len(list((folder / "artifacts").iterdir())) == 2
    run_lock.let_go()
    assert [path.name for path in (folder / "artifacts").iterdir()] == [".photo.original"]


@pytest.mark.parametrize("doubt", ["locked since", "another machine", "no note", "a torn note", "it lives"])
def test_in_doubt_the_lock_stays(killed, doubt):
    lock = killed / ".snakemake/locks/0.output.lock"
    if doubt == "locked since":
        later = run_lock.HOLDER.stat().st_mtime_ns + 10**9
        os.utime(lock, ns=(later, later))
    elif doubt == "another machine":
        held_by(host="elsewhere")
    elif doubt == "no note":
        run_lock.HOLDER.unlink()
    elif doubt == "a torn note":
        run_lock.HOLDER.write_text("{")
    else:
        held_by(pid=os.getpid(), started=run_lock._started(os.getpid()))
    assert run_lock.clear_after_a_kill("run") == []
    assert lock.exists()


BEGUN = """
import os, signal, sys
from temper.orchestration import run_lock
run_lock.begin()
if "held" in sys.argv:
    run_lock.hold()
    run_lock.let_go()
os.makedirs(".snakemake/locks", exist_ok=True)
open(".snakemake/locks/0.output.lock", "w").close()
if "lives" in sys.argv:
    print("begun", flush=True)
    input()
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("moment", ["before it held the folder", "held"])
def test_a_run_killed_between_snakemakes_lock_and_its_own_note_keeps_nobody_out(folder, moment):
    subprocess.run([sys.executable, "-c", BEGUN, moment], check=False)
    assert list(run_lock.LOCKS.iterdir()) != []
    assert not run_lock.HOLDER.exists()
    (said,) = run_lock.clear_after_a_kill("run")
    assert "was killed: its lock was removed" in said
    assert list(run_lock.LOCKS.iterdir()) == list(run_lock.STARTING.iterdir()) == []


def test_a_run_that_has_just_begun_is_named_and_its_lock_stays(folder):
    with subprocess.Popen(
        [sys.executable, "-c", BEGUN, "lives"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        with pytest.raises(BusyError, match=f"process {other.pid} on .* works in this folder since"):
            run_lock.clear_after_a_kill("run")
        other.kill()
    assert list(run_lock.LOCKS.iterdir()) != []
    assert len(run_lock.clear_after_a_kill("run")) == 1


def test_one_that_began_on_another_machine_keeps_its_lock_until_all_is_forgotten(folder):
    subprocess.run([sys.executable, "-c", BEGUN], check=False)
    (note,) = run_lock.STARTING.iterdir()
    note.write_text(json.dumps({**json.loads(note.read_text()), "host": "elsewhere"}))
    assert run_lock.clear_after_a_kill("run") == []
    assert list(run_lock.LOCKS.iterdir()) != []
    run_lock.forget_all()
    assert list(run_lock.STARTING.iterdir()) == []


def test_a_run_that_ends_leaves_no_note(folder):
    program = "from temper.orchestration import run_lock; run_lock.begin(); run_lock.hold(); run_lock.let_go()"
    subprocess.run([sys.executable, "-c", program], check=True)
    assert list(run_lock.STARTING.iterdir()) == []
    assert not run_lock.HOLDER.exists()


def test_another_users_process_that_cannot_be_looked_at_works(folder, monkeypatch):
    """Where /proc shows each user his own processes (hidepid), only a signal tells that another's lives."""

    def signalled(pid, number):
        raise PermissionError

    held_by(pid=2**22 + 1, started="1")
    assert run_lock.holder() is None
    monkeypatch.setattr(os, "kill", signalled)
    assert run_lock.holder() is not None


def test_a_job_of_a_killed_run_that_still_works_is_named(killed, monkeypatch):
    environment = {**os.environ, run_lock.RUN: run_lock._words(json.loads(run_lock.HOLDER.read_text()))}
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, env=environment) as job:
        with pytest.raises(BusyError, match=f"process {job.pid}, a job of it, still works"):
            run_lock.clear_after_a_kill("run")
        job.kill()
    assert run_lock.clear_after_a_kill("run") != []


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="no such call here: a job ends by itself")
def test_a_job_ends_when_the_run_that_it_belongs_to_is_killed(folder):
    job = "import time; from temper.orchestration.run_lock import end_with_the_run; end_with_the_run(); "
    job += "print('on', flush=True); time.sleep(600)"
    run = f"""
import subprocess, sys
from temper.orchestration import run_lock
run_lock.hold()
subprocess.run(["sh", "-c", 'exec 2>/dev/null; "$0" -c "$1"; true', sys.executable, {job!r}])
"""
    with subprocess.Popen([sys.executable, "-c", run], stdout=subprocess.PIPE, text=True) as main:
        assert main.stdout.readline() == "on\n"
        main.kill()
        assert main.stdout.read() == "the run that this job belongs to has ended: so does the job\n"
