import pytest

from temper.orchestration import set_aside
from temper.orchestration.set_aside import listed, nowhere_else, put_away
from temper.orchestration.stored import repository


@pytest.fixture(autouse=True)
def at_noon(monkeypatch):
    monkeypatch.setattr(set_aside, "_now", lambda: "noon")


def test_what_dvcs_cache_holds_is_removed_and_the_rest_moved(dvc_study):
    (dvc_study / "data/raw/two.tsv").write_text("mine")
    (dvc_study / "data/raw/link").symlink_to("one.tsv")
    with repository("look") as repo:
        assert nowhere_else(["data/raw/one.tsv", "data/raw/two.tsv"], repo) == ["data/raw/two.tsv"]
    assert put_away(["data/raw/one.tsv"]) == "removed (DVC's cache has it)"
    assert put_away(["data/raw/two.tsv", "data/raw/link", "data/raw/none.tsv"]) == "moved to set_aside/noon/"
    assert list((dvc_study / "data/raw").iterdir()) == []
    assert (dvc_study / "set_aside/noon/data/raw/two.tsv").read_text() == "mine"
    assert (dvc_study / "set_aside/noon/data/raw/link").is_symlink()
    assert put_away(["data/raw/none.tsv"]) == "removed"


def test_without_a_repository_everything_is_moved_and_nothing_is_moved_over_another(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for text in ("first", "second", "third"):
        (tmp_path / "a.txt").write_text(text)
        assert put_away(["a.txt"]) == "moved to set_aside/noon/"
    assert sorted(path.read_text() for path in (tmp_path / "set_aside/noon").iterdir()) == ["first", "second", "third"]


def test_the_first_paths_are_named_and_the_others_counted():
    assert listed(["a", "b"]) == "a, b"
    assert listed(["a", "b", "c", "d", "e"]) == "a, b, c and 2 more"
