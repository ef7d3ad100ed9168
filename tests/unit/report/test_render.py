import csv
import json

import pytest

from temper.artifact import write_manifest
from temper.errors import ArtifactError
from temper.measurement.record import NotMeasured, write_record
from temper.report.decision import decide
from temper.report.files import REPORT_NAMES
from temper.report.render import ABSENT, markdown, notes, print_summary, table, write_summary
from temper.report.tables import rows
from tests.records import ANALYSIS, compared, record, workload

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
        jobs=[],
        folder=str(tmp_path / "report"),
    )
    return tmp_path / "report"


def cells(page):
    page = page.partition("One file on several runtimes")[0]
    lines = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("|")]
    return {line[0]: dict(zip(lines[0], line, strict=True)) for line in lines[2:]}


def test_the_markdown_table_has_one_line_per_candidate_in_the_order_of_the_records(summary):
    found = cells((summary / "summary.md").read_text())
    assert list(found) == [each.candidate for each in RECORDS]
    assert found["base"] == {
        "candidate": "base",
        "library": "onnxruntime 1.5",
        "artifact": "onnx/fp32",
        "executed products": ABSENT,
        "size MiB": "3.00",
        "accuracy %": "100.00",
        "difference, points": "+0.00 [+0.00, +0.00]",  # it is the baseline itself
        "flips": "0",
        "accuracy": "within",
        "b1 p50 ms": "2.00",
        "b1 p95 ms": "30.0",
        "b1 ×": "1.000 [0.980, 1.020]",
        "b1 verdict": "tie",
        "b1 samples/s": "900",
    }
    assert (found["other"]["accuracy %"], found["other"]["flips"]) == ("50.00", "2")


def test_what_was_not_measured_is_a_dash_and_a_note(summary):
    page = (summary / "summary.md").read_text()
    line = cells(page)["gpu"]
    dashes = {name for name, cell in line.items() if cell == ABSENT}
    assert dashes == set(line) - {"candidate", "library", "artifact", "size MiB"}
    assert "- gpu: not measured: no NVIDIA GPU\n" in page
    harness = cells(page)["harness"]
    assert (harness["accuracy %"], harness["b1 p50 ms"]) == (ABSENT, "2.00")
    assert "- harness: accuracy not measured: the backend computes no logits\n" in page


def test_notes_say_what_the_table_cannot_show():
    found = notes(RECORDS, compared(RECORDS, "base"))
    assert "other: 3 test rows were cut to the length it accepts" in found
    assert "workload b1: 25 % of the timed tokens are padding" in found
    assert any(note.startswith("workload b1: the baseline beside itself is 1.000 [0.980, 1.020]") for note in found)
    assert sum("not measured" in note for note in found) == 2
    assert "base's, both timed in turns" in found[-2]


def test_the_page_names_the_machine_and_the_choice(summary):
    page = (summary / "summary.md").read_text()
    assert "Measured on A CPU, 2 cores." in page
    assert "- b1: **base**, 1.000 × the baseline's latency" in page


def test_real_lengths_have_a_table_of_their_own_where_there_are_any(summary):
    assert "at its own length" not in (summary / "summary.md").read_text()
    timed = workload([1.0, 1.0, 7.0], real_lengths="arrival", computed_padding_share=0.5)
    records = [record("base", workloads={"arrival": timed})]
    against = compared(records, "base")
    page = markdown(records, against, decide(records, against))
    assert "Every test sentence at its own length:\n\n| candidate | artifact | workload |" in page
    assert "- base, arrival: 50.0 % of the tokens it computes are padding, 25.0 % of those it is given\n" in page


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
    assert content["notes"] == notes(RECORDS, compared(RECORDS, "base"))
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


@pytest.mark.parametrize(
    ("latency", "shown"),
    [(0.001234, "0.0012"), (0.1234, "0.123"), (1.234, "1.23"), (21.34, "21.3"), (1234.5, "1234.5")],
)
def test_latencies_have_about_three_digits(latency, shown):
    records = [record("a", latencies_ms=[latency], percentiles={"50": latency})]
    header, lines = table(rows(records, compared(records, "a")))
    assert lines[0][header.index("b1 p50 ms")] == shown
    assert lines[0][header.index("b1 p95 ms")] == ABSENT  # it was not asked for


