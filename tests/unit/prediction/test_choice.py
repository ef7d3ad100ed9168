from dataclasses import replace
from pathlib import Path

import pytest

from temper.artifacts.manifest import sha256
from temper.environment.devices import Gpu
from temper.errors import ArtifactError, ConfigError, DataError
from temper.orchestration.job_record import read_job_record, record_path, write_job_record
from temper.prediction import choice as module
from temper.prediction.choice import choose, workload_for
from temper.report.decide.compared import ComparedStudy
from temper.report.finished import read_finished, record_file
from tests.unit.prediction.conftest import candidate, with_baseline_of

BASE = candidate("base", 1.0)


@pytest.fixture(autouse=True)
def no_gpu(monkeypatch):
    monkeypatch.setattr(module, "nvidia_gpus", lambda: ())


def chosen(finished, *, rows=1, name=None, workload=None):
    return choose(finished, candidate=name, workload=workload, rows=rows)


def test_the_decision_of_the_workload_nearest_to_the_rows_counts(finish):
    finished = finish(BASE, candidate("quick", 0.3, b8=0.5), candidate("broad", 0.5, b8=0.2))
    assert [workload_for(finished, rows) for rows in (1, 7, 8, 1000)] == ["b1", "b1", "b8", "b8"]
    assert (chosen(finished).candidate, chosen(finished, rows=9).candidate) == ("quick", "broad")
    assert chosen(finished, rows=9).why == "the decision's choice for b8"
    assert chosen(finished, rows=9, workload="b1").candidate == "quick"


def test_fewer_rows_than_any_batch_take_the_smallest(finish):
    finished = finish(BASE)
    finished.params["workloads"]["b1"]["batch_size"] = 4
    assert workload_for(finished, 2) == "b1"


def test_a_candidate_may_be_named_with_what_was_measured_of_it(finish):
    finished = finish(BASE, candidate("lossy", 0.1, wrong=200))
    named = chosen(finished, name="lossy")
    assert named.why == "named with --candidate"
    assert named.accuracy.startswith("90.00 % of 2,000 test rows, −10.00 points [−11.")
    assert named.accuracy.endswith("] from base: beyond the budget of 0.5 points")
    assert chosen(finished, name="base").accuracy.endswith(" of 2,000 test rows: it is the baseline itself")
    assert named.precision.startswith("not measured")


def test_what_was_not_measured_says_why(finish):
    finished = finish(BASE, candidate("gone", 0.1, reason="its library is not here"))
    assert chosen(finished, name="gone").accuracy == "not measured: its library is not here"


def test_a_doubtful_accuracy_is_said_to_be_undecided(finish):
    finished = finish(BASE, candidate("doubtful", 0.1, wrong=8))
    assert "undecided against the budget" in chosen(finished, name="doubtful").accuracy


def test_another_metric_is_named_and_held_against_the_record(finish):
    finished = finish(BASE, candidate("lossy", 0.1, wrong=200), metric="lowest_recall")
    assert chosen(finished, name="lossy").accuracy.startswith("lowest recall 90.00 % of 2,000 test rows")
    content = finished.comparison.as_json()
    content["candidates"]["lossy"]["accuracy"]["metric_value"] = 0.99
    finished = replace(finished, comparison=ComparedStudy.from_json(content))
    with pytest.raises(ArtifactError) as caught:
        chosen(finished, name="lossy")
    assert caught.value.happened == "its record gives other figures: lowest_recall"


def test_a_gpu_that_is_not_here_is_an_error_that_names_the_next_best(finish, monkeypatch):
    others = candidate("second", 0.4), candidate("third", 0.6), candidate("lossy", 0.2, wrong=200)
    finished = finish(BASE, candidate("rtx", 0.1, gpus=1), *others)
    with pytest.raises(ConfigError) as caught:
        chosen(finished)
    assert caught.value.happened == "it needs 1 NVIDIA GPU, this machine has none"
    assert caught.value.fix.startswith("--candidate second: ")
    monkeypatch.setattr(module, "nvidia_gpus", lambda: (Gpu("a GPU", "1"),))
    assert chosen(finished).candidate == "rtx"


def test_where_nothing_else_is_within_the_budget_that_is_said(finish):
    rtx = candidate("rtx", 0.1, gpus=1)
    finished = finish(candidate("base", 1.0, gpus=1), rtx, candidate("lossy", 0.2, wrong=200))
    with pytest.raises(ConfigError, match="no other candidate within the accuracy budget can run here"):
        chosen(finished)


