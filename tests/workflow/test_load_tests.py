"""LoadGen's traffic through a package's own server, by the real rule: beside the same traffic on the runner."""

import json

import pytest

from temper.report.other_tables import other_tables

pytestmark = pytest.mark.long

ROW = {
    "backend": "ort-cpu",
    "loads": "onnx/int8",
    "workload": "b1-real",
    "scenario": "offline",
    "min_queries": 50,
    "min_duration_s": 0.5,
    "latency_bound_ms": None,
    "latency_percentile": None,
    "timeout_s": 120.0,
}
RECORDS = ["artifacts/load_tests/bare.json", "artifacts/load_tests/http.json"]


def test_what_serving_costs_stands_beside_the_runner(study):
    pytest.importorskip("mlperf_loadgen", reason="MLPerf LoadGen is not installed (mlcommons-loadgen)")
    study.set(
        **{"workloads__b1-real": {"batch_size": 1, "real_lengths": "arrival"}},
        load_tests={"bare": ROW, "http": {**ROW, "through": "http"}},
    )
    study.snakemake(*RECORDS)
    served = json.loads((study / RECORDS[1]).read_text())["result"]["served"]
    assert (served["samples"], served["labels_differing"]) == (60, 0)
    tables = dict(other_tables(study.folder))  # as `temper table` prints them below a report, which is not made here
    assert any("offline through http" in line for line in tables["MLPerf LoadGen"])
    header, line = tables["what serving costs"]
    assert line[:2] == ["http", "bare"]
    assert any(" %" in cell for cell in line), (header, line)
    assert "Nothing to be done" in study.snakemake(*RECORDS, "--dry-run")
    assert study.scratch() == []


def test_what_cannot_go_through_a_server_is_refused_before_anything_runs(study):
    study.set(load_tests={"http": {**ROW, "workload": "b2-s16", "through": "http"}})
    assert "name one of batch_size 1 with real_lengths" in study.refused()
