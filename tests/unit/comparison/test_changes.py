import json
from pathlib import Path

import pytest

from temper.comparison import last_run
from temper.comparison.changes import changes
from temper.comparison.experiments import Experiment
from temper.comparison.last_run import changes_against, filed_changes
from temper.comparison.revisions import Revision, Store
from temper.errors import ExperimentError
from temper.report.decide.compared import ComparedStudy
from temper.report.decide.decision import decide
from temper.report.finished import Finished
from temper.study.params_file import load_params
from temper.study.resolve import load_resolved, spelt_out
from tests.filed import file_study
from tests.records import LABELS, compared, record, workload

pytestmark = pytest.mark.usefixtures("made_up_figures")

ROOT = Path(__file__).resolve().parents[3]
ROWS = 200


def fast(ratio, *, wrong=0, name="fast"):
    """A candidate whose latency has this ratio to the baseline's, and `wrong` wrong answers of ROWS."""
    predictions = [1 - LABELS[0]] * wrong + [LABELS[0]] * (ROWS - wrong)
    timed = workload([2.0 * ratio] * 9, ratio=(ratio, 0.99 * ratio, 1.01 * ratio))
    return record(name, predictions=predictions, labels=[LABELS[0]] * ROWS, workloads={"b1": timed})


def state(name, *records, **params):
    against = compared(records, "base")
    return Experiment(name, params, {each.candidate: each for each in records}, against.as_json(), None), decide(
        records, against
    )


BASE = fast(1.0, name="base")


def held(now, then):
    return changes(now[0], then[0], (now[1], then[1]), 0.05)


def figure(found, candidate, what):
    return next(each for each in found.figures if (each.candidate, each.what) == (candidate, what))


def test_the_same_twice_is_within_noise_everywhere():
    found = held(state("now", BASE, fast(0.5)), state("then", BASE, fast(0.51)))
    assert {each.said for each in found.figures} == {"within noise"}
    assert (found.choices, found.settings, found.appeared, found.gone) == ([], [], [], [])


def test_what_was_shown_to_be_another_says_which_way():
    found = held(state("now", BASE, fast(0.5)), state("then", BASE, fast(0.8, wrong=40)))
    speed, accuracy = figure(found, "fast", "b1"), figure(found, "fast", "accuracy")
    assert (speed.said, speed.then, speed.now) == ("better", pytest.approx(1.25), pytest.approx(2.0))
    assert speed.change[0] == pytest.approx(1.6)
    assert speed.change[1] < 1.6 < speed.change[2]
    assert (accuracy.said, accuracy.then, accuracy.now) == ("better", 80.0, 100.0)
    assert accuracy.change[0] == pytest.approx(20.0)
    back = held(state("now", BASE, fast(0.8, wrong=40)), state("then", BASE, fast(0.5)))
    assert {figure(back, "fast", what).said for what in ("b1", "accuracy")} == {"worse"}
    assert figure(back, "base", "b1").said == "within noise"


def test_settings_candidates_and_choices_that_differ_are_named():
    now = state("now", BASE, fast(0.5), fast(0.9, name="new"), train={"epochs": 3})
    found = held(now, state("then", BASE, fast(1.5), fast(1.2, name="old"), train={"epochs": 2}))
    assert found.settings == [("train.epochs", "2", "3")]
    assert (found.appeared, found.gone) == (["new"], ["old"])
    assert found.choices == [("b1", "base", "fast")]


def test_what_cannot_be_compared_says_why():
    other_rows = record("fast", workloads={"b2": workload([1.0] * 9)})
    found = held(state("now", BASE, fast(0.5)), state("then", BASE, other_rows))
    assert figure(found, "fast", "accuracy").said == "not compared: other test rows"
    assert figure(found, "fast", "b1").said == "not measured then"
    assert figure(found, "fast", "b2").said == "not measured now"
    other = {"machine": {"cpu": "Another", "cores_usable": 2}}  # both were taken there, as all of a report are
    then = [record.model_copy(update=other) for record in (BASE, fast(0.5))]
    elsewhere = held(state("now", BASE, fast(0.5)), state("then", *then))
    assert figure(elsewhere, "fast", "b1").said == "not compared: another machine, baseline or inputs"


def test_a_filed_folder_is_held_against_another(tmp_path):
    for name, ratio in (("now", 0.5), ("then", 0.8)):
        file_study(tmp_path / "m" / name, [BASE, fast(ratio)])
    found = filed_changes(tmp_path / "m/now", tmp_path / "m/then")
    assert found.name == "m/then"
    assert figure(found, "fast", "b1").said == "better"


def test_a_folder_without_a_study_is_refused(tmp_path):
    now, decision = state("now", BASE, fast(0.5))
    finished = Finished(decision, ComparedStudy.from_json(now.compared), None, {}, None)
    with pytest.raises(ExperimentError) as caught:
        changes_against(finished, list(now.records.values()), tmp_path)
    assert "neither filed records" in caught.value.happened
    assert "results/<machine>/<study>" in caught.value.fix


def test_a_decision_of_another_state_is_read_where_there_is_one_and_refused_where_it_is_none(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    workspace, file = Revision("workspace", None), Path("artifacts/report/decision.json")
    assert last_run._decision(workspace, Store()) is None
    file.parent.mkdir(parents=True)
    _, decision = state("then", BASE, fast(0.5))
    file.write_text(json.dumps(decision.as_json()))
    assert last_run._decision(workspace, Store()) == decision
    for other in ("[]", '{"workloads": {"b1": []}}', "no JSON"):
        file.write_text(other)
        with pytest.raises(ExperimentError, match="of it is no decision"):
            last_run._decision(workspace, Store())


def test_where_nothing_was_committed_there_is_no_last_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    now, decision = state("now", BASE, fast(0.5))
    finished = Finished(decision, ComparedStudy.from_json(now.compared), None, {}, None)
    assert changes_against(finished, list(now.records.values()), None) is None


def test_a_params_file_and_its_complete_form_are_the_same_settings():
    now, decision = state("now", BASE, fast(0.5), **load_resolved(ROOT / "params.yaml"))
    short = Experiment("then", spelt_out(load_params(ROOT / "params.yaml")), now.records, now.compared, None)
    held_now = last_run._held((now, decision), (short, decision))
    assert held_now.settings == []