def test_a_candidate_without_a_workload_of_the_others_has_dashes_there():
    records = [record("a", workloads=["w1", "w2"]), record("b", workloads=["w2"])]
    header, lines = table(rows(records, compared(records, "a")))
    assert lines[1][header.index("w1 p50 ms")] == ABSENT
    assert lines[1][header.index("w2 p50 ms")] == "2.00"


def test_a_report_in_which_nothing_was_measured_is_still_written(tmp_path):
    write_record(tmp_path / "gpu.json", record("gpu", reason="no NVIDIA GPU"))
    write_summary(
        study="t",
        baseline="base",
        analysis=ANALYSIS,
        engines={},
        records=[str(tmp_path / "gpu.json")],
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
            jobs=[],
            folder=str(tmp_path / "report"),
        )
    assert not (tmp_path / "report").exists()


def test_the_table_on_the_terminal_shows_the_same_figures_and_notes(summary, capfd):
    print_summary(str(summary))
    shown = capfd.readouterr().out
    base = next(line for line in shown.splitlines() if line.startswith("│ base"))
    assert [cell.strip() for cell in base.strip("│").split("│")] == [
        *("base", "3.00", "100.00", "0", "within", "2.00", "0.98–1.02", "tie")
    ]
    assert "· gpu: not measured: no NVIDIA GPU" in shown


def test_the_lengths_that_engines_are_built_for_stand_below_the_table(tmp_path, capfd):
    write_record(tmp_path / "base.json", record("base"))
    write_summary(
        study="tiny",
        baseline="base",
        analysis=ANALYSIS,
        engines={},
        records=[str(tmp_path / "base.json")],
        jobs=[],
        folder=str(tmp_path / "artifacts/report"),
    )
    (tmp_path / "params.yaml").write_text("buckets: {main: {}, never-run: {}}\nload_tests: {}\n")
    choice = {"profiles": 1, "limits": [64], "padding_share": 0.5, "relative_cost": 2.0}
    (tmp_path / "artifacts/buckets").mkdir()
    facts = {"row": {"multiple_of": 8}, "budgets": [choice], "every_length": choice}
    write_manifest(tmp_path / "artifacts/buckets/main.json", kind="buckets", facts=facts)
    print_summary(str(tmp_path / "artifacts/report"))
    shown = capfd.readouterr().out
    line = next(line for line in shown.splitlines() if line.startswith("│ main"))
    assert [cell.strip() for cell in line.strip("│").split("│")] == ["main", "64, chosen", "1", "50.0", "2.000"]
    assert "never-run" not in shown
    assert "MLPerf" not in shown


def test_where_the_rows_differ_in_length_the_latency_shown_is_the_one_of_the_ratio():
    timed = workload([1.0, 1.0, 7.0], real_lengths="arrival")
    records = [record("a", workloads={"w": timed})]
    header, lines = table(rows(records, compared(records, "a")))
    assert lines[0][header.index("w mean ms")] == "3.00"
    assert "w p50 ms" not in header


def test_one_workload_that_was_not_measured_is_a_dash_and_a_note_and_the_others_stay():
    both = {"b1": workload([1.0, 2.0, 3.0]), "b256": workload([1.0, 2.0, 30.0])}
    lost = {**both, "b256": NotMeasured(reason="out of memory: CUDA")}
    records = [record("base", workloads=both), record("gpu", workloads=lost)]
    found = compared(records, "base")
    shown = {row.workload: row for row in rows(records, found) if row.candidate == "gpu"}
    assert (shown["b1"].latency_p50_ms, shown["b1"].reason) == (2.0, None)
    assert (shown["b256"].latency_p50_ms, shown["b256"].reason) == (None, "out of memory: CUDA")
    assert "gpu, b256: not measured: out of memory: CUDA" in notes(records, found)
