"""The command as a person types it: what is not given is asked, one line after the other."""

import io

import pytest

from temper.cli import main
from temper.study.resolve import load_resolved
from tests.unit.studies.conftest import checkout, checkpoint, data, left, saved

__all__ = ["checkout", "checkpoint", "data", "saved"]  # fixtures


@pytest.fixture
def type_in(checkout, monkeypatch, capsys):
    """Runs the command in the checkout with these lines on its standard input."""
    (checkout / "src/temper").mkdir(
        parents=True, exist_ok=True
    )  # else it is no checkout, and the one around this file would be taken
    (checkout / "Snakefile").touch()
    monkeypatch.chdir(checkout)

    def run(*arguments, typed=(), code=0):
        monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{line}\n" for line in typed)))
        assert main(["new-study", *map(str, arguments)]) == code
        return capsys.readouterr()

    return run


def test_everything_may_be_asked(type_in, checkout, checkpoint, data):
    answers = ["mine", checkpoint, data, "no", "label", "mark", "", "", "15", "32", "no"]  # 'label' is no column
    said = type_in(typed=answers)
    content = load_resolved(checkout / "studies/mine/params.yaml")
    assert (content["data"]["label"], content["data"]["max_tokens"]) == ("mark", 32)
    assert len((checkout / "studies/mine/data/raw/test.tsv").read_text().splitlines()) == 16
    assert "there is no 'label'; there are 'review', 'mark'" in said.err
    assert "name of the study: " in said.err
    assert said.out.splitlines()[-2] == "run it:     make study STUDY=mine"


def test_everything_may_be_given(type_in, checkout, checkpoint, data):
    flags = ["--checkpoint", checkpoint, "--data", data, "--label-column", "mark", "--text-column", "review"]
    said = type_in("mine", *flags, "--test-rows", 15, "--max-tokens", 32, "--fine-tune", "no", "--gpu", "no", "--yes")
    assert said.out.splitlines()[-2] == "run it:     make study STUDY=mine"
    assert main(["check", "studies/mine/params.yaml"]) == 0


def test_where_nobody_answers_the_missing_flag_is_named(type_in, checkout):
    said = type_in("mine", code=1)
    assert said.err.splitlines()[-1].strip() == "fix:      give --checkpoint"
    assert left(checkout) == []


def test_a_refusal_has_four_parts_and_leaves_nothing(type_in, checkout, checkpoint, data):
    said = type_in("mine", "--checkpoint", checkpoint, "--data", data, "--label-column", "none", code=1)
    error = said.err[said.err.index("ConfigError") :]
    assert [line.split(":")[0].strip() for line in error.splitlines()[1:]] == ["asked", "happened", "spoiled", "fix"]
    assert left(checkout) == []


def test_ctrl_c_is_no_traceback_and_says_what_is_left_to_do(type_in, checkout, checkpoint, data, monkeypatch):
    def interrupted(*arguments, **words):
        raise KeyboardInterrupt

    (checkout / ".dvc").mkdir()
    monkeypatch.setattr("temper.orchestration.dvc.ask_dvc", interrupted)
    said = type_in("mine", "--checkpoint", checkpoint, "--data", data, "--yes", code=130)
    assert said.err.splitlines()[-2].endswith(
        "studies/mine is there, and DVC does not track its files yet: dvc add data/raw in that folder"
    )
    assert said.err.splitlines()[-1] == "temper: interrupted"
    assert left(checkout) == ["mine"]
