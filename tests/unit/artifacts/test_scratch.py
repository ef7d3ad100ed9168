import os
import subprocess
import sys
from pathlib import Path

import pytest

from temper.artifacts import scratch
from temper.artifacts.manifest import staged_folder, write_text


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".snakemake").mkdir()
    (tmp_path / "artifacts").mkdir()
    return tmp_path


def killed(program: str, folder: Path) -> None:
    """Run a program in the folder that kills itself in the midst of it."""
    subprocess.run([sys.executable, "-c", f"import os, signal\n{program}"], cwd=folder, check=False)


FOLDER = """
from temper.artifacts.manifest import staged_folder
with staged_folder("artifacts/fp32") as made:
    (made / "model.onnx").write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""
FILE = """
from temper.artifacts import manifest
manifest.os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)
manifest.write_text("artifacts/a.json", "half")
"""


@pytest.mark.parametrize(("program", "name"), [(FOLDER, ".fp32.temper-"), (FILE, ".a.json.temper-")])
def test_what_a_kill_left_is_known_by_its_name_and_by_a_note_of_it(folder, program, name):
    killed(program, folder)
    (left,) = scratch.leftovers()
    assert (left.parent.as_posix(), left.name.startswith(name)) == ("artifacts", True)
    assert scratch.is_scratch(left)
    scratch.remove(left)
    assert list((folder / "artifacts").iterdir()) == []
    assert list(scratch.NOTES.iterdir()) == []


@pytest.mark.parametrize(
    ("program", "call"),
    [(FOLDER, "mkdir"), (FILE, "open")],
    ids=["folder", "file"],
)
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_kill_around_the_making_leaves_nothing_that_nobody_knows(folder, program, call, when):
    wrapped = f"""
from temper.artifacts import scratch
real = os.{call}
def around(path, *others, **words):
    if ".temper-" in str(path) and "{when}" == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    done = real(path, *others, **words)
    if ".temper-" in str(path):
        os.kill(os.getpid(), signal.SIGKILL)
    return done
scratch.os.{call} = around
"""
    killed(wrapped + program, folder)
    there = [path for path in (folder / "artifacts").iterdir()]
    assert len(there) == (when == "after")
    for left in scratch.leftovers():
        scratch.remove(left)
    assert list((folder / "artifacts").iterdir()) == []
    assert list(scratch.NOTES.iterdir()) == []


@pytest.mark.parametrize("lost", ["note", "other folder", "other name"])
def test_without_its_note_it_is_somebody_elses(folder, lost):
    killed(FOLDER, folder)
    (left,) = scratch.leftovers()
    if lost == "note":
        next(scratch.NOTES.iterdir()).unlink()
    elif lost == "other folder":
        (folder / "data").mkdir()
        left = left.rename(folder / "data" / left.name)
    else:
        left = left.rename(left.with_name(".fp32.original"))
    assert not scratch.is_scratch(left)
    assert scratch.leftovers() == []
    assert left.exists()


def test_nothing_is_left_of_what_ends_and_of_what_fails(folder):
    write_text("artifacts/a.json", "whole")
    with staged_folder("artifacts/b") as made:
        (made / "file").write_text("whole")
    with pytest.raises(KeyError), staged_folder("artifacts/c"):
        raise KeyError
    assert sorted(os.listdir("artifacts")) == ["a.json", "b"]
    assert list(scratch.NOTES.iterdir()) == []


def test_outside_of_a_study_nothing_is_noted(folder):
    (folder / ".snakemake").rmdir()
    write_text("artifacts/a.json", "whole")
    assert not (folder / ".snakemake").exists()


def test_a_note_of_what_is_gone_goes(folder):
    scratch.NOTES.mkdir(parents=True)
    (scratch.NOTES / "abcd1234").write_text(str(folder / "artifacts/.a.temper-abcd1234"))
    assert scratch.leftovers() == []
    assert list(scratch.NOTES.iterdir()) == []
