import json
import re

import pytest

from temper.comparison import experiments
from temper.comparison.experiments import (
    Experiment,
    Row,
    changed_params,
    compared_candidates,
    markdown,
    notes,
    parse_experiments,
    rows,
)
from temper.comparison.figure import write_figure


def experiment(name, samples, accuracy, ratio, *, artifact="a", method="nncf", error=None):
    metrics = {
        "base": {"accuracy": 0.9, "labels_differing": 0, "latency_ratio": {"b1": 1.0}, "artifact": "same"},
        "int8": {"accuracy": accuracy, "labels_differing": 3, "latency_ratio": {"b1": ratio}, "artifact": artifact},
    }
    params = {"seed": 3, "calibrations.main.samples": samples, "calibrations.main.method": method}
    return Experiment(name, params, {} if error else metrics, error)


FEW, MANY = experiment("few", 8, 0.80, 0.5, artifact="b"), experiment("many", 64, 0.85, 0.6)


def test_only_what_differs_is_a_column():
    assert changed_params([FEW, MANY]) == ["calibrations.main.samples"]
    assert changed_params([FEW]) == []


def test_candidates_whose_artifact_is_the_same_everywhere_are_left_out():
    assert compared_candidates([FEW, MANY]) == ["int8"]
    assert compared_candidates([MANY]) == ["base", "int8"]


def test_the_best_accuracy_comes_first_then_fewer_labels_then_the_faster():
    assert [row.experiment for row in rows([FEW, MANY])] == ["many", "few"]
    slow, fast = experiment("slow", 8, 0.8, 0.9, artifact="b"), experiment("fast", 16, 0.8, 0.4, artifact="c")
    assert [row.experiment for row in rows([slow, fast])] == ["fast", "slow"]


def test_what_was_not_measured_comes_last_with_dashes():
    unmeasured = Experiment("gpu", dict(FEW.params), {"int8": {"artifact": "z"}}, None)
    found = rows([unmeasured, MANY])
    assert [row.experiment for row in found] == ["many", "gpu"]
    assert "| gpu | 8 | int8 | – | – | – | – |" in markdown(found, [])


def test_a_candidate_that_no_experiment_measured_is_a_note_and_no_row():
    both = [Experiment(e.name, e.params, {**e.metrics, "rtx": {"artifact": e.name}}, None) for e in (FEW, MANY)]
    assert {row.candidate for row in rows(both)} == {"int8"}
    assert notes(both)[0] == "rtx: not measured in any of them (artifacts/report/summary.md has the reason)"


def test_a_failed_experiment_is_a_note_and_no_row():
    failed = experiment("failed", 1, 0, 0, error="a stage failed")
    assert [row.experiment for row in rows([failed, MANY, FEW])] == ["many", "few"]
    assert "failed: not measured: a stage failed" in notes([failed, MANY])
    assert "empty: not measured: it has no results yet" in notes([Experiment("empty", {}, {}, None)])


def test_dvcs_listing_is_read_with_the_workspace_the_commit_and_its_experiments():
    data = {
        "params": {"studies/x/params.yaml": {"data": {"seed": 1, "calibrations": {"main": {"samples": 8}}}}},
        "metrics": {"studies/x/artifacts/report/metrics.json": {"data": {"int8": {"accuracy": 0.5}}}},
    }
    revision = {"rev": "b" * 40, "name": "minmax", "data": data, "error": None}
    text = json.dumps(
        [
            {"rev": "workspace", "name": None, "data": data, "error": None, "experiments": None},
            {"rev": "a" * 40, "name": "main", "data": data, "error": None, "experiments": [{"revs": [revision]}]},
            {"rev": "c" * 40, "name": None, "data": None, "error": {"msg": "no dvc.yaml"}, "experiments": None},
        ]
    )
    found = parse_experiments(text, "studies/x/")
    assert parse_experiments(text, "")[2].metrics == {}  # another study of the checkout
    assert [each.name for each in found] == ["workspace", "main", "minmax", "c" * 7]
    assert found[2].params == {"seed": 1, "calibrations.main.samples": 8}
    assert found[2].metrics == {"int8": {"accuracy": 0.5}}
    assert found[3].error == "no dvc.yaml"


@pytest.mark.parametrize(
    ("found", "axis"),
    [
        (rows([FEW, MANY]), "calibrations.main.samples"),
        (
            rows([experiment("a", 8, 0.8, 0.4, artifact="b", method="minmax"), experiment("b", 8, 0.8, 0.4)]),
            "latency over",
        ),
        (rows([MANY]), "latency over"),
    ],
)
def test_the_plot_needs_no_network_and_names_its_axes(found, axis, tmp_path):
    write_figure(found, tmp_path / "plot.html")
    page = (tmp_path / "plot.html").read_text()
    assert axis in page
    assert "accuracy on the test split" in page
    assert re.findall(r"""<(?:script|link|img)[^>]+(?:src|href)=["']?https?:""", page) == []


def test_a_row_says_what_the_table_shows():
    row = Row("e", "int8", {"a.b": 1}, 0.5, 2, "within", {"w": 0.25}, {"w": "win"})
    header, lines = experiments.table([row])
    assert header == [
        "experiment",
        "a.b",
        "candidate",
        "accuracy %",
        "labels ≠ baseline",
        "accuracy verdict",
        "w latency ×",
    ]
    assert lines == [["e", "1", "int8", "50.00", "2", "within", "0.250 win"]]