def test_a_backend_that_computes_nothing_is_refused(finish):
    finished = finish(BASE, candidate("harness", 0.001, runner="null", predictions=False))
    with pytest.raises(ConfigError, match="computes no logits") as caught:
        chosen(finished, name="harness")
    assert caught.value.fix.startswith("--candidate base")


def test_without_a_choice_the_reason_is_given_with_what_to_do(finish):
    finished = finish(with_baseline_of(BASE, 2.0, ratio=1.2), candidate("fast", 0.2))
    with pytest.raises(ConfigError) as caught:
        chosen(finished)
    assert caught.value.happened.startswith(
        "b1: no choice: none of its 2 measurements holds (beside itself the baseline"
    )
    assert "temper run --again remeasure takes them once more" in caught.value.happened
    assert caught.value.fix == "name a candidate with --candidate"


def test_what_is_disturbed_is_not_served_and_says_so_where_it_is_named(finish):
    finished = finish(BASE, with_baseline_of(candidate("fast", 0.1), 3.0), candidate("second", 0.4))
    assert chosen(finished).candidate == "second"
    (left,) = chosen(finished).notes
    assert left.startswith("the choice is provisional. Left open: fast may be faster (the figures do not hold); ")
    (note,) = chosen(finished, name="fast").notes
    assert note.startswith("its latency at b1 is disturbed: the baseline beside it was 50 % slower than beside itself")


def test_a_gpu_that_is_not_here_is_not_replaced_by_a_disturbed_candidate(finish):
    disturbed = with_baseline_of(candidate("disturbed", 0.2), 3.0)
    with pytest.raises(ConfigError) as caught:
        chosen(finish(BASE, candidate("rtx", 0.1, gpus=1), disturbed, candidate("third", 0.6)))
    assert caught.value.fix.startswith("--candidate third: ")


def test_a_provisional_choice_is_served_with_its_bound(finish):
    finished = finish(candidate("base", 1.0, rows=500), candidate("fast", 0.2, rows=500))
    found = chosen(finished)
    assert found.candidate == "fast"
    assert found.notes == (
        "the choice is provisional: 500 test rows cannot decide a budget of 0.5 points; no label of 500 differs from base's, "
        "so it loses at most 0.74 points (95 %)",
    )
    assert chosen(finished, name="base").notes == ()


def test_a_useless_model_is_served_with_the_warning(finish):
    one_label = candidate("base", 1.0, answers=[1] * 2000)
    found = chosen(finish(one_label))
    assert found.notes[0] == "the model answers 'positive' to all 2,000 test rows"
    assert found.notes[1].startswith("the model is not shown to be better than always answering 'negative'")


def test_a_report_of_other_rules_is_not_served(finish):
    finish(BASE)
    file = Path("artifacts/report/decision.json")
    file.write_text(file.read_text().replace('"schema_version": 2', '"schema_version": 1'))
    job = read_job_record(record_path("report", ""))
    write_job_record(replace(job, outputs={**job.outputs, str(file): sha256(file)}))
    with pytest.raises(ArtifactError, match="its schema version is 1, and this Temper's is 2"):
        read_finished()


@pytest.mark.parametrize("asked", [{"name": "nobody"}, {"workload": "nothing"}])
def test_an_unknown_name_lists_those_that_are_there(finish, asked):
    with pytest.raises(ConfigError) as caught:
        chosen(finish(BASE), **asked)
    assert "the report has b" in caught.value.happened


def test_a_record_that_is_not_the_reports_is_refused(finish):
    finished = finish(BASE)
    file = Path(record_file("base"))
    file.write_text(file.read_text().replace('"seed": 3', '"seed": 4'))
    with pytest.raises(ArtifactError, match="altered or made anew"):
        chosen(finished)


@pytest.mark.parametrize("name", ["decision", "comparison", "summary"])
def test_a_report_that_was_altered_is_refused(finish, name):
    finish(BASE)
    file = Path("artifacts/report", f"{name}.json")
    file.write_text(file.read_text() + " ")
    with pytest.raises(ArtifactError, match="altered or made anew"):
        read_finished()


def test_a_study_that_was_not_run_says_how(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="temper run"):
        read_finished()


def test_a_workload_that_params_no_longer_has_is_an_error(finish):
    finished = finish(BASE)
    del finished.params["workloads"]["b8"]
    with pytest.raises(ConfigError, match="changed after the last report"):
        chosen(finished)
