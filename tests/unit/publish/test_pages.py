"""Tables in the documentation come from committed records."""

import json
import re
from pathlib import Path

import pytest

from temper.cli import main
from temper.errors import ArtifactError, ConfigError
from temper.publish.pages import figures
from tests.unit.publish.committed import ROOT, filled


@pytest.mark.parametrize("name", ["README.md", "docs/first-study.md"])
def test_what_a_run_printed_is_what_the_committed_records_say(name):
    page = (ROOT / name).read_text(encoding="utf-8")
    assert "<!-- terminal of " in page
    assert filled(page, ROOT) == page, f"run `temper pages {name}`"


def test_the_first_screen_is_short_and_every_link_of_it_leads_somewhere():
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(page.splitlines()) <= 120
    links = re.findall(r"\]\(([^)]+)\)", page)
    assert len(links) > 10
    assert [link for link in links if not (ROOT / link).exists()] == []


@pytest.mark.parametrize(
    "name",
    [
        "docs/measured.md",
        "docs/calibration-study.md",
        "docs/quantising.md",
        "docs/results.md",
        "docs/serving.md",
        "docs/how-to/deploy.md",
        "docs/how-to/optimize.md",
    ],
)
def test_a_pages_tables_are_those_of_the_committed_records(name):
    page = (ROOT / name).read_text(encoding="utf-8")
    tables = "table|short table|calibration study|calibrations|real lengths|peers|served|searched"
    assert re.findall(rf"<!-- (?:{tables}) of (\S+)(?: for [^>]+?)? -->", page)
    assert filled(page, ROOT) == page, f"run `temper pages {name}`"


def test_a_marked_table_is_replaced_and_the_rest_of_the_page_stays():
    page = "before\n<!-- table of results/h100-80gb/embedded -->\nold\n<!-- end of table -->\nafter\n"
    written = filled(page, ROOT)
    assert "old" not in written
    assert written.startswith("before\n<!-- table of results/h100-80gb/embedded -->\n| candidate |")
    assert written.endswith("<!-- end of table -->\nafter\n")


def test_a_mark_may_name_the_workloads_that_are_shown():
    page = "<!-- table of results/cpu-2c/sst2-minilm for b12-s64 -->\n<!-- end of table -->\n"
    header = filled(page, ROOT).splitlines()[1]
    assert "b12-s64 ×" in header
    assert "b1-s128" not in header


def test_load_tests_have_a_table_of_their_own():
    page = "<!-- load tests of results/cpu-2c/sst2-minilm -->\n<!-- end of table -->\n"
    written = filled(page, ROOT)
    assert "| openvino-int8-server | server | b1-s128 | VALID (p95 ≤ 100 ms) |" in written
    assert written.count("VALID") == 6


def test_a_plot_is_an_image_with_its_mark_on_the_line_before():
    mark = "<!-- layers plot of results/x/searches/main -->\n![Each layer](figures/layers.svg)\n"
    assert figures(f"a\n{mark}b\n![no mark](other.svg)\n") == [
        ("layers", Path("results/x/searches/main"), "figures/layers.svg")
    ]


def test_a_trade_off_is_drawn_for_light_pages_and_for_dark_ones():
    mark = "<!-- trade-off plot of results/x/y for b1 -->\n"
    picture = '<picture>\n<source media="a" srcset="d.svg">\n<img alt="b" src="l.svg">\n</picture>\n'
    folder = Path("results/x/y")
    assert figures(mark + picture) == [
        ("trade-off for b1", folder, "l.svg"),
        ("trade-off for b1, dark", folder, "d.svg"),
    ]


def test_agreement_of_one_file_on_its_runtimes_has_a_table_of_its_own():
    written = filled(
        "<!-- agreement of results/cpu-2c/sst2-minilm-full -->\nold\n<!-- end of table -->\n", ROOT
    ).splitlines()
    assert written[1].startswith("| ONNX file | runtimes | rows | labels that differ |")
    assert any(line.startswith("| int8 | ort-int8 and openvino-int8 | 2,693 |") for line in written)


def test_a_table_of_labels_has_no_latencies():
    written = filled("<!-- labels of results/cpu-2c/languages -->\n<!-- end of table -->\n", ROOT).splitlines()
    assert (
        written[1]
        == "| candidate | artifact | executed products | accuracy % | difference, points | flips | accuracy |"
    )
    assert any(line.startswith("| ort-int8 | onnx/int8 | 20 INT8, 14 FP32 | 90.66 |") for line in written)


def test_real_lengths_have_a_table_by_workload():
    written = filled("<!-- real lengths of results/cpu-2c/sst2-minilm -->\n<!-- end of table -->\n", ROOT).splitlines()
    assert written[1].startswith("| candidate | artifact | workload | sentences/s, one by one |")
    assert [line.split(" | ")[2] for line in written[3:-1]] == ["b12-arrival"] * 4 + ["b12-bucketed"] * 4


@pytest.mark.parametrize(
    ("mark", "happened"),
    [
        ("buckets of results/cpu-2c/sst2-minilm", "its records have nothing of it"),
        ("load tests of results/none/none", "results/none/none is no folder"),
        ("calibration study of results/cpu-2c/digits-resnet", "comparison.json does not exist"),
        ("peers of results/cpu-2c/sst2-minilm", "the mark names no peers"),
        ("first rows of results/cpu-2c/sst2-minilm for abc torch-fp32", "the mark says 'for abc torch-fp32'"),
        ("first rows of results/cpu-2c/sst2-minilm for 0 torch-fp32", "the mark says 'for 0 torch-fp32'"),
        ("first rows of results/cpu-2c/sst2-minilm", "the mark says 'for '"),
    ],
)
def test_a_table_that_would_be_empty_is_an_error(mark, happened):
    with pytest.raises((ArtifactError, ConfigError)) as caught:
        filled(f"<!-- {mark} -->\nold\n<!-- end of table -->\n", ROOT)
    assert caught.value.happened.endswith(happened)
    assert caught.value.affected in ("the page; it was not changed", "what would be said of it; nothing was written")


