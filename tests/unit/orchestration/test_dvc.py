"""What DVC leaves when it is killed; tests/workflow/ runs DVC itself."""

import contextlib
import json
import subprocess

import pytest

from temper.errors import ExperimentError
from temper.orchestration import dvc
from temper.orchestration.dvc import last_words, refuse_braces, remove_torn_lock


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


def test_a_cache_whose_path_dvc_would_fill_in_is_refused_before_a_job(tmp_path, monkeypatch):
    folder = tmp_path / "a {b}"
    folder.mkdir()
    monkeypatch.chdir(folder)
    assert dvc.dvc("init", "--no-scm", "--quiet").returncode == 0
    with pytest.raises(ExperimentError) as caught:
        refuse_braces()
    assert str(folder) in caught.value.asked
    assert "dvc cache dir --local FOLDER" in caught.value.fix


@pytest.mark.parametrize(("cache", "refused"), [("/home/a}/cache", True), ("/{}", True), ("/elsewhere", False)])
def test_it_is_the_caches_path_that_counts(tmp_path, monkeypatch, cache, refused):
    (tmp_path / "a}").mkdir()
    monkeypatch.chdir(tmp_path / "a}")
    monkeypatch.setattr(dvc, "dvc", lambda *_, **__: subprocess.CompletedProcess([], 0, f"{cache}\n", ""))
    with pytest.raises(ExperimentError) if refused else contextlib.nullcontext():
        refuse_braces()


def test_any_other_path_asks_dvc_nothing(tmp_path, monkeypatch):
    (tmp_path / "it's a [b]").mkdir()
    monkeypatch.chdir(tmp_path / "it's a [b]")
    monkeypatch.setattr(dvc, "dvc", None)
    refuse_braces()


def test_a_command_that_meets_a_list_that_a_kill_cut_off_goes_on_without_it(study, monkeypatch, capsys):
    path, asked = lock(study, ""), []

    def dvc_commits(*arguments, **options):
        asked.append(arguments)
        torn = "ERROR: failed - Unable to read RWLock-file '.dvc/tmp/rwlock'."
        return subprocess.CompletedProcess([], 255 if path.exists() else 0, "done", torn if path.exists() else "")

    monkeypatch.setattr(dvc, "dvc", dvc_commits)
    assert dvc.ask_dvc("commit", affected="a", fix="f") == "done"
    assert asked == [("commit",)] * 2
    assert capsys.readouterr().out == "../../.dvc/tmp/rwlock, which a killed DVC had left cut off, was removed\n"
