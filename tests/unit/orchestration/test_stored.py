"""What a small DVC repository stores; tests/workflow/ has whole studies."""

import os

import pytest

from temper.errors import ExperimentError
from temper.orchestration.stored import FOLDER_DIGEST, Stored, cached, copy_object, files_of, md5, outputs, repository

pytestmark = pytest.mark.usefixtures("warm")


def test_a_tracked_folder_is_one_output_and_its_listing_names_the_files(dvc_study):
    with repository("look") as repo:
        (raw,) = outputs(repo, "look")
        assert raw.path == "data/raw"
        assert raw.is_folder
        found = files_of(raw, cached(repo, raw.digest))
        assert found == [Stored(f"data/raw/{name}.tsv", md5(f"data/raw/{name}.tsv")) for name in ("one", "two")]
        assert all(cached(repo, file.digest).read_text() in ("one", "two") for file in found)
        assert files_of(found[0], None) == [found[0]]


def test_a_damaged_object_of_the_cache_does_not_count(dvc_study):
    digest = md5("data/raw/one.tsv")
    with repository("look") as repo:
        path = cached(repo, digest)
        path.chmod(0o644)
        path.write_text("")
        path.chmod(0o444)  # DVC believes what is read-only
        assert cached(repo, digest) is None
        assert cached(repo, "0" * 32) is None


def test_a_stage_that_was_never_run_stores_nothing(dvc_study):
    (dvc_study / "dvc.yaml").write_text("stages:\n  one:\n    cmd: a\n    outs: [out.txt]\n")
    (dvc_study / "data/raw.dvc").unlink()
    with repository("look") as repo:
        assert outputs(repo, "look") == []
        (dvc_study / "dvc.lock").write_text("schema: '2.0'\nstages: {}\n")
        assert outputs(repo, "look") == []


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("data/raw.dvc", "<<<<<<< HEAD\nouts: []\n"),
        ("data/raw.dvc", "outs:\n- md5: 00000000000000000000000000000000\n  path: raw\n"),
        ("dvc.lock", "<<<<<<< HEAD\n"),
    ],
    ids=["a merge conflict", "DVC 2", "a merge conflict of dvc.lock"],
)
def test_a_file_that_cannot_be_read_is_an_error_that_touches_nothing(dvc_study, file, text):
    (dvc_study / "dvc.yaml").write_text("stages:\n  one:\n    cmd: a\n    outs: [out.txt]\n")
    (dvc_study / file).write_text(text)
    with repository("look") as repo, pytest.raises(ExperimentError) as caught:
        outputs(repo, "pull")
    assert caught.value.affected == "nothing: no file was touched"
    assert "git diff" in caught.value.fix


def test_outside_a_repository_there_is_an_error(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ExperimentError, match="dvc init"), repository("pull"):
        pass


def test_a_copy_of_an_object_may_be_written_to_and_replaces_what_is_there(tmp_path):
    (tmp_path / "object").write_text("new")
    (tmp_path / "object").chmod(0o444)
    (tmp_path / "here").write_text("old")
    copy_object(tmp_path / "object", tmp_path / "here", executable=True)
    assert (tmp_path / "here").read_text() == "new"
    assert os.stat(tmp_path / "here").st_mode & 0o300 == 0o300


@pytest.mark.parametrize(
    "listing",
    [
        '[{"relpath": "../../victim", "md5": "a"}]',
        '[{"relpath": "/etc/passwd", "md5": "a"}]',
        '[{"md5": "a"}]',
        '[{"relpath": "a", "md5": 1}]',
        "{",
        "3",
    ],
)
def test_a_listing_that_names_something_outside_its_folder_or_nothing_is_refused(tmp_path, listing):
    """A remote may hold anything."""
    (tmp_path / "listing").write_text(listing)
    with pytest.raises(ExperimentError, match="listing of a folder"):
        files_of(Stored("artifacts", f"a{FOLDER_DIGEST}"), tmp_path / "listing")
