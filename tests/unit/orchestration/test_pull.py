"""What is in the way of what is pulled; tests/workflow/test_lose_nothing.py pulls whole studies."""

import pytest

from temper.errors import ExperimentError
from temper.orchestration import set_aside
from temper.orchestration.pull import _check_way, _copies, _make_way, _put_in_place, in_the_way
from temper.orchestration.stored import Stored, cached, files_of, md5, outputs, repository

pytestmark = pytest.mark.usefixtures("warm")


@pytest.fixture
def repo(dvc_study, monkeypatch):
    monkeypatch.setattr(set_aside, "_now", lambda: "noon")
    with repository("pull") as found:
        yield found


def wanted(repo):
    (raw,) = outputs(repo, "pull")
    return raw, {file.path: file for file in files_of(raw, cached(repo, raw.digest))}


def test_other_bytes_extra_files_and_what_stands_where_a_folder_has_to_be_are_in_the_way(repo, dvc_study):
    raw, files = wanted(repo)
    assert in_the_way([raw], files, []) == []
    (dvc_study / "data/raw/one.tsv").write_text("mine")
    (dvc_study / "data/raw/deep").mkdir()
    (dvc_study / "data/raw/deep/more.tsv").write_text("mine")
    (dvc_study / "data/raw/link").symlink_to("nowhere")
    (dvc_study / "artifacts").write_text("a file")
    missing = ["data/raw/one.tsv", "artifacts/onnx/model.onnx"]
    found = in_the_way([raw], files, missing)
    assert sorted(found) == ["artifacts", "data/raw/deep/more.tsv", "data/raw/link", "data/raw/one.tsv"]


def test_a_folder_in_the_place_of_a_file_gives_way_with_all_that_is_in_it(repo, dvc_study):
    raw, files = wanted(repo)
    (dvc_study / "data/raw/one.tsv").unlink()
    (dvc_study / "data/raw/one.tsv").mkdir()
    (dvc_study / "data/raw/one.tsv/notes.txt").write_text("mine")
    found = in_the_way([raw], files, ["data/raw/one.tsv"])
    assert found == ["data/raw/one.tsv/notes.txt"]
    with _copies(repo, [files["data/raw/one.tsv"]]) as copies:
        assert _make_way(repo, found) == ["moved to set_aside/noon/: data/raw/one.tsv/notes.txt"]
        _put_in_place(copies, [files["data/raw/one.tsv"]])
    assert (dvc_study / "data/raw/one.tsv").read_text() == "one"
    assert (dvc_study / "set_aside/noon/data/raw/one.tsv/notes.txt").read_text() == "mine"
    assert list((dvc_study / ".dvc/tmp").glob("temper-*")) == []


def test_what_dvcs_cache_holds_is_replaced_and_what_is_nowhere_else_is_refused(repo, dvc_study):
    (dvc_study / "data/raw/one.tsv").write_text("two")  # an older version, as far as anybody can tell
    _check_way(repo, ["data/raw/one.tsv"], "pull")
    (dvc_study / "data/raw/two.tsv").write_text("mine")
    with pytest.raises(ExperimentError, match=r"data/raw/two\.tsv") as caught:
        _check_way(repo, ["data/raw/one.tsv", "data/raw/two.tsv"], "pull")
    assert "temper pull --force, which moves it to set_aside/" in caught.value.fix
    said = _make_way(repo, ["data/raw/one.tsv", "data/raw/two.tsv"])
    assert said == [
        "replaced, of another version that DVC's cache has: data/raw/one.tsv",
        "moved to set_aside/noon/: data/raw/two.tsv",
    ]
    assert list((dvc_study / "data/raw").iterdir()) == []


def test_files_are_put_in_place_only_when_all_of_them_could_be_copied(repo, dvc_study):
    lost = Stored("data/lost.tsv", "0" * 32)
    there = Stored("data/copy.tsv", md5("data/raw/one.tsv"))
    with pytest.raises(AssertionError), _copies(repo, [there, lost]):
        pass
    assert not (dvc_study / "data/copy.tsv").exists()
    assert list((dvc_study / ".dvc/tmp").glob("temper-*")) == []
