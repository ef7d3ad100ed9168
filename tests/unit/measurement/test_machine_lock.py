import os
import stat
import subprocess
import sys

import pytest

from temper.measurement.machine_lock import FOLDER, lock_path, machine_to_itself

HOLDS = """
import sys, time
from temper.measurement.machine_lock import machine_to_itself
with machine_to_itself("ort-int8"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    monkeypatch.setenv(FOLDER, str(tmp_path))


@pytest.fixture
def other():
    """Another process that measures."""
    process = subprocess.Popen([sys.executable, "-c", HOLDS], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_second_measurement_waits_and_says_for_whom_until_the_first_has_ended(other):
    said, slept = [], []

    def sleep(seconds):
        slept.append(seconds)
        if sum(slept) > 63:
            other.kill()
            other.wait()

    with machine_to_itself("torch-fp32", say=said.append, sleep=sleep):
        assert sum(slept) > 63  # a process that was killed holds nothing
    assert len(said) == 2  # after two seconds, and a minute later
    assert said[0].startswith(f"torch-fp32: waiting for ort-int8 (process {other.pid} of ")
    assert said[0].endswith("to end measuring on this machine")


def test_the_lock_is_every_users_whatever_the_mask(tmp_path):
    before = os.umask(0o077)
    try:
        with machine_to_itself("a"):
            pass
    finally:
        os.umask(before)
    assert stat.S_IMODE(lock_path().stat().st_mode) == 0o666
    with machine_to_itself("b", say=pytest.fail, sleep=pytest.fail):
        assert '"what": "b"' in lock_path().read_text()
    assert lock_path().read_text() == ""


def test_a_link_in_the_locks_place_is_not_followed_and_the_log_says_that_nothing_is_held(tmp_path, capsys):
    mine = tmp_path / "mine.txt"
    mine.write_text("kept")
    lock_path().symlink_to(mine)
    with machine_to_itself("a"):
        pass
    assert mine.read_text() == "kept"
    assert "no lock keeps two measurements apart" in capsys.readouterr().out


def test_the_lock_is_the_machines_where_nothing_else_is_said(monkeypatch):
    monkeypatch.delenv(FOLDER)
    assert str(lock_path().parent) in ("/dev/shm", os.path.realpath(os.environ.get("TMPDIR", "/tmp")))
