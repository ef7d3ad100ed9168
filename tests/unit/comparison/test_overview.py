import json

import pytest

from temper.comparison.overview import HEADER, cells, print_experiments, states
from temper.errors import ExperimentError

METRICS = {  # DVC leaves out what is null
    "choice": {"b1": "ort-int8", "b8": "none"},
    "speed_up": {"b1": 2.039},
    "accuracy": {"b1": 0.9125},
    "loses_at_most_points": {"b1": 0.4},
    "flips": {"b1": 7},
    "verdict": {"b1": "within, win"},
}


def entry(revision, name=None, method="nncf", metrics=METRICS, error=None, prefix=""):
    params = {"calibrations": {"main": {"method": method, "samples": 128}}}
    data = {
        "params": {
            f"{prefix}params.yaml": {"data": params},
            f"{prefix}settings.json": {"data": {"jobs": {"report": "a"}}},
        },
        "metrics": {f"{prefix}artifacts/report/metrics.json": {"data": metrics}},
    }
    return {"rev": revision, "name": name, "data": None if error else data, "error": error and {"msg": error}}


def shown(prefix=""):
    experiments = [
        {"revs": [entry("e" * 40, "minmax", "minmax", prefix=prefix)]},
        {"revs": [entry("f" * 40, "broken", error="no\ndvc.yaml")]},
    ]
    commit = {**entry("c" * 40, prefix=prefix), "experiments": experiments}
    return json.dumps(
        [{**entry("workspace", method="entropy", metrics={}, prefix=prefix), "experiments": None}, commit]
    )


@pytest.mark.parametrize("prefix", ["", "studies/x/"])
def test_a_line_for_each_workload_says_what_changed_and_what_was_chosen(prefix):
    lines = cells(states(shown(prefix), prefix))
    assert {len(line) for line in lines} == {len(HEADER)}
    assert lines == [
        ["workspace", "calibrations.main.method: entropy", "–", "no results", *["–"] * 5],
        ["ccccccc", "–", "b1", "ort-int8", "within, win", "2.04", "91.25", "7", "0.40"],
        ["", "", "b8", "none", "–", "–", "–", "–", "–"],
        ["minmax", "calibrations.main.method: minmax", "b1", "ort-int8", "within, win", "2.04", "91.25", "7", "0.40"],
        ["", "", "b8", "none", "–", "–", "–", "–", "–"],
        ["broken", "–", "–", "no dvc.yaml", *["–"] * 5],
    ]


def test_a_study_that_dvc_does_not_know_is_named_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ExperimentError, match="temper commit"):
        print_experiments()
