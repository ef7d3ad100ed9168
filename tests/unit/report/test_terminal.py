import json
import re
from pathlib import Path

import pytest

from temper.artifacts.manifest import write_manifest
from temper.measurement.record import NotMeasured, write_record
from temper.report.render import write_summary
from temper.report.summary import read_summary
from temper.report.terminal import HEIGHT, print_summary, report_lines
from tests.records import ANALYSIS, record, workload

pytestmark = pytest.mark.usefixtures("made_up_figures")

ROOT = Path(__file__).resolve().parents[3]
FAST = workload([1.0, 1.0, 1.0], ratio=(0.5, 0.4, 0.8), executed={"products_by_precision": {"INT8": 10, "FP32": 8}})
RECORDS = [
    record("harness", predictions=None),
    record("base"),
    record("fast", workloads={"b1": FAST}),
    record("gpu", reason="no NVIDIA GPU: the backend asks for 1, this machine has none"),
    record("gpu-2", reason="no NVIDIA GPU: the backend asks for 2, this machine has none"),
]


@pytest.fixture
def report(tmp_path):
    """Writes the report of these records, and returns its folder."""

    def write(records):
        paths = [str(tmp_path / f"{each.candidate}.json") for each in records]
        for path, each in zip(paths, records, strict=True):
            write_record(path, each)
        folder = tmp_path / "artifacts/report"
        write_summary(
            study="tiny",
            baseline="base",
            analysis=ANALYSIS,
            engines={},
            records=paths,
            remeasurements=None,
            jobs=[],
            folder=str(folder),
        )
        return folder

    return write


@pytest.fixture
def printed(report, capfd):
    """Prints a report, and returns its lines."""

    def lines(records, **changes):
        folder = report(records)
        content = json.loads((folder / "summary.json").read_text())
        content["candidates"].get("harness", {})["library"] = "none"  # as the null backend calls it
        (folder / "summary.json").write_text(json.dumps(content | changes))
        capfd.readouterr()
        print_summary(folder)
        return capfd.readouterr().out.splitlines()

    return lines


def test_the_choice_comes_first_then_the_table_then_the_notes_then_where_the_rest_is(printed):
    lines = printed(RECORDS, choices=["b1: fast, 2.00 × as fast as base"])
    assert lines[0] == "b1: fast, 2.00 × as fast as base"
    table = next(at for at, line in enumerate(lines) if line.startswith("b1 "))
    first_note = next(at for at, line in enumerate(lines) if line.startswith("· "))
    assert 0 < table < first_note
    assert re.fullmatch(r"the rest: .*summary\.md \(\d+ notes\)", lines[-2])  # two lines, where one would be cut
    assert re.fullmatch(r"as a page: temper report -C .*", lines[-1])


def test_where_the_rest_is_takes_one_line_where_that_has_room(report):
    content = read_summary(report(RECORDS) / "summary.json")
    last = report_lines(content, ("summary.md", "temper report"), 80)[-1]
    assert re.fullmatch(r"the rest: summary\.md \(\d+ notes\); as a page: temper report", last)


def test_a_line_has_the_precision_that_ran_and_the_speed_up_with_its_interval(printed):
    lines = printed(RECORDS)
    header, fast = (re.split(r"  +", next(line for line in lines if line.startswith(name))) for name in ("b1 ", "fast"))
    assert header == ["b1", "ran in", "× [95 %]", "p50 ms", "accuracy", "verdict"]
    assert fast == ["fast", "INT8+FP32", "2.00 [1.25, 2.50]", "1.00", "+0.00 (0)", "win"]


def test_the_baseline_is_told_below_and_what_was_not_measured_in_one_sentence(printed):
    lines = printed(RECORDS)
    assert not any(line.startswith(("base ", "harness ", "gpu ")) for line in lines)
    assert "×: times as fast as base (2.00 ms); accuracy: points (flips)" in lines
    assert "not measured: gpu, gpu-2: no NVIDIA GPU" in lines


def test_a_workload_that_was_lost_is_named_with_its_candidate(printed, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    both = {"b1": workload([1.0, 2.0, 3.0]), "b256": workload([1.0, 2.0, 30.0])}
    lost = {**both, "b256": NotMeasured(reason="out of memory: CUDA")}
    lines = printed([record("base", workloads=both), record("large", workloads=lost)])
    assert "not measured: large (b256): out of memory (once more: temper run --again large)" in lines


def test_several_reasons_stand_in_one_sentence(printed):
    both = [record("gpu", reason="no NVIDIA GPU"), record("mkl", reason="no AMX")]
    assert "not measured: gpu: no NVIDIA GPU; mkl: no AMX" in printed([record("base"), record("fast"), *both])


def test_no_line_is_longer_than_the_screen_of_a_person(printed, monkeypatch):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "72")
    long = record("a-candidate-with-a-name-that-nobody-would-type", workloads={"b1": FAST})
    lines = printed([*RECORDS, long], choices=["b1: " + "word " * 40])
    assert max(map(len, lines[:-2])) <= 72  # the last ones are paths
    assert any(line.startswith("a-candidate") and "…" in line for line in lines)


