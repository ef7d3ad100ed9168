import csv
import json
from dataclasses import replace

import pytest

from temper.errors import ArtifactError
from temper.measurement.record import write_record
from temper.report.decide.decided import UNDECIDED, Decision
from temper.report.decide.decision import decide
from temper.report.files import REPORT_NAMES
from temper.report.formats import ABSENT
from temper.report.notes import notes
from temper.report.render import metrics, write_summary
from tests.records import ANALYSIS, compared, record

RECORDS = [
    record("base", predictions=[0, 1, 1, 0], latencies_ms=[1.0, 2.0, 30.0]),
    record("other", predictions=[0, 0, 1, 1], cut_rows=3),
    record("gpu", reason="no NVIDIA GPU"),
    record("harness", predictions=None),
]


@pytest.fixture
def summary(tmp_path):
    """The folder of a report on four candidates."""
    paths = [str(tmp_path / f"{each.candidate}.json") for each in RECORDS]
    for path, each in zip(paths, RECORDS, strict=True):
        write_record(path, each)
    write_summary(
        study="tiny",
        baseline="base",
        analysis=ANALYSIS,
        engines={},
        records=paths,
        remeasurements=None,
        jobs=[],
        folder=str(tmp_path / "report"),
    )
    return tmp_path / "report"


def cells(page):
    page = page.partition("One file on several runtimes")[0]
    lines = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("|")]
    return {line[0]: dict(zip(lines[0], line, strict=True)) for line in lines[2:]}


def test_comparison_and_decision_are_files_of_their_own(summary):
    content = json.loads((summary / "comparison.json").read_text())
    flipped = content["candidates"]["other"]["accuracy"]["against_baseline"]["flipped"]
    assert [flip["row"] for flip in flipped] == [1, 3]
    decision = json.loads((summary / "decision.json").read_text())
    assert decision["workloads"]["b1"]["excluded"]["gpu"] == "latency not measured: no NVIDIA GPU"


def test_markdown_csv_and_json_agree(summary):
    page = cells((summary / "summary.md").read_text())
    content = json.loads((summary / "summary.json").read_text())
    with open(summary / "summary.csv", newline="") as stream:
        lines = {line["candidate"]: line for line in csv.DictReader(stream)}
    assert list(page) == list(lines) == list(content["candidates"])
    against = compared(RECORDS, "base")
    assert content["notes"] == [note.text for note in notes(RECORDS, against, decide(RECORDS, against))]
    for name, entry in content["candidates"].items():
        line, timed = lines[name], entry["workloads"]["b1"]
        percentiles = timed["latency_percentiles_ms"] or {}
        for exact, shown, digits in [
            (entry["accuracy"], page[name]["accuracy %"], (100, 2)),
            (percentiles.get("50"), page[name]["b1 p50 ms"], (1, 2)),
            (percentiles.get("95"), page[name]["b1 p95 ms"], (1, 1)),
            (timed["throughput_samples_per_s"], page[name]["b1 samples/s"], (1, 0)),
        ]:
            assert shown == (ABSENT if exact is None else f"{exact * digits[0]:,.{digits[1]}f}")
        for column, exact in {
            "accuracy": entry["accuracy"],
            "latency_p50_ms": percentiles.get("50"),
            "latency_p95_ms": percentiles.get("95"),
            "throughput_samples_per_s": timed["throughput_samples_per_s"],
            "labels_differing": entry["labels_differing"],
            "size_mib": entry["size_mib"],
        }.items():
            assert line[column] == ("" if exact is None else str(exact)), (name, column)
        assert line["reason"] == (entry["reason"] or "")


def test_a_report_in_which_nothing_was_measured_is_still_written(tmp_path):
    write_record(tmp_path / "gpu.json", record("gpu", reason="no NVIDIA GPU"))
    write_summary(
        study="t",
        baseline="base",
        analysis=ANALYSIS,
        engines={},
        records=[str(tmp_path / "gpu.json")],
        remeasurements=None,
        jobs=[],
        folder=str(tmp_path / "report"),
    )
    assert sorted(path.name for path in (tmp_path / "report").iterdir()) == sorted(REPORT_NAMES)
    assert "no NVIDIA GPU" in (tmp_path / "report/summary.csv").read_text()


def test_a_record_of_an_old_version_stops_the_report(tmp_path):
    (tmp_path / "old.json").write_text(json.dumps({**record("a").model_dump(mode="json"), "schema_version": 0}))
    with pytest.raises(ArtifactError, match="it says 0"):
        write_summary(
            study="t",
            baseline="a",
            analysis=ANALYSIS,
            engines={},
            records=[str(tmp_path / "old.json")],
            remeasurements=None,
            jobs=[],
            folder=str(tmp_path / "report"),
        )
    assert not (tmp_path / "report").exists()


def test_the_metrics_that_dvc_shows_are_the_choice_of_each_workload_in_few_columns(summary):
    found = json.loads((summary / "metrics.json").read_text())
    comparison = json.loads((summary / "comparison.json").read_text())
    decision = json.loads((summary / "decision.json").read_text())
    own = decision["workloads"]["b1"]
    chosen = comparison["candidates"][own["chosen"]]
    paired = chosen["accuracy"]["against_baseline"]
    assert {key: values["b1"] for key, values in found.items()} == {
        "choice": own["chosen"],
        "speed_up": round(1 / own["latency_ratio"], 3),
        "accuracy": chosen["accuracy"]["accuracy"],
        "loses_at_most_points": own["loses_at_most_points"],
        "flips": paired["labels_differing"],
        "verdict": ", ".join(
            ["provisional"] * own["provisional"] + [paired["verdict"], chosen["workloads"]["b1"]["verdict"]]
        ),
    }
    nothing = replace(Decision.from_json(decision), workloads={"b1": UNDECIDED})
    assert metrics(compared(RECORDS, "base"), nothing) == {
        key: {"b1": "none" if key == "choice" else None} for key in found
    }
