"""The list of commands, and what each says of itself; nothing is run."""

import inspect
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from temper.cli import main
from temper.cli.app import ALIASES, HELP, HIDDEN, SECTIONS, command_of, file_of
from temper.package.runtime.options import add_options

FOLDER = Path(__file__).resolve().parents[3] / "src/temper/cli"
SHARED = {"__init__", "__main__", "app", "command", "ending", "entry", "study_folder"}
EVERY = [*HELP, *HIDDEN]


def test_each_command_has_a_file_and_each_file_is_a_command():
    assert {file_of(name) for name in EVERY} == {path.stem for path in FOLDER.glob("*.py")} - SHARED


def test_the_help_has_what_a_person_types_and_nothing_else(capsys):
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    named = {line.split()[0] for line in shown.splitlines() if line.startswith("  ") and line[2:3].isalpha()}
    assert named >= set(HELP)
    assert not named & {*HIDDEN, *ALIASES}
    assert [line[:-1] for line in shown.splitlines() if line[:1].isupper() and line.endswith(":")] == [
        "Options",
        *SECTIONS,
    ]
    assert max(map(len, shown.splitlines())) <= 80


@pytest.mark.parametrize("name", EVERY)
def test_each_commands_help_has_an_example_of_itself(name, capsys):
    assert main([name, "--help"]) == 0
    shown = capsys.readouterr().out
    example = shown.partition("For example:\n")[2].splitlines()
    assert example
    assert all(f"temper {name}" in line for line in example)
    assert "DIR" in shown or name in ("lint", "pages", "figures")
    assert "<" not in shown.partition("Options:")[0].replace("<machine>/<study>", "")  # no Python types


@pytest.mark.parametrize("name", [name for name in EVERY if name not in ("lint", "pages", "figures")])
def test_each_command_takes_a_directory_in_both_spellings(name):
    assert {"-C", "--directory"} <= {flag for option in command_of(name).params for flag in option.opts}


def test_the_old_name_of_init_is_init(capsys):
    assert main(["new-study", "--help"]) == 0
    assert "Make a study from a checkpoint and data." in capsys.readouterr().out
    assert command_of("new-study").callback.__wrapped__ is command_of("init").callback.__wrapped__


def test_serve_takes_every_option_of_a_packages_server():
    import argparse

    parser = argparse.ArgumentParser(add_help=False)
    add_options(parser)
    own = {flag for option in command_of("serve").params for flag in option.opts}
    assert {flag for action in parser._actions for flag in action.option_strings} <= own


def test_a_command_says_what_it_may_raise_in_its_docstring():
    for name in EVERY:
        assert inspect.getdoc(command_of(name).callback)


def test_the_list_is_shown_without_importing_what_is_in_it():
    code = (
        "import json, sys; from temper.cli import main; main(['--help']); "
        "print(json.dumps([name for name in sys.modules if name.startswith('temper.')]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    assert loaded == {
        "temper.cli",
        "temper.cli.app",
        "temper.cli.command",
        "temper.cli.entry",
        "temper.reading.typed",
        "temper.errors",
        "temper.reading",
        "temper.reading.letters",
        "temper.environment",
        "temper.environment.memory",
        "temper.environment.missing_module",
        "temper.environment.own_process",
    }


def test_a_shell_is_answered_with_the_commands_that_begin_so():
    words = {"_TEMPER_COMPLETE": "complete_bash", "COMP_WORDS": "temper pre", "COMP_CWORD": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "temper.cli"], capture_output=True, text=True, env={**os.environ, **words}
    )
    assert done.stdout.split() == ["predict"], done.stderr


def test_make_help_and_the_page_of_commands_name_all_of_them():
    root = FOLDER.parents[2]
    shown = subprocess.run(
        ["make", "--no-print-directory", "help"], cwd=root, capture_output=True, text=True, check=True
    ).stdout
    assert set(HELP) <= set(shown.partition("temper COMMAND")[2].split())
    page = (root / "docs/commands.md").read_text()
    assert [name for name in HELP if f"`temper {name}`" not in page] == []
