"""What stands in an experiment's way; tests/workflow/test_lose_nothing.py has DVC run one."""

import subprocess

import pytest

from temper.errors import ExperimentError
from temper.orchestration import experiment
from temper.orchestration.experiment import run_experiment, unsaved

pytestmark = pytest.mark.usefixtures("warm")


@pytest.fixture
def asked(dvc_study, monkeypatch):
    """What DVC was asked to run."""
    found = []
    done = subprocess.CompletedProcess([], 3)
    monkeypatch.setattr(experiment, "dvc", lambda *words: found.append(" ".join(words)) or done)
    return found


def test_what_dvc_holds_is_in_nobodys_way_and_the_study_is_the_only_target(asked):
    assert unsaved() == []
    assert run_experiment(None, []) == 3
    assert asked == ["exp run dvc.yaml"]


def test_a_value_that_is_there_is_replaced_in_its_place_and_dvc_is_given_the_others(asked, dvc_study):
    (dvc_study / "params.yaml").write_text("b: {c: 5.0e-4, e: null}  # kept as it stands\n")
    assert run_experiment("a", ["b.c=2e-05", "+d=2"]) == 3
    assert (dvc_study / "params.yaml").read_text() == "b: {c: 2e-05, e: null}  # kept as it stands\n"
    assert asked == ["exp run --name a --set-param +d=2 dvc.yaml"]


def test_an_edit_and_a_note_are_named_before_dvc_is_asked_and_an_older_version_is_not(asked, dvc_study):
    (dvc_study / "data/raw/one.tsv").write_text("two")
    (dvc_study / "data/raw/two.tsv").unlink()
    assert unsaved() == []
    (dvc_study / "data/raw/one.tsv").write_text("mine")
    (dvc_study / "data/raw/notes.txt").write_text("mine")
    with pytest.raises(ExperimentError) as caught:
        run_experiment(None, [])
    assert caught.value.happened.endswith("only this folder has: data/raw/one.tsv, data/raw/notes.txt")
    assert "dvc add data/raw" in caught.value.fix
    assert asked == []


def test_where_the_cache_is_lost_everything_is_nowhere_else(asked, dvc_study):
    (dvc_study / ".dvc/cache").rename(dvc_study / "lost")
    assert sorted(unsaved()) == ["data/raw/one.tsv", "data/raw/two.tsv"]
