"""Which studies are meant, and which wait for each other."""

from pathlib import Path

import pytest

from temper.errors import ConfigError
from temper.orchestration import together
from temper.orchestration.together import folders_of, run_together, sharing


@pytest.fixture
def studies(tmp_path, monkeypatch):
    for name in ("a", "b", "c"):
        (tmp_path / "studies" / name).mkdir(parents=True)
        (tmp_path / "studies" / name / "params.yaml").touch()
    (tmp_path / "studies/README").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path / "studies"


def test_a_pattern_means_the_studies_among_what_it_finds(studies):
    assert folders_of(["studies/*"]) == [studies / name for name in "abc"]
    assert folders_of(["studies/b", "studies/*"]) == [studies / name for name in "bac"]


@pytest.mark.parametrize("name", ["studies/README", "studies/x", "nothing/*"])
def test_a_folder_that_is_no_study_stops_all_before_anything_runs(studies, name):
    with pytest.raises(ConfigError) as caught:
        folders_of(["studies/a", name])
    assert name in caught.value.happened
    assert "temper studies" in caught.value.fix


@pytest.mark.parametrize(
    ("made", "groups"),
    [
        ([{"x"}, {"y"}], [[0], [1]]),
        ([{"x"}, {"y"}, {"x"}], [[0, 2], [1]]),
        ([{"x"}, {"y"}, {"x", "y"}], [[0, 1, 2]]),
        ([set(), set()], [[0], [1]]),
    ],
)
def test_studies_that_make_something_alike_are_in_one_group(made, groups):
    assert sharing(made) == groups


def test_on_this_machine_one_runs_after_the_other_and_a_failure_keeps_none_from_running(studies, monkeypatch):
    begun = []

    def one(folder: Path, others, options, log):
        begun.append((folder.name, [each.name for each in others], log))
        return together.Ran(folder, 1 if folder.name == "a" else 0)

    monkeypatch.setattr(together, "_one", one)
    said = []
    ran = run_together(folders_of(["studies/*"]), [], scheduled=False, say=said.append)
    assert begun == [("a", ["b", "c"], None), ("b", ["a", "c"], None), ("c", ["a", "b"], None)]
    assert [each.code for each in ran] == [1, 0, 0]
    assert "a: failed (exit code 1)" in said


def test_a_run_that_was_ended_begins_no_other_study(studies, monkeypatch):
    begun = []

    def one(folder: Path, others, options, log):
        begun.append(folder.name)
        return together.Ran(folder, 130)

    monkeypatch.setattr(together, "_one", one)
    with pytest.raises(KeyboardInterrupt):
        run_together(folders_of(["studies/*"]), [], scheduled=False, say=lambda line: None)
    assert begun == ["a"]


def test_with_a_scheduler_those_that_share_nothing_are_run_side_by_side(studies, monkeypatch):
    import threading

    both = threading.Barrier(2, timeout=20)

    def one(folder: Path, others, options, log):
        if folder.name in "ac":
            both.wait()  # breaks where one of the two had to wait for the other
        return together.Ran(folder, 0)

    makes = {"a": {"x"}, "b": {"x"}, "c": {"y"}}
    monkeypatch.setattr(together, "_one", one)
    monkeypatch.setattr(together, "planned_jobs", lambda folder: folder)
    monkeypatch.setattr(together, "_made", lambda folder: makes[folder.name])
    ran = run_together(folders_of(["studies/*"]), [], scheduled=True, say=lambda line: None)
    assert [each.folder.name for each in ran] == ["a", "b", "c"]
