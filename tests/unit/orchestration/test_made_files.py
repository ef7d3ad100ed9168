import os
from pathlib import Path

import pytest

from temper.artifacts.manifest import sha256
from temper.orchestration import made_files
from temper.orchestration.made_files import keep, kept_folder, put_back, whole

MODEL, RECORD = "artifacts/onnx/int8/model.onnx", "artifacts/jobs/convert/int8.json"


@pytest.fixture(autouse=True)
def made(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for path in (MODEL, RECORD):
        Path(path).parent.mkdir(parents=True)
        Path(path).write_text(path)
    keep("convert", "int8", [MODEL, RECORD])
    return {path: sha256(path) for path in (MODEL, RECORD)}


def remove():
    for path in (MODEL, RECORD):
        Path(path).unlink()


def test_what_is_kept_takes_no_space_of_its_own():
    assert Path(MODEL).samefile(kept_folder("convert", "int8") / MODEL)


def test_what_snakemake_removed_comes_back_as_of_now_the_record_last(made):
    os.utime(MODEL, (1, 1))
    remove()
    assert put_back("convert", "int8", made)
    assert {path: sha256(path) for path in made} == made
    assert 1 < Path(MODEL).stat().st_mtime_ns <= Path(RECORD).stat().st_mtime_ns


@pytest.mark.parametrize("path", [MODEL, RECORD])
def test_nothing_comes_back_where_one_kept_file_was_altered_or_is_gone(made, path):
    kept = kept_folder("convert", "int8") / path
    remove()
    kept.write_text("other")
    assert not put_back("convert", "int8", made)
    kept.unlink()
    assert not put_back("convert", "int8", made)
    assert not Path(MODEL).exists()


def test_only_what_a_job_made_last_is_kept():
    remove()
    Path(RECORD).write_text("new")
    keep("convert", "int8", [RECORD])
    kept = kept_folder("convert", "int8")
    assert [path.relative_to(kept).as_posix() for path in kept.rglob("*") if path.is_file()] == [RECORD]


def test_a_file_system_without_links_gets_copies(made, monkeypatch):
    def refuse(*_):
        raise OSError("no links here")

    monkeypatch.setattr(made_files.os, "link", refuse)
    keep("convert", "int8", made)
    assert not Path(MODEL).samefile(kept_folder("convert", "int8") / MODEL)
    remove()
    assert put_back("convert", "int8", made)


def test_what_cannot_be_kept_is_no_error(capsys):
    keep("convert", "int8", [MODEL, "artifacts/absent"])
    assert "not kept" in capsys.readouterr().out
    assert not kept_folder("convert", "int8").exists()


def test_a_job_whose_file_somebody_removed_is_not_whole():
    jobs = {"convert": ["int8", "fp16"], "report": [""]}
    assert whole(jobs) == ["convert/int8"]
    Path(MODEL).unlink()
    assert whole(jobs) == []
