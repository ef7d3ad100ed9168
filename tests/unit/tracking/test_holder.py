import json
import os
import subprocess
import sys

import pytest

from temper.errors import BusyError
from temper.tracking import holder


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def held_by(**changes):
    holder.hold()
    note = {**json.loads(holder.HOLDER.read_text()), **changes}
    holder.HOLDER.write_text(json.dumps(note))


def test_a_folder_that_nobody_holds_is_free():
    holder.check_free("run")
    assert holder.holder() is None


def test_ones_own_note_does_not_keep_one_out():
    holder.hold()
    holder.check_free("run")
    holder.release()
    assert not holder.HOLDER.exists()


def test_only_the_jobs_that_the_run_names_may_adopt():
    assert not holder.may_adopt("measure", "ort")
    holder.hold(["measure/ort"])
    assert holder.may_adopt("measure", "ort")
    assert not holder.may_adopt("measure", "rtx")


def test_another_process_that_lives_is_named_with_its_command():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        held_by(pid=other.pid, started=holder._started(other.pid), command="snakemake --cores 2")
        with pytest.raises(BusyError, match=f"process {other.pid} on .*: snakemake --cores 2"):
            holder.check_free("run")
        other.kill()
    assert holder.holder() is None  # it has ended: the note of a killed run keeps nobody out


def test_another_process_under_an_old_number_does_not_count():
    held_by(pid=os.getppid(), started="1")
    assert holder.holder() is None


def test_a_process_of_another_machine_counts_for_it_cannot_be_asked():
    held_by(pid=1, host="elsewhere")
    with pytest.raises(BusyError, match="on elsewhere"):
        holder.check_free("run")


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"pid": "x"}'])
def test_a_torn_note_keeps_nobody_out(text):
    holder.HOLDER.parent.mkdir(parents=True)
    holder.HOLDER.write_text(text)
    assert holder.holder() is None
