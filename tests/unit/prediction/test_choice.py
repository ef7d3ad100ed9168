from pathlib import Path

import pytest

from temper.devices import Gpu
from temper.errors import ArtifactError, ConfigError, DataError
from temper.prediction import choice as module
from temper.prediction.choice import choose, workload_for
from temper.prediction.finished import read_finished, record_file
from tests.unit.prediction.conftest import candidate

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
    assert chosen(finished).accuracy.endswith("from base: within the budget of 0.5 points")
    assert named.precision.startswith("not measured")


def test_what_was_not_measured_says_why(finish):
    finished = finish(BASE, candidate("gone", 0.1, reason="its library is not here"))
    assert chosen(finished, name="gone").accuracy == "not measured: its library is not here"


def test_a_doubtful_accuracy_is_said_to_be_undecided(finish):
    finished = finish(BASE, candidate("doubtful", 0.1, wrong=8))
    assert "undecided against the budget" in chosen(finished, name="doubtful").accuracy


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


def test_without_a_choice_the_reasons_are_given(finish):
    finished = finish(candidate("base", 1.0), accuracy_budget_points=0.001)
    with pytest.raises(ConfigError) as caught:
        chosen(finished)
    assert "it chose none: base (undecided against the accuracy budget" in caught.value.happened
    assert caught.value.fix == "name a candidate with --candidate"


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
    with pytest.raises(DataError, match="make reproduce"):
        read_finished()


def test_a_workload_that_params_no_longer_has_is_an_error(finish):
    finished = finish(BASE)
    del finished.params["workloads"]["b8"]
    with pytest.raises(ConfigError, match="changed after the last report"):
        chosen(finished)
