"""What a fix tells to type can be typed by who reads it: with the study's folder that their command named."""

import os
from pathlib import Path

import pytest

from temper.cli import main
from temper.errors import ConfigError
from temper.reading.typed import STUDY, as_typed, temper_command, typed_for, typed_study, with_the_folder

PARAMS = Path(__file__).resolve().parents[2] / "workflow/params.tiny.yaml"


@pytest.mark.parametrize(
    ("fix", "said"),
    [
        ("temper sync: puts it back", "temper sync -C studies/mine: puts it back"),
        ("if it is gone: temper sync --force", "if it is gone: temper sync -C studies/mine --force"),
        ("temper run --again report, in it", "temper run -C studies/mine --again report, in it"),
        ("temper run there; or temper track", "temper run -C studies/mine there; or temper track -C studies/mine"),
        ("temper run -C studies/other", "temper run -C studies/other"),
        (
            "temper run --cores 2 -C studies/other; temper sync",
            "temper run --cores 2 -C studies/other; temper sync -C studies/mine",
        ),
        ("temper run studies/a studies/b", "temper run studies/a studies/b"),
        ("temper report --filed results/a/b", "temper report --filed results/a/b"),
        ("temper check params.yaml", "temper check params.yaml"),
        ("temper studies lists all", "temper studies lists all"),
        ("temper experiments", "temper experiments -C studies/mine"),
    ],
)
def test_a_command_names_the_folder_once_and_only_where_it_has_none(fix, said):
    with typed_study("studies/mine"):
        assert with_the_folder(fix) == said
        assert with_the_folder(said) == said
    assert with_the_folder(fix) == fix


def test_an_error_names_it_and_its_happened_is_left_alone():
    with typed_study("my study"):
        error = ConfigError(asked="a", happened="temper run works here", affected="b", fix="temper sync")
    assert (error.happened, error.fix) == ("temper run works here", "temper sync -C 'my study'")


@pytest.mark.parametrize(
    "typed", ["make remeasure", "make remeasure STUDY=mine", "snakemake --cores 1 --forcerun remeasure"]
)
def test_what_a_report_says_of_measuring_again_is_told_as_temper_has_it(typed):
    sentence = f"Left open: a may be faster; {typed} takes them once more"
    with typed_study("studies/mine"):
        assert as_typed(sentence).endswith("; temper run -C studies/mine --again remeasure takes them once more")
    assert as_typed(f"close other programs, then {typed}.").endswith("then temper run --again remeasure.")


def test_a_studys_folder_is_named_from_where_one_stands_unless_it_was_typed(tmp_path, monkeypatch):
    study = tmp_path / "studies/mine"
    study.mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert typed_for(study) == "studies/mine"
    with typed_study("./studies/mine"):
        assert typed_for(study) == "./studies/mine"
    monkeypatch.chdir(study)
    assert typed_for(study) == "."


def test_nothing_is_left_behind_and_the_working_directory_needs_no_name():
    with typed_study("studies/mine"):
        with typed_study("./"):
            assert temper_command("run") == "temper run"
        assert os.environ[STUDY] == "studies/mine"
    assert STUDY not in os.environ


def test_a_command_without_a_finished_study_says_what_to_type(tmp_path, monkeypatch, capsys):
    folder = tmp_path / "studies/mine"
    folder.mkdir(parents=True)
    (folder / "params.yaml").write_text("study: mine\n")
    monkeypatch.chdir(tmp_path)
    assert main(["table", "-C", "studies/mine"]) == 1
    assert "temper run -C studies/mine" in capsys.readouterr().err
    assert STUDY not in os.environ


@pytest.mark.parametrize("command", ["table", "report", "predict", "package", "serve", "compare", "run"])
def test_a_study_that_is_not_there_is_answered_with_the_one_that_was_meant(tmp_path, monkeypatch, capsys, command):
    (tmp_path / "studies/mine").mkdir(parents=True)
    (tmp_path / "studies/mine/params.yaml").write_text("study: mine\n")
    monkeypatch.setattr("temper.orchestration.study_folder.checkout_of", lambda: tmp_path)
    monkeypatch.chdir(tmp_path)
    more = {"predict": ["a text"], "package": ["--to", "served"]}.get(command, [])
    assert main([command, "-C", "studies/min", *more]) == 1
    assert "fix:      -C studies/mine, if that is the one" in capsys.readouterr().err


@pytest.mark.parametrize(("command", "more"), [("predict", ["a text"]), ("package", ["--to", "served"]), ("serve", [])])
def test_before_a_finished_run_each_command_says_what_it_was_asked(tmp_path, monkeypatch, capsys, command, more):
    (tmp_path / "studies/mine").mkdir(parents=True)
    (tmp_path / "studies/mine/params.yaml").write_text(PARAMS.read_text())
    monkeypatch.chdir(tmp_path)
    assert main([command, "-C", "studies/mine", *more]) == 1
    said = capsys.readouterr().err
    assert f"asked:    {command} " in said
    assert "the artifact that the study's decision chose" in said
    assert "fix:      run it first: temper run -C studies/mine;" in said
