"""A study that `temper init` made goes again; what a person put there stays."""

import subprocess

import pytest

from temper.cli import main
from temper.studies.made import note_files


@pytest.fixture
def study(tmp_path, monkeypatch):
    """A study as init leaves it, in a checkout."""
    (tmp_path / "src/temper").mkdir(parents=True)
    (tmp_path / "Snakefile").touch()
    (tmp_path / "workflow/scripts").mkdir(parents=True)
    folder = tmp_path / "studies/mine"
    (folder / "data/raw").mkdir(parents=True)
    (folder / "params.yaml").write_text("study: mine\n")
    (folder / "data/raw/train.tsv").write_text("text\tlabel\n")
    note_files(folder)
    monkeypatch.chdir(tmp_path)
    return folder


@pytest.fixture
def answered(monkeypatch):
    """Answers of somebody at a terminal."""

    def answer(with_):
        monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
        monkeypatch.setattr("builtins.input", lambda question: print(question) or with_)

    return answer


@pytest.mark.parametrize("named", ["mine", "studies/mine"])
def test_all_of_it_goes_where_all_of_it_was_made(study, named, capsys):
    assert main(["remove", named, "--yes"]) == 0
    assert not study.exists()
    assert study.parent.is_dir()
    assert "removed of mine: 3 files that Temper made" in capsys.readouterr().out


def test_git_keeps_nothing_of_what_it_was_only_told_of(study, tmp_path):
    def git(*arguments):
        return subprocess.run(["git", *arguments], cwd=tmp_path, check=True, capture_output=True, text=True).stdout

    git("init", "--quiet")
    (study / "notes.md").write_text("mine")
    git("add", "studies/mine/params.yaml", "studies/mine/notes.md")
    assert main(["remove", "mine", "--yes"]) == 0
    assert git("status", "--short", "studies") == "A  studies/mine/notes.md\n"


def test_what_a_person_put_there_or_changed_stays_and_is_named(study, capsys):
    (study / "notes.md").write_text("mine")
    (study / "params.yaml").write_text("study: mine  # changed\n")
    assert main(["remove", "mine", "--yes"]) == 0
    assert sorted(path.name for path in study.iterdir()) == ["notes.md", "params.yaml"]
    assert "stays, with what is yours: notes.md, params.yaml" in capsys.readouterr().out


def test_a_link_goes_and_what_it_leads_to_stays(study, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/kept.txt").write_text("kept")
    (study / "link").symlink_to(tmp_path / "elsewhere")
    assert main(["remove", "mine", "--yes"]) == 0
    assert (study / "link").is_symlink()  # nobody knows who made it
    assert (tmp_path / "elsewhere/kept.txt").read_text() == "kept"


@pytest.mark.parametrize(("answer", "left"), [("", True), ("n", True), ("y", False), ("yes", False)])
def test_it_asks_and_enter_is_no(study, answered, answer, left, capsys):
    answered(answer)
    assert main(["remove", "mine"]) == 0
    assert study.exists() == left
    assert "Remove them? [y/N]" in capsys.readouterr().out


def test_nobody_to_ask_is_an_error_that_says_what_would_go(study, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    assert main(["remove", "mine"]) == 1
    assert "3 files that Temper made" in capsys.readouterr().err
    assert study.exists()


@pytest.mark.parametrize(("named", "happened"), [("none", "does not exist"), ("old", "temper init did not make")])
def test_what_init_did_not_make_is_refused(study, named, happened, capsys):
    (study.parent / "old").mkdir()
    (study.parent / "old/params.yaml").touch()
    assert main(["remove", named, "--yes"]) == 1
    assert happened in capsys.readouterr().err
    assert (study.parent / "old/params.yaml").exists()
