from pathlib import Path

import pytest

from temper.errors import ConfigError
from temper.measurement.record import NotMeasured
from temper.publish.pages import filled
from temper.report.filed import FiledStudy
from temper.report.reported import read_reported, speed_ups_markdown
from tests.records import compared, record, workload

ROOT = Path(__file__).resolve().parents[3]


def study(*records):
    return FiledStudy(Path("results/x/y"), {}, records, compared(records, "base"))


def timed(speed_up):
    """Its latency is that of the baseline over this, within one per cent."""
    return workload([1.0], ratio=(1 / speed_up, 0.99 / speed_up, 1.01 / speed_up))


def written(tmp_path, *claims):
    path = tmp_path / "reported.yaml"
    lines = [
        f"  - {{title: {name}, candidate: {name}, over: {over}, at_least: {low}, at_most: {high}}}"
        for name, over, low, high in claims
    ]
    path.write_text("\n".join(["source: a page", "speed_ups:", *lines]) + "\n")
    return read_reported(path)


def cells(table):
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]


@pytest.mark.parametrize(
    ("speed_up", "verdict"), [(6.0, "beaten"), (2.5, "confirmed"), (1.0, "refuted"), (2.0, "undecided")]
)
def test_a_claim_is_held_against_the_whole_interval(tmp_path, speed_up, verdict):
    records = record("base", workloads={"b1": timed(1.0)}), record("own", workloads={"b1": timed(speed_up)})
    table = cells(speed_ups_markdown(study(*records), written(tmp_path, ("own", "base", 2, 3))))
    assert table[0] == ["workload", "own: 2–3 ×"]
    assert table[2] == ["b1", f"{speed_up:.2f} [{speed_up / 1.01:.2f}, {speed_up / 0.99:.2f}] {verdict}"]


def test_over_another_candidate_both_intervals_count(tmp_path):
    records = (
        record("base", workloads={"b1": timed(1.0)}),
        record("other", workloads={"b1": timed(2.0)}),
        record("own", workloads={"b1": timed(4.0)}),
    )
    table = cells(speed_ups_markdown(study(*records), written(tmp_path, ("own", "other", 1.5, 1.5))))
    assert table[0][1] == "own: 1.5 ×"
    assert table[2] == ["b1", "2.00 [1.97, 2.03] beaten"]


def test_what_was_not_measured_gets_no_verdict_and_batches_stand_in_order(tmp_path):
    lost = {"b4": timed(3.0), "b16": NotMeasured(reason="out of memory")}
    records = (
        record("base", workloads={"b16": timed(1.0), "b4": timed(1.0), "b1": timed(1.0)}),
        record("own", workloads=lost),
    )
    table = cells(speed_ups_markdown(study(*records), written(tmp_path, ("own", "base", 2, 3))))
    assert [row[0] for row in table[2:]] == ["b1", "b4", "b16"]
    assert [row[1] for row in table[2:]] == ["–", "3.00 [2.97, 3.03] confirmed", "not measured"]


def test_a_claim_of_a_candidate_without_a_record_is_no_verdict(tmp_path):
    claims = written(tmp_path, ("own", "base", 2, 3), ("base", "own", 2, 3))
    table = cells(speed_ups_markdown(study(record("base", workloads={"b1": timed(1.0)})), claims))
    assert table[2] == ["b1", "no record", "no record"]


@pytest.mark.parametrize("text", [None, "source: a page\n", "source: a\nspeed_ups: []\n", "speed_ups: [\n", "- 1\n"])
def test_a_file_that_holds_something_else_is_refused(tmp_path, text):
    if text is not None:
        (tmp_path / "reported.yaml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_reported(tmp_path / "reported.yaml")
    assert "at_least" in caught.value.fix


def test_a_pages_mark_names_the_file_of_the_claims(tmp_path):
    (tmp_path / "results").symlink_to(ROOT / "results")
    written(tmp_path, ("openvino-int8", "torch-fp32", 2, 3))
    page = "<!-- speed-ups of results/cpu-2c/sst2-minilm for reported.yaml -->\nold\n<!-- end of table -->\n"
    lines = filled(page, tmp_path).splitlines()
    assert lines[1] == "| workload | openvino-int8: 2–3 × |"
    assert lines[3].startswith("| b1-s128 | 3.5")
    assert lines[3].endswith("beaten |")
