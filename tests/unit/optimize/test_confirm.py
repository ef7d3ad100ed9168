import json
from dataclasses import replace
from types import SimpleNamespace

import pytest

from temper.errors import ExperimentError
from temper.optimize import confirm as confirming
from temper.optimize.confirm import Confirmed, confirm, confirmed, confirmed_throughput, per_million, where
from temper.reading.typed import typed_study
from temper.report.decide.decided import UNDECIDED, Decision


@pytest.fixture
def goal(tmp_path):
    (tmp_path / "artifacts/report").mkdir(parents=True)

    def decided(chosen, excluded=None):
        own = replace(UNDECIDED, chosen=chosen, sentence=f"b1: {chosen}.", excluded=excluded or {})
        decision = Decision("won", "torch-fp32", 0.5, {"b1": own}).as_json()
        (tmp_path / "artifacts/report/decision.json").write_text(json.dumps(decision), encoding="utf-8")
        return tmp_path

    return decided


def test_what_the_report_chooses_is_what_counts(goal):
    found = confirmed(goal("fastest"), "b1", None)
    assert found == Confirmed("fastest", None, True, ("On the test rows, with fresh calls: b1: fastest.",))
    assert confirmed(goal("exact"), "b1", None).ready
    assert not confirmed(goal("torch-fp32"), "b1", None).ready
    found = confirmed(goal("torch-fp32", {"fastest": "undecided; 9 rows would decide"}), "b1", None)
    assert found.sentences[1:] == ("Not chosen: fastest, undecided; 9 rows would decide.",)
    assert found.against_fastest
    assert not confirmed(goal(None), "b1", None).ready


