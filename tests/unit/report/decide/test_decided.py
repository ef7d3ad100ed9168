"""What was decided, as values and as decision.json."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from temper.artifacts.manifest import canonical_json
from temper.errors import ArtifactError
from temper.report.decide.decided import UNDECIDED, Decision, read_decision
from temper.report.decide.decision import decide
from temper.report.filed import read_filed_study
from tests.records import compared, record, workload

ROOT = Path(__file__).resolve().parents[4]
RECORDS = [record("base"), record("fast", workloads={"b1": workload([1.0] * 3, ratio=(0.5, 0.4, 0.8))})]
LATER = ("provisional", "loses_at_most_points", "left_open", "warnings", "sentence")  # keys that version 1 had not


@pytest.fixture
def decided():
    return decide(RECORDS, compared(RECORDS, "base"))


def test_a_decision_that_was_written_is_read_as_it_was(decided, tmp_path):
    (tmp_path / "decision.json").write_text(canonical_json(decided.as_json()), encoding="utf-8")
    assert read_decision(tmp_path / "decision.json") == decided
    assert decided.of("b1").pareto_front
    assert decided.as_json()["schema_version"] == 2


@pytest.mark.parametrize("folder", ["cpu-2c-epyc/embedded"])
def test_a_filed_studys_has_the_same_bytes_once_it_was_read(folder):
    study = read_filed_study(ROOT / "results" / folder)
    written = canonical_json(decide(study.records, study.compared).as_json())
    assert canonical_json(Decision.from_json(json.loads(written)).as_json()) == written


def test_one_of_an_earlier_version_lacks_what_came_later(decided):
    content = decided.as_json()
    content["schema_version"] = 1
    del content["remeasure"]
    for key in LATER:
        del content["workloads"]["b1"][key]
    own = replace(
        decided.of("b1"), provisional=False, loses_at_most_points=None, left_open=(), warnings=(), sentence=""
    )
    assert Decision.from_json(content) == replace(decided, remeasure=None, workloads={"b1": own})


def test_what_a_later_version_adds_is_passed_over(decided):
    assert Decision.from_json({**decided.as_json(), "certainty": 0.9}) == decided


@pytest.mark.parametrize("key", ["chosen", "not_told_apart", "latency_ratio", "pareto_front", "excluded"])
def test_what_every_version_had_is_not_left_out(decided, key):
    content = decided.as_json()
    del content["workloads"]["b1"][key]
    with pytest.raises(ValueError, match=key):
        Decision.from_json(content)


def test_another_document_is_refused_in_four_parts(tmp_path):
    file = tmp_path / "decision.json"
    file.write_text(json.dumps({"workloads": [1]}), encoding="utf-8")
    with pytest.raises(ArtifactError) as caught:
        read_decision(file)
    assert caught.value.asked == f"read {file}"
    assert caught.value.happened.startswith("it is not what a report holds: ValidationError: ")
    assert "temper run --again report" in caught.value.fix


def test_nothing_is_chosen_for_a_workload_that_is_none_of_its_own(decided):
    assert decided.of("b4096") == UNDECIDED


@pytest.mark.parametrize(
    ("changes", "expected"), [({}, False), ({"provisional": True}, True), ({"left_open": ("a",)}, True)]
)
def test_a_choice_that_is_provisional_or_leaves_something_open_may_change(changes, expected):
    assert replace(UNDECIDED, **changes).may_change is expected
