"""Paths with what a shell or Snakemake's patterns read: of the checkout, of the interpreter, of files of people."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.workflow.conftest import ROWS, StudyFolder, copy_code, from_files, tsv

PREPARED = "data/prepared/data_card.json"


def environment_at(folder: Path) -> Path:
    """This environment's Python by another path."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.symlink_to(sys.prefix, target_is_directory=True)
    return folder / "bin" / Path(sys.executable).name


def prepared(study: StudyFolder, python: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = study.command(*arguments, cores=1)
    command["args"] = [str(python), *command["args"][1:]]
    return subprocess.run(**command, capture_output=True)


@pytest.mark.parametrize(
    "name",
    ["it's {a} copy (1) [of mine]", pytest.param("50% & $HOME; `x` {{b}}", marks=pytest.mark.long)],
)
def test_checkout_interpreter_and_data_lie_at_any_path(tmp_path, name):
    code = tmp_path / name / "checkout"
    code.mkdir(parents=True)
    copy_code(code)
    study = StudyFolder(code / "studies" / "mine", code)
    study.folder.mkdir(parents=True)
    shutil.copy(code / "params.tiny.yaml", study / "params.yaml")
    from_files(study)
    own = name.replace("{", "(").replace("}", ")")  # of a file of data: Snakemake would take braces for a pattern
    rows = study / f"data/raw/{own}.tsv"
    rows.write_bytes(tsv(ROWS))
    study.set(data__train={"path": f"data/raw/{own}.tsv", "columns": None})
    python = environment_at(tmp_path / name / "environment")
    done = prepared(study, python, PREPARED)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (study / PREPARED).is_file()
    again = prepared(study, python, PREPARED, "--dry-run", "--quiet", "host")
    assert "Nothing to be done" in again.stdout + again.stderr
    rows.write_bytes(tsv(ROWS[2:]))
    changed = prepared(study, python, PREPARED, "--dry-run", "--quiet", "host")
    assert "Job 0: prepare_data" in changed.stdout + changed.stderr