def test_a_unit_stays_with_its_number(printed):
    lines = printed(RECORDS, choices=[f"{'x' * 76} 12 % of it"])
    assert lines[1] == "12 % of it"


def test_a_terminal_too_narrow_for_the_figures_cuts_lines_and_wraps_none(printed, monkeypatch):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "40")
    fast = next(line for line in printed(RECORDS) if line.startswith("fast"))
    assert len(fast) == 40
    assert fast.endswith("…")


def test_the_fastest_ten_stand_in_a_table_and_the_others_are_counted(printed):
    many = [
        record(f"c{at}", workloads={"b1": workload([1.0, 1.0, 1.0], ratio=(0.1 + at / 100, 0.1, 0.9))})
        for at in range(14)
    ]
    lines = printed([record("base"), *reversed(many)])
    assert [line.split()[0] for line in lines if re.match(r"c\d", line)] == [f"c{at}" for at in reversed(range(10))]
    assert "and 4 slower" in lines


def test_notes_give_way_where_the_screen_is_full_and_two_stay(printed):
    notes = [f"note {at}" for at in range(5)]
    assert sum(line.startswith("· note") for line in printed(RECORDS, first_notes=notes)) == 5
    workloads = {f"w{at}": FAST for at in range(HEIGHT // 3)}
    full = printed([record("base", workloads=workloads), record("fast", workloads=workloads)], first_notes=notes)
    assert sum(line.startswith("· note") for line in full) == 2
    long = [f"note {at} " + "the processor was slower; " * 9 for at in range(5)]
    full = printed([record("base", workloads=workloads), record("fast", workloads=workloads)], first_notes=long)
    assert [line[:8] for line in full if line.startswith(("· note", "  the"))] == ["· note 0", "· note 1"]


def test_a_note_takes_two_lines_and_is_whole_in_the_summary(printed):
    said = printed(RECORDS, first_notes=["disturbed: " + "the processor was slower; " * 9, "note"])
    at = next(place for place, line in enumerate(said) if line.startswith("· disturbed"))
    assert said[at + 1].startswith("  ")
    assert said[at + 1].endswith("…")
    assert max(map(len, said[at : at + 2])) <= 80
    assert said[at + 2] == "· note"


def test_what_is_said_of_several_workloads_in_the_same_words_is_said_once(printed):
    said = printed(RECORDS, choices=["b1: fast. Warning: one label only", "b8: slow. Warning: one label only"])
    assert said[:2] == ["b1: fast. Warning: one label only", "b8: slow"]
    said = printed(RECORDS, choices=["b1: none (2 %); measure anew", "b8: none (3 %); measure anew"])
    assert said[:2] == ["b1: none (2 %); measure anew", "b8: none (3 %)"]


def test_what_the_table_shows_is_not_said_of_a_choice_too(printed, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    sentence = (
        "b1: fast, 2.00 × as fast as base. Disturbed and left out: gpu. Left open: gpu-2 may be faster; make remeasure"
    )
    lines = printed(RECORDS, choices=[sentence])
    assert lines[:3] == [
        "b1: fast, 2.00 × as fast as base. Left open: gpu-2 may be faster; temper run",
        "--again remeasure",
        "",
    ]


def test_the_lengths_that_engines_are_built_for_stand_below_the_table(report, tmp_path, capfd):
    folder = report([record("base")])
    (tmp_path / "params.yaml").write_text("buckets: {main: {}, never-run: {}}\nload_tests: {}\n")
    choice = {"profiles": 1, "limits": [64], "padding_share": 0.5, "relative_cost": 2.0}
    (tmp_path / "artifacts/buckets").mkdir()
    facts = {"row": {"multiple_of": 8}, "budgets": [choice], "every_length": choice}
    write_manifest(tmp_path / "artifacts/buckets/main.json", kind="buckets", facts=facts)
    capfd.readouterr()
    print_summary(folder)
    shown = capfd.readouterr().out
    line = next(line for line in shown.splitlines() if line.startswith("main"))
    assert re.split(r"  +", line) == ["main", "64, chosen", "1", "50.0", "2.000"]
    assert "never-run" not in shown
    assert "MLPerf" not in shown
