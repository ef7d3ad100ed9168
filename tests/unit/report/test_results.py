import json
from pathlib import Path

import pytest
import yaml

from temper.artifacts.manifest import canonical_json
from temper.errors import ConfigError
from temper.orchestration.states import State
from temper.report.json_text import exact_json
from temper.report.packed import JOBS, LISTS, MANIFESTS, RECORDS, REMEASUREMENTS, Packed
from temper.report.results import _check_name, filed_content

MADE = {
    "artifacts/measurements/a.json": {"latencies_ms": [0.1 + 0.2] * 50},
    "artifacts/measurements/b.json": {"latencies_ms": [1.5]},
    "artifacts/jobs/measure/a.json": {"outputs": {}},
    "artifacts/jobs/measure/b.json": {"outputs": {}},
    "artifacts/jobs/report.json": {"outputs": {}},
    "artifacts/onnx/fp32/onnx.json": {"files": {}},
    "artifacts/calibration/main/cache.json": {"ranges": {str(number): [0.0, number] for number in range(50)}},
    "artifacts/remeasurements.json": {"cells": {}},
    "artifacts/searches/main/search.json": {"trials": []},
    "data/prepared/data_card.json": {"rows": 3},
    "search.json": {"trials": {}},
    "artifacts/report/summary.json": {"computed": True},
    "artifacts/onnx/fp32/signature.json": {"not": "kept"},
}


@pytest.fixture
def study(tmp_path, monkeypatch):
    """A study's folder as its jobs left it."""
    for name, content in MADE.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(canonical_json(content))
    (tmp_path / "params.yaml").write_text("candidates: # rows\n  a: {}\n  b: {}\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def packed(content, folder):
    folder.mkdir()
    for name, text in content.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(text)
    return Packed(folder)


def test_what_is_kept_comes_back_byte_for_byte_and_a_report_is_not_kept(study):
    content = filed_content({}, [])
    names = {"params.yaml", "data_card.json", "searches/main/search.json", "search.json"}
    assert content.keys() == names | {RECORDS, JOBS, MANIFESTS, REMEASUREMENTS, LISTS}
    found = packed(content, study / "filed")
    for file, name, made in (
        (RECORDS, "a", "measurements/a.json"),
        (JOBS, "measure/a", "jobs/measure/a.json"),
        (MANIFESTS, "calibration/main/cache.json", "calibration/main/cache.json"),
        (REMEASUREMENTS, "remeasurements", "remeasurements.json"),
    ):
        assert exact_json(found.document(file, name)) == (study / "artifacts" / made).read_text()
    assert found.documents(MANIFESTS).keys() == {"onnx/fp32/onnx.json", "calibration/main/cache.json"}


def test_of_a_part_what_was_not_measured_is_left_out_with_the_reason(study):
    stale = ["measurements/b.json", "jobs/measure/b.json", "jobs/report.json", "remeasurements.json"]
    state = State("missing", "it is not there")
    content = filed_content({("measure", "b"): state}, [Path("artifacts", name) for name in stale])
    assert json.loads(content["left_out.json"]) == {"measure b": "it is not there"}
    assert yaml.safe_load(content["params.yaml"]) == {"candidates": {"a": {}}}
    assert b"# rows" in content["params.yaml"]
    found = packed(content, study / "filed")
    assert found.documents(RECORDS).keys() == {"a"}
    assert found.documents(JOBS).keys() == {"measure/a"}
    assert REMEASUREMENTS not in content


def test_a_copied_study_does_not_file_its_records_under_the_others_name(tmp_path, monkeypatch):
    (tmp_path / "Snakefile").touch()
    (tmp_path / "src/temper").mkdir(parents=True)
    mine = tmp_path / "studies/mine"
    mine.mkdir(parents=True)
    monkeypatch.chdir(mine)
    _check_name("mine")
    with pytest.raises(ConfigError) as caught:
        _check_name("digits-resnet")
    assert "study: digits-resnet" in caught.value.happened
    assert caught.value.fix.startswith("set study: mine")
    monkeypatch.chdir(tmp_path)  # elsewhere a folder may be called anything
    _check_name("digits-resnet")


def test_what_is_filed_names_no_node():
    from temper.report.results import _without_node

    record = {"rule": "measure", "made_on": {"node": "login-1.example.org", "cpu": "AMD EPYC"}}
    assert _without_node(record) == {"rule": "measure", "made_on": {"cpu": "AMD EPYC"}}
    assert _without_node({"rule": "measure"}) == {"rule": "measure"}
