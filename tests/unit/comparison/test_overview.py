import json

import pytest

from temper.comparison.overview import HEADER, cells, print_experiments, states, terminal_lines
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


def test_a_terminal_with_room_shows_a_table_and_below_it_what_changed():
    lines = terminal_lines(cells(states(shown(), "")), 100)
    assert (
        " ".join(lines[2].split()) == "experiment workload choice verdicts speed-up × accuracy % flips loses ≤ points"
    )
    assert " ".join(lines[4].split()) == "ccccccc b1 ort-int8 within, win 2.04 91.25 7 0.40"
    assert lines[-2:] == [
        "workspace changed calibrations.main.method: entropy",
        "minmax changed calibrations.main.method: minmax",
    ]


def test_on_a_narrow_terminal_each_experiment_has_lines_of_its_own():
    lines = terminal_lines(cells(states(shown(), "")), 60)
    assert lines[1:12] == [
        "",
        "workspace changed calibrations.main.method: entropy",
        "  no results",
        "",
        "ccccccc",
        "  b1: ort-int8; within, win; 2.04 × as fast; accuracy",
        "    91.25 %; flips 7; loses at most 0.40 points",
        "  b8: none",
        "",
        "minmax changed calibrations.main.method: minmax",
        "  b1: ort-int8; within, win; 2.04 × as fast; accuracy",
    ]


@pytest.mark.parametrize("edge", [40, 80, 120, 200])
def test_no_line_is_wider_than_the_terminal(edge):
    assert max(map(len, terminal_lines(cells(states(shown(), "")), edge))) <= edge


def test_a_study_that_dvc_does_not_know_is_named_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ExperimentError, match="temper commit"):
        print_experiments()