def test_pages_may_be_named_from_any_folder_of_the_checkout(tmp_path, capsys, monkeypatch):
    page = tmp_path / "page.md"
    page.write_text("<!-- load tests of results/h200-141gb/sst2-minilm-gpu -->\nold\n<!-- end of table -->\n")
    monkeypatch.chdir(ROOT / "docs")
    assert main(["pages", str(page)]) == 0
    assert "rtx-lengths-fp16-server" in page.read_text()


def test_sizes_memory_and_throughput_have_a_table_of_their_own():
    page = "<!-- resources of results/h100-80gb/embedded -->\nold\n<!-- end of table -->\n"
    lines = filled(page, ROOT).splitlines()
    assert lines[1].startswith("| candidate | artifact | size MiB | GPU peak MiB | host peak MiB | b1-s32 samples/s |")
    cells = {line.split(" | ")[0].strip("| "): line.strip("| ").split(" | ") for line in lines[3:-1]}
    assert len(cells) == 13
    assert cells["rtx-fp32"][3] != "–"  # taken on a GPU
    assert cells["ort-fp32"][3] == "–"
    record = json.loads((ROOT / "results/h100-80gb/embedded/records.json").read_text())["rtx-fp32"]
    assert cells["rtx-fp32"][2] == f"{record['artifact']['size_bytes'] / 2**20:,.1f}"
    assert cells["rtx-fp32"][3] == f"{record['memory']['gpu_peak_mib']:,.0f}"
    assert all(float(own[-1].replace(",", "")) > 0 for own in cells.values())


MARK = re.compile(r"<!-- [a-z -]+ of (results/\S+)(?: for [^>]+?)? -->\n(.*?)<!-- end of table -->", re.DOTALL)


@pytest.mark.parametrize(
    "page", sorted(ROOT.glob("studies/*/*.md")), ids=lambda page: str(page.relative_to(ROOT / "studies"))
)
def test_a_studys_page_holds_figures_of_committed_records_or_says_that_there_are_none(page):
    text = page.read_text(encoding="utf-8")
    marks = MARK.findall(text)
    filed = [(ROOT / folder).is_dir() for folder, _ in marks]
    assert [
        body for (_, body), there in zip(marks, filed, strict=True) if not there and body != "not measured yet\n"
    ] == []
    if all(filed):
        assert filled(text, ROOT) == text, f"run `temper pages {page.relative_to(ROOT)}`"


def test_observations_and_a_table_for_each_workload_stand_behind_marks_too():
    page = "".join(
        f"<!-- {what} of results/cpu-2c/sst2-minilm -->\n<!-- end of table -->\n"
        for what in ("summary", "observations")
    )
    written = filled(page, ROOT)
    assert "**b12-s64: batch 12, 64 tokens**\n\n| candidate | executed products |" in written
    assert "**The fastest**\n\n- b1-s128: openvino-int8 is the fastest of " in written
    assert filled(written, ROOT) == written


def test_a_workload_that_the_records_lack_is_an_error_and_no_table_without_columns():
    page = "<!-- table of results/cpu-2c/sst2-minilm for b9-s9 -->\n<!-- end of table -->\n"
    with pytest.raises(ArtifactError, match=r"for b9-s9\n  happened: its records have the workloads b1-s128, "):
        filled(page, ROOT)


@pytest.mark.parametrize(
    ("page", "happened"),
    [
        ("a\n<!-- table of results/cpu-2c/embedded -->\nold\n", "the mark in line 2 has no "),
        (
            "<!-- table of x -->\n<!-- table of y -->\n<!-- end of table -->\n",
            "the mark in line 1 has no ",
        ),
        ("<!-- tabel of x -->\n<!-- end of table -->\n", "line 2 ends a table, and there is no mark before it"),
    ],
)
def test_a_mark_without_an_end_and_an_end_without_a_mark_are_errors(page, happened):
    with pytest.raises(ConfigError) as caught:
        filled(page, ROOT)
    assert caught.value.happened.startswith(happened)


def test_a_page_that_is_not_there_is_an_error_in_words(tmp_path, capsys):
    assert main(["pages", str(tmp_path / "none.md")]) == 1
    assert "happened: FileNotFoundError: No such file or directory" in capsys.readouterr().err


def test_a_page_that_cannot_be_written_does_not_keep_the_others_from_it(tmp_path, capsys):
    unfiled, plain = tmp_path / "unfiled.md", tmp_path / "plain.md"
    unfiled.write_text("<!-- table of results/none/none -->\nnot measured yet\n<!-- end of table -->\n")
    plain.write_text("nothing to write\n")
    assert main(["pages", str(unfiled), str(plain)]) == 1
    said = capsys.readouterr()
    assert f"{unfiled}: ArtifactError:" in said.err
    assert said.out == f"{plain}: up to date\n"
    assert "not measured yet" in unfiled.read_text()


def test_what_a_run_prints_stands_behind_a_mark_as_a_block_of_text():
    page = filled("<!-- terminal of results/cpu-2c/embedded -->\nold\n<!-- end of table -->\n", ROOT)
    lines = page.splitlines()
    assert lines[1] == "```text"
    assert lines[2].startswith("b1-s32: ")
    assert any(line.startswith("the rest: artifacts/report/summary.md") for line in lines)
    assert lines[-2:] == ["```", "<!-- end of table -->"]
    assert max(map(len, lines[2:-2])) <= 80
