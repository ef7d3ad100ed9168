"""What DVC leaves when it is killed; tests/workflow/ runs DVC itself."""

import json
import subprocess

import pytest

from temper.orchestration import dvc
from temper.orchestration.dvc import last_words, remove_torn_lock


@pytest.fixture(autouse=True)
def study(tmp_path, monkeypatch):
    (tmp_path / ".dvc/tmp").mkdir(parents=True)
    (tmp_path / "studies/one").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "studies/one")
    return tmp_path


def lock(study, text):
    (study / ".dvc/tmp/rwlock").write_text(text)
    return study / ".dvc/tmp/rwlock"


@pytest.mark.parametrize("text", ["", '{"write": {"artifacts'])
def test_a_list_that_a_kill_cut_off_goes(study, text):
    path = lock(study, text)
    assert remove_torn_lock() == "../../.dvc/tmp/rwlock"
    assert not path.exists()


@pytest.mark.parametrize("text", ["{}", json.dumps({"write": {}, "read": {"a": [{"pid": 1, "cmd": "dvc repro"}]}})])
def test_a_whole_list_stays(study, text):
    path = lock(study, text)
    assert remove_torn_lock() is None
    assert path.read_text() == text


def test_a_list_that_is_being_written_is_whole_soon_after(study, monkeypatch):
    path = lock(study, "")
    monkeypatch.setattr(dvc.time, "sleep", lambda _: path.write_text("{}"))
    assert remove_torn_lock() is None
    assert path.exists()


def test_without_a_list_or_a_repository_there_is_nothing_to_do(study, tmp_path_factory, monkeypatch):
    assert remove_torn_lock() is None
    monkeypatch.chdir(tmp_path_factory.mktemp("no_repository"))
    assert remove_torn_lock() is None


@pytest.mark.parametrize(
    ("code", "stdout", "stderr", "said"),
    [
        (1, "much", "ERROR: no room\n", "ERROR: no room"),
        (1, "only this", "", "only this"),
        (-9, "", "\n", "it was ended by signal SIGKILL, without a word"),
        (255, "", "", "it ended with exit code 255, without a word"),
    ],
)
def test_a_command_that_failed_has_last_words(code, stdout, stderr, said):
    assert last_words(subprocess.CompletedProcess(["dvc"], code, stdout, stderr)) == said
