import json

import pytest
import yaml

from temper.cli import main
from temper.errors import ArtifactError
from temper.report import terminal
from temper.report.filed import read_filed_study
from temper.report.packed import RECORDS, REMEASUREMENTS
from tests.filed import file_study
from tests.records import following, record


def test_records_stand_in_the_order_of_the_candidates_and_are_held_against_the_baseline(tmp_path):
    file_study(tmp_path / "x", [record("b", predictions=[0, 1, 1, 0]), record("a", predictions=[0, 1, 0, 0])])
    study = read_filed_study(tmp_path / "x")
    assert [each.candidate for each in study.records] == ["b", "a"]
    assert study.compared.baseline == study.baseline == "b"
    assert study.compared.candidates["a"].paired.difference_points == -25.0


def test_a_folder_without_records_is_an_error(tmp_path):
    with pytest.raises(ArtifactError) as caught:
        read_filed_study(tmp_path)
    assert "params.yaml" in caught.value.happened
    (tmp_path / "params.yaml").write_text(yaml.safe_dump({"candidates": {"a": {}}}))
    with pytest.raises(ArtifactError, match="it has no 'a'"):
        read_filed_study(tmp_path)


def altered(folder):
    """Its record of 'b' with another figure."""
    content = json.loads((folder / RECORDS).read_text())
    next(iter(content["b"]["workloads"].values()))["latency_mean_ms"] = 0.5
    (folder / RECORDS).write_text(json.dumps(content))


def test_a_record_that_was_altered_after_it_was_measured_is_refused(tmp_path):
    for name, jobs in (("new", True), ("old", False)):
        file_study(tmp_path / name, [record("a"), record("b")], jobs=jobs)
        altered(tmp_path / name)
    with pytest.raises(ArtifactError, match=r"read b in .*\n.*it was altered after it was measured") as caught:
        read_filed_study(tmp_path / "new")
    assert caught.value.fix.startswith("git checkout -- ")
    with pytest.raises(ArtifactError, match=r"latency_mean_ms is 0\.5, and its raw values give 11"):
        read_filed_study(tmp_path / "old")  # a folder from before jobs were filed


def test_a_record_of_another_version_is_refused(tmp_path):
    file_study(tmp_path / "x", [record("a")], jobs=False)
    content = json.loads((tmp_path / "x" / RECORDS).read_text())
    (tmp_path / "x" / RECORDS).write_text(json.dumps({"a": {**content["a"], "schema_version": 1}}))
    with pytest.raises(ArtifactError, match="not a record of schema version 2"):
        read_filed_study(tmp_path / "x")


def test_cells_that_were_taken_again_stand_in_the_place_of_the_first(tmp_path):
    again = following([9.0, 9.5])
    cells = {"b": {"b1": {"why": "the machine was busy", "workload": again.model_dump(mode="json")}}}
    taken = {"schema_version": 1, "study": "x", "latency_margin": 0.05, "cells": cells, "source_digest": "s"}
    file_study(tmp_path / "x", [record("a"), record("b")], remeasurements=taken)
    first, second = read_filed_study(tmp_path / "x").records
    assert second.workloads["b1"] == again
    assert first.workloads["b1"] != again
    text = (tmp_path / "x" / REMEASUREMENTS).read_text()
    (tmp_path / "x" / REMEASUREMENTS).write_text(text.replace("9.0", "8.0", 1))
    with pytest.raises(ArtifactError, match="it was altered after it was measured"):
        read_filed_study(tmp_path / "x")


def test_the_report_of_a_filed_study_is_computed_and_printed(tmp_path, capsys):
    file_study(tmp_path / "x", [record("a"), record("b")])
    assert main(["table", "--filed", str(tmp_path / "x")]) == 0
    shown = capsys.readouterr().out
    assert "| candidate |" in shown
    assert all(f"| {name} |" in shown for name in "ab")
    assert main(["table", "--filed", str(tmp_path)]) == 1
    assert "name a folder of filed records" in capsys.readouterr().err


def test_on_a_terminal_it_is_as_wide_as_that(tmp_path, monkeypatch, capsys):
    file_study(tmp_path / "x", [record("a"), record("b")])
    monkeypatch.setattr(terminal, "columns_here", lambda: 70)
    assert main(["table", "--filed", str(tmp_path / "x")]) == 0
    shown = capsys.readouterr().out
    assert "|" not in shown
    *lines, last = shown.splitlines()
    assert max(map(len, lines)) <= 70
    assert last.endswith(f"as a page: temper report --filed {tmp_path / 'x'}")  # a command is not broken


def test_a_manifest_is_read_by_its_place(tmp_path):
    file_study(tmp_path / "x", [record("a")], manifests={"calibration/main/cache.json": {"kind": "calibration"}})
    assert read_filed_study(tmp_path / "x").manifest("calibration/main/cache.json") == {"kind": "calibration"}
