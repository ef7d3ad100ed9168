"""One ONNX file on several runtimes."""

import json

import pytest

from temper.report.decide.agreement import Agreement, agreement_cells, agreements, onnx_row
from temper.report.decide.decided import Decision
from temper.report.render import markdown
from tests.records import ENGINES, compared, record


def test_an_engine_belongs_to_the_file_it_was_built_from():
    assert onnx_row("engines/fast", ENGINES) == onnx_row("onnx/fp32", ENGINES) == "fp32"
    assert onnx_row("checkpoint", ENGINES) is None


def test_every_two_runtimes_of_a_file_are_held_against_each_other():
    own = [
        record("torch", loads="checkpoint"),
        record("a", predictions=[0, 1, 1, 0]),
        record("b", predictions=[0, 1, 0, 0]),
        record("c", predictions=[1, 1, 0, 0], loads="engines/fast"),
        record("other", loads="onnx/int8"),
    ]
    found = agreements(own, ENGINES)
    assert [pair.candidates for pair in found] == [("a", "b"), ("a", "c"), ("b", "c")]
    assert [pair.labels_differing for pair in found] == [1, 2, 1]
    assert {(pair.onnx, pair.rows, pair.largest_logit_difference) for pair in found} == {("fp32", 4, 1.0)}
    assert [pair.mean_logit_difference for pair in found] == [0.25, 0.5, 0.25]
    assert agreement_cells(found)[0] == ["fp32", "a and b", "4", "1", "1", "0.25"]
    assert [Agreement.from_json(json.loads(json.dumps(pair.as_json()))) for pair in found] == found


def test_what_was_not_measured_or_answered_other_rows_is_held_against_nothing():
    own = [
        record("a"),
        record("b", reason="no GPU", loads="engines/fast"),
        record("c", labels=[1, 1, 1, 1]),
    ]
    assert agreements(own, ENGINES) == []


@pytest.mark.parametrize("other", ["onnx/fp32", "checkpoint"])
def test_the_summary_has_a_table_of_it_where_a_file_ran_twice(other):
    records = [record("base"), record("a", loads=other)]
    page = markdown(records, compared(records, "base"), DECISION)
    assert ("| fp32 | base and a | 4 | 0 | 0 | 0 |" in page) == (other == "onnx/fp32")


DECISION = Decision("tiny", "base", 0.5, {})
