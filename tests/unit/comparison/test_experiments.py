"""Which candidates and settings of experiments are compared; test_revisions.py has where they are read."""

import json

import pytest

from temper.comparison.experiments import (
    Experiment,
    changed_params,
    compared_candidates,
    identity,
    is_measured,
    not_compared,
    read_experiment,
)
from temper.comparison.revisions import Revision, Store
from temper.measurement.record import write_record
from tests.records import record
from tests.unit.comparison.experiments import FEW, MANY, SAMPLES, experiment, measured, wrong


def test_only_what_differs_is_shown_of_the_settings():
    assert changed_params([FEW, MANY]) == [SAMPLES]
    assert changed_params([FEW]) == []


def test_candidates_that_are_identical_everywhere_are_left_out():
    assert compared_candidates([FEW, MANY]) == ["int8"]
    assert compared_candidates([MANY]) == ["base", "int8"]


def test_two_measurements_are_the_same_thing_whatever_the_clock_said():
    one = measured("int8", wrong(1))
    assert identity(one) == identity(measured("int8", wrong(1), (0.9, 0.8, 1.0)))
    assert identity(one) != identity(measured("int8", wrong(2)))
    other = one.model_copy(update={"backend": {**one.backend, "options": {"intra_op_threads": 2}}})
    assert identity(one) != identity(other)


def test_what_was_not_measured_and_the_harness_have_no_figures_to_compare():
    assert is_measured(FEW, "int8")
    assert not is_measured(experiment("gpu", None), "int8")
    assert not is_measured(FEW, "nothing")
    null = record("harness")
    null = null.model_copy(update={"backend": {**null.backend, "runner": "null"}})
    assert not is_measured(experiment("e", wrong(1), more={"harness": null}), "harness")


def test_what_has_no_row_is_named_with_its_reason():
    assert not_compared([Experiment("failed", {}, {}, {}, "it has no results"), MANY, FEW]) == [
        "failed: not compared: it has no results"
    ]
    assert not_compared([experiment("gpu", None)]) == ["int8: not measured in any of them (no NVIDIA GPU)"]


WORKSPACE = Revision("workspace", None)


@pytest.fixture
def study(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text("study: tiny\ncandidates: {int8: {}, other: {}}\n")
    (tmp_path / "artifacts/measurements").mkdir(parents=True)
    return tmp_path


def test_the_workspace_is_read_from_its_files(study, made_up_figures):
    write_record(study / "artifacts/measurements/int8.json", measured("int8", wrong(1)))
    (study / "artifacts/report").mkdir()
    (study / "artifacts/report/comparison.json").write_text(json.dumps({"candidates": {}}))
    found = read_experiment(WORKSPACE, Store(), {})
    assert (list(found.records), found.compared, found.error) == (["int8"], {"candidates": {}}, None)
    assert found.settings["study"] == "tiny"


def test_a_study_that_was_not_run_and_a_torn_record_are_told(study):
    assert read_experiment(WORKSPACE, Store(), {}).error == "it has no results yet"
    (study / "artifacts/measurements/int8.json").write_text("{")
    error = read_experiment(WORKSPACE, Store(), {}).error
    assert error == "artifacts/measurements/int8.json of it is no record of this version of Temper"
