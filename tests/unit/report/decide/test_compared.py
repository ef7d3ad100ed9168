"""What comparing says, as values and as comparison.json."""

import json
from pathlib import Path

import pytest

from temper.artifacts.manifest import canonical_json
from temper.measurement.record import NotMeasured
from temper.report.decide.compared import ComparedStudy
from temper.report.filed import read_filed_study
from tests.records import compared, record, several, workload

ROOT = Path(__file__).resolve().parents[4]
RECORDS = [
    record("base", predictions=[0, 1, 1, 1]),
    record("flips", predictions=[1, 1, 1, 0], workloads={"b1": workload([2.0], ratio=(0.5, 0.49, 0.51))}),
    record("apart", workloads={"b1": workload([2.0], ratio="the baseline could not be run")}),
    record("busy", workloads={"b1": NotMeasured(reason="the machine was busy", cause="busy")}),
    record("harness", predictions=None),
    record("gone", reason="no NVIDIA GPU"),
]


def test_a_comparison_that_was_written_is_read_as_it_was():
    against = compared(RECORDS, "base")
    assert ComparedStudy.from_json(json.loads(canonical_json(against.as_json()))) == against


def test_so_is_one_of_another_metric_and_of_rows_with_several_labels():
    bits = [1, 2, 3, 0]
    records = [several("base", bits, bits), several("own", [1, 2, 2, 0], bits)]
    against = compared(records, "base", metric="macro_f1")
    assert ComparedStudy.from_json(json.loads(canonical_json(against.as_json()))) == against


def test_what_is_missing_has_its_reason_and_no_other_key():
    found = compared(RECORDS, "base").as_json()["candidates"]
    assert found["gone"]["accuracy"] == {"status": "not measured", "reason": "no NVIDIA GPU"}
    assert found["busy"]["workloads"]["b1"].keys() == {"status", "reason", "cause", "contention", "holds", "why_not"}
    assert not {"ratio", "verdict", "not_faster"} & found["apart"]["workloads"]["b1"].keys()


def test_a_cell_says_its_ratio_or_why_it_has_none():
    candidates = compared(RECORDS, "base").candidates
    assert candidates["flips"].workloads["b1"].taken.ratio == 0.5
    with pytest.raises(ValueError, match="the machine was busy"):
        _ = candidates["busy"].workloads["b1"].taken


@pytest.mark.parametrize("folder", ["cpu-2c-epyc/embedded"])
def test_a_filed_study_is_compared_and_read_alike(folder):
    against = read_filed_study(ROOT / "results" / folder).compared
    assert ComparedStudy.from_json(json.loads(canonical_json(against.as_json()))) == against
