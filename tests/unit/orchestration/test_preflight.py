import os
import subprocess
import sys
from pathlib import Path

import pytest

from temper.errors import ConfigError, StorageError
from temper.orchestration.preflight import check_room, check_slots, check_storage, check_writable


def test_folders_that_are_writable_or_can_be_made_pass(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("artifacts").mkdir()
    check_writable("artifacts", "data")
    assert not Path("data").exists()


def test_a_file_in_the_place_of_a_folder_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("artifacts").touch()
    with pytest.raises(StorageError) as caught:
        check_writable("artifacts")
    assert caught.value.asked == "write the study's results below artifacts/"
    assert caught.value.happened == "artifacts is not a folder"


@pytest.mark.parametrize("made", [True, False], ids=["the folder", "the folder it would be made in"])
def test_a_read_only_place_is_refused_before_any_job(tmp_path, made):
    if made:
        (tmp_path / "artifacts").mkdir()
        (tmp_path / "artifacts").chmod(0o555)
    tmp_path.chmod(0o555)
    program = """
import os
from temper.errors import StorageError
from temper.orchestration.preflight import check_writable
if os.getuid() == 0:  # root may write everywhere
    os.setuid(65534)
try:
    check_writable("artifacts")
except StorageError as error:
    print(error.happened, "|", error.affected, "|", error.fix)
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    tmp_path.chmod(0o755)
    name = "artifacts" if made else tmp_path.name
    assert done.stdout.startswith(f"{name} is read-only | nothing: no job was started | give yourself write permission")


def test_room_for_one_job_is_enough_and_less_is_refused():
    check_slots({"--cores": 1, "--jobs": None})
    for number in (0, -1):
        with pytest.raises(ConfigError) as caught:
            check_slots({"--cores": 2, "--jobs": number})
        assert caught.value.asked == f"run a study with --jobs {number}"


def test_files_stay_in_the_studys_folder():
    check_storage(None)
    with pytest.raises(ConfigError) as caught:
        check_storage("s3")
    assert caught.value.asked == "run a study with --default-storage-provider s3"
    assert "copies below .snakemake/storage" in caught.value.happened
    assert caught.value.affected == "nothing: no job was started"
    assert "docs/how-to/cluster.md" in caught.value.fix
    assert "temper push" in caught.value.fix


@pytest.mark.parametrize(
    ("free", "words"),
    [
        ({"f_bavail": 10}, "No space left on device: 40 KiB are free, and a run's own notes need 2,048"),
        ({"f_favail": 3}, "No space left on device: it takes 3 more files"),
        ({"f_bavail": 0}, "0 KiB are free"),
    ],
)
def test_a_disk_without_room_for_a_runs_own_notes_is_said_before_any_job(monkeypatch, free, words):
    class Disk:
        f_bavail, f_frsize, f_files, f_favail = 10_000, 4096, 1000, 500

    disk = Disk()
    monkeypatch.setattr(os, "statvfs", lambda path: disk)
    check_room()
    vars(disk).update(free)
    with pytest.raises(StorageError, match=words):
        check_room()
    disk.f_files = disk.f_favail = 0  # of a file system that makes files as it goes (btrfs)
    disk.f_bavail = 10_000
    check_room()
