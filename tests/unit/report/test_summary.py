"""What is shown of a study, as values and as summary.json."""

import json
from dataclasses import fields
from pathlib import Path

import pytest

from temper.errors import ArtifactError
from temper.measurement.record import NotMeasured
from temper.report.decide.decision import decide
from temper.report.filed import read_filed_study
from temper.report.summary import Summary, SummaryCandidate, SummaryWorkload, read_summary, summary
from temper.report.tables import Row
from tests.records import compared, record, several, workload

ROOT = Path(__file__).resolve().parents[3]
BOTH = {"b1": workload([1.0] * 3, ratio=(0.5, 0.4, 0.8)), "b8": NotMeasured(reason="out of memory")}
RECORDS = [record("base"), record("fast", workloads=BOTH), record("gone", reason="no NVIDIA GPU")]


def shown(records=RECORDS, **analysis):
    against = compared(records, "base", **analysis)
    return summary(records, against, decide(records, against))


def test_a_summary_that_was_written_is_read_as_it_was(tmp_path):
    (tmp_path / "summary.json").write_text(json.dumps(shown().as_json()), encoding="utf-8")
    assert read_summary(tmp_path / "summary.json") == shown()


@pytest.mark.parametrize("folder", ["cpu-2c-epyc/embedded"])
def test_a_filed_studys_has_the_same_keys_in_the_same_order_once_it_was_read(folder):
    study = read_filed_study(ROOT / "results" / folder)
    written = json.dumps(summary(study.records, study.compared, decide(study.records, study.compared)).as_json())
    assert json.dumps(Summary.from_json(json.loads(written)).as_json()) == written


def test_every_figure_of_a_row_is_a_candidates_or_a_workloads():
    own, timed = ({each.name for each in fields(kind)} for kind in (SummaryCandidate, SummaryWorkload))
    assert (own - {"workloads"}) | timed | {"candidate", "workload"} == {each.name for each in fields(Row)}
    assert own & timed == {"reason"}


def test_another_metric_is_said_and_accuracy_is_not():
    assert "judged_by" not in shown().as_json()
    bits = [1, 2, 3, 0]
    found = shown([several("base", bits, bits), several("own", [1, 2, 2, 0], bits)], metric="macro_f1")
    assert found.as_json()["judged_by"] == "macro-F1"


def test_of_one_workload_its_choice_and_its_figures_are_left():
    found = shown().on("b8")
    assert {name: list(entry.workloads) for name, entry in found.candidates.items()} == {
        "base": [],
        "fast": ["b8"],
        "gone": [],
    }
    assert [choice.partition(":")[0] for choice in found.choices] == ["b8"]
    assert found.notes == shown().notes


def test_figures_that_an_earlier_version_had_not_are_missing():
    content = shown().as_json()
    del content["first_notes"]
    del content["candidates"]["fast"]["gpu_peak_mib"]
    del content["candidates"]["fast"]["workloads"]["b1"]["computed_padding_share"]
    read = Summary.from_json(content)
    found = read.candidates["fast"]
    assert (read.first_notes, read.notes) == ((), shown().notes)
    assert found.gpu_peak_mib is None
    assert found.workloads["b1"].computed_padding_share is None


def test_another_document_is_refused(tmp_path):
    (tmp_path / "summary.json").write_text('{"candidates": {"a": 1}}', encoding="utf-8")
    with pytest.raises(ArtifactError, match="it is not what a report holds"):
        read_summary(tmp_path / "summary.json")