def test_what_measures_again_is_named_for_the_winners_study(tmp_path, monkeypatch):
    goal = tmp_path / "mine/optimize/latency-b1"
    (goal / "artifacts/report").mkdir(parents=True)
    own = replace(UNDECIDED, sentence="b1: open; snakemake --cores 1 --forcerun remeasure takes them once more.")
    decision = Decision("won", "torch-fp32", 0.5, {"b1": own}).as_json()
    (goal / "artifacts/report/decision.json").write_text(json.dumps(decision), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    with typed_study("mine"):
        said = confirmed(goal, "b1", None).sentences[0]
    assert "open; temper run -C mine/optimize/latency-b1 --again remeasure takes them once more." in said


def test_a_budget_that_would_decide_is_asked_of_the_search(tmp_path):
    goal = tmp_path / "mine/optimize/latency-b1"
    (goal / "artifacts/report").mkdir(parents=True)
    own = replace(UNDECIDED, sentence="b1: set analysis.accuracy_budget_points to 4.6, or bring 765 test rows.")
    decision = Decision("won", "torch-fp32", 0.5, {"b1": own}).as_json()
    (goal / "artifacts/report/decision.json").write_text(json.dumps(decision), encoding="utf-8")
    assert "b1: ask for --budget-points 4.6, or bring 765 test rows." in confirmed(goal, "b1", None).sentences[0]


@pytest.mark.parametrize(
    ("p99", "ready", "said"), [(9.0, True, "is 9 ms"), (11.0, False, "is 11 ms"), (None, False, "not m")]
)
def test_a_bound_is_held_against_what_was_measured(goal, monkeypatch, p99, ready, said):
    workload = SimpleNamespace(latency_percentiles_ms={} if p99 is None else {"99": p99})
    monkeypatch.setattr(confirming, "Workload", SimpleNamespace)
    monkeypatch.setattr(confirming, "settled_record", lambda path, again: SimpleNamespace(workloads={"b1": workload}))
    found = confirmed(goal("fastest"), "b1", 10.0)
    assert (found.p99_ms, found.ready) == (p99, ready)
    assert said in found.sentences[1]


def test_of_throughput_the_saturated_calls_count_and_the_accuracy_that_the_report_shows(tmp_path, monkeypatch):
    (tmp_path / "artifacts/report").mkdir(parents=True)
    (tmp_path / "artifacts/measurements").mkdir()
    rates = {
        "fastest": {"1": 100.0, "2": 180.0},
        "exact": {"1": 120.0, "2": 90.0},
        "torch-fp32": {"1": 50.0, "2": 60.0},
    }
    verdicts = {"fastest": "within", "exact": "within", "torch-fp32": "within"}

    def compared(price_per_hour=None):
        said = {name: {"accuracy": {"against_baseline": {"verdict": each}}} for name, each in verdicts.items()}
        (tmp_path / "artifacts/report/comparison.json").write_text(json.dumps({"candidates": said}), encoding="utf-8")
        return confirmed_throughput(tmp_path, "b1", "torch-fp32", price_per_hour)

    for name in rates:
        (tmp_path / f"artifacts/measurements/{name}.json").write_text("{}", encoding="utf-8")
    monkeypatch.setattr(confirming, "Workload", SimpleNamespace)
    workload = {name: SimpleNamespace(throughput_samples_per_s=each) for name, each in rates.items()}
    monkeypatch.setattr(
        confirming, "settled_record", lambda path, again: SimpleNamespace(workloads={"b1": workload[path.stem]})
    )
    found = compared()
    assert (found.chosen, found.ready) == ("fastest", True)
    assert "fastest 180 with callers: 2" in found.sentences[0]
    priced = compared(1.8).sentences[1]
    assert priced.startswith(
        f"A million samples cost, on a machine kept busy at 1.8 an hour: fastest {per_million(180, 1.8):.3g}, exact "
    )
    assert per_million(180, 1.8) == pytest.approx(500 / 180)
    verdicts["fastest"] = "undecided"
    assert compared().chosen == "exact"
    verdicts["exact"] = "beyond"
    assert (compared().chosen, compared().ready) == (None, False)


def test_a_run_that_fails_leaves_the_searchs_record_and_says_how_to_go_on(tmp_path, monkeypatch):
    monkeypatch.setattr(confirming, "take_over", lambda goal, sources: 0)
    monkeypatch.setattr(confirming, "python_command", lambda *arguments: ["false"])
    with pytest.raises(ExperimentError) as caught:
        confirm(tmp_path, [], "2")
    assert f"temper run -C {tmp_path}" in caught.value.fix


def test_the_package_is_named_by_the_folder_as_it_was_typed(tmp_path, monkeypatch):
    goal, params = tmp_path / "studies/mine/optimize/latency-b1", {"study": "mine", "data": {"a": 1}}
    goal.mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    with typed_study("studies/mine"):
        ready = where(goal, params, Confirmed("fastest", None, True, ()))
    assert "2 values: studies/mine/optimize/latency-b1/params.yaml" in ready[0]
    assert ready[1] == "Ready: temper package -C studies/mine/optimize/latency-b1 --candidate fastest --to FOLDER"
    monkeypatch.chdir(tmp_path / "studies/mine")
    with typed_study(None):
        ready = where(goal, params, Confirmed("fastest", None, True, ()))
    assert ready[1] == "Ready: temper package -C optimize/latency-b1 --candidate fastest --to FOLDER"
    assert len(where(goal, params, Confirmed(None, None, False, ()))) == 1
    refused = Confirmed("torch-fp32", None, False, (), against_fastest=True)
    kept = where(goal, params, refused)
    assert "temper package -C optimize/latency-b1 --candidate fastest --anyway --to FOLDER" in kept[1]
    without = {"runner": "pytorch", "options": {"device": "cuda", "mode": "unpadded"}}
    assert where(goal, params, Confirmed("fastest", None, True, ()), without) == ready
    compiled = {"runner": "pytorch", "options": {"mode": "compile"}}
    said = where(goal, params, Confirmed("fastest", None, True, ()), compiled)[1]
    assert len(where(goal, params, refused, compiled)) == 1  # no package runs it, whatever the verdict
    assert said.startswith(
        "Ready: temper predict -C optimize/latency-b1 --candidate fastest answers with it. A package does not run it"
    )
