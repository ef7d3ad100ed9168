"""Experiments: queued, compared, plotted; a calibration study; another version of a library."""

import json
import re
import time

import pytest
import yaml

from temper.engines.tensorrt_rtx import LIBRARY
from temper.environment.library import folder_of
from temper.report.filed import read_filed_study
from temper.report.json_text import exact_json
from temper.report.packed import Packed
from tests.workflow.repository import dvc_jobs
from tests.workflow.test_exactness import JUDGED, REPORT

OLD, NEW = "1.5.0.114", "1.6.1.120"
QUEUED = {
    "two-threads": ("backends.openvino-cpu.options.threads=2", ["measure openvino-int8", *JUDGED]),
    "wide-budget": ("analysis.accuracy_budget_points=0.9", REPORT),
}
UPGRADED = ["build_engine fp32", "build_engine int8", "measure rtx-int8", *JUDGED]
# the documented one (docs/how-to/compare-calibrations.md)
SHOW = ["exp", "show", "--only-changed", "--md", "--drop", r"^jobs\.|artifacts/"]


@pytest.mark.long  # an experiment's jobs, and going back, are test_dvc.py's with every change
def test_a_queue_runs_one_experiment_after_the_other_with_the_minimal_jobs(repository):
    for name, (setting, _) in QUEUED.items():
        repository.dvc("exp", "run", "--queue", "--name", name, "-S", setting)
    repository.dvc("queue", "start", "--jobs", "1")
    deadline = time.monotonic() + 240
    while (
        not re.search(r"two-threads .*Success", status := repository.dvc("queue", "status"))
        or "wide-budget" not in status
        or "Running" in status
        or "Queued" in status
    ):
        assert time.monotonic() < deadline, status
        assert "Failed" not in status
        time.sleep(1)
    for name, (_, jobs) in QUEUED.items():
        assert dvc_jobs(repository.dvc("queue", "logs", name)) == jobs
    shown = repository.dvc(*SHOW)
    assert "two-threads" in shown
    assert "backends.openvino-cpu.options.threads" in shown
    assert "calibrate.main" not in shown
    assert len(shown.splitlines()[0].split("|")) - 2 <= 20  # columns
    lines = [line.strip("| ").split(" | ") for line in repository.temper_says("experiments").splitlines()]
    assert ["two-threads", "backends.openvino-cpu.options.threads: 2"] in [line[:2] for line in lines]
    assert len(lines[0]) == 9


@pytest.mark.long  # an experiment and its jobs are test_dvc.py's, table and page those of tests/unit/comparison/
@pytest.mark.parametrize(
    "methods", [("minmax",), pytest.param(("minmax", "nncf"), marks=pytest.mark.long)], ids="-".join
)
def test_a_calibration_study_ends_in_a_table_and_a_plot_that_opens_offline(repository, methods):
    done = repository.run("temper", "calibration-study", "--methods", *methods, "--samples", "8")
    jobs = 8 * len(methods)
    assert f"{len(methods)} experiments, {jobs} jobs in " in done
    assert f"full reruns: {17 * len(methods)} jobs" in done
    folder = repository / "artifacts/comparison"
    content = json.loads((folder / "comparison.json").read_text())
    assert content["cost"]["jobs_run"] == jobs
    names = [f"main-{method}-8" for method in methods]
    assert list(content["cost"]["calibrate_s"]) == names
    rows = content["rows"]
    assert {"ort-int8", "openvino-int8"} <= {row["candidate"] for row in rows}  # rtx-int8 where there is a GPU
    assert {row["experiment"] for row in rows} == set(names)
    pairs = content["accuracy_pairs"]
    assert len(pairs) == len(rows) * (len(rows) - 1) / 2
    assert all(pair["low_points"] <= pair["difference_points"] <= pair["high_points"] for pair in pairs)
    page = (folder / "comparison.html").read_text()
    assert re.findall(r"""<(?:script|link|img)[^>]+(?:src|href)=["']?https?:""", page) == []
    assert names[-1] in page
    repository.commit("another commit: it has no experiments")
    named = repository.run("temper", "compare", names[0], "workspace")
    assert f"| {names[0]} | minmax | 8 | ort-int8 |" in named
    assert "main-nncf-8" not in named
    candidates = repository.run("temper", "compare")
    assert candidates.startswith("# Candidates of tiny")
    assert "| torch-fp32 − ort-fp32 |" in candidates
    assert f"those of earlier ones can be named: {names[0]} (of " in candidates


def test_an_unknown_experiment_is_an_error_and_identical_ones_share_a_row(repository):
    done = repository.attempt("temper", "compare", "nothing-like-that")
    assert done.returncode == 1
    assert "no experiment and no commit of this checkout is called nothing-like-that" in done.stderr
    assert "Traceback" not in done.stderr
    same = repository.run("temper", "compare", "workspace", "HEAD")
    assert same.startswith("# Candidates of tiny")  # one state under two names


@pytest.mark.skipif(
    not folder_of(LIBRARY, OLD).is_dir(), reason=f"TensorRT-RTX {OLD} is not in libraries/ (make library)"
)
def test_another_version_of_tensorrt_rtx_reruns_the_engines_and_going_back_costs_nothing(repository):
    planned = repository.temper_says("upgrade", "tensorrt_rtx", OLD, "--plan")
    assert planned.startswith("5 jobs would run:")
    assert f"build_engine fp32: TensorRT-RTX {NEW} → {OLD}" in planned
    before = (repository / "params.yaml").read_text()
    assert NEW in before
    done = repository.temper_says("upgrade", "tensorrt_rtx", OLD)
    assert dvc_jobs(done) == UPGRADED
    assert f"| fp32 | {NEW} → {OLD} |" in done
    content = json.loads((repository / "artifacts/comparison/upgrade.json").read_text())
    assert {engine["engine"] for engine in content["engines"]} == {"fp32", "int8"}
    assert all(sum(side.values()) > 10 for engine in content["engines"] for side in engine["layers_by_precision"])
    made = json.loads((repository / "artifacts/engines/int8/engine.json").read_text())
    assert made["library_version"] == OLD
    assert dvc_jobs(repository.temper_says("upgrade", "tensorrt_rtx", NEW)) == []
    assert json.loads((repository / "artifacts/engines/int8/engine.json").read_text())["library_version"] == NEW
    after = yaml.safe_load((repository / "params.yaml").read_text())
    assert after == yaml.safe_load(before)


def test_a_version_that_is_not_there_changes_nothing(repository):
    before = (repository / "params.yaml").read_text()
    done = repository.attempt("temper", "upgrade", "tensorrt_rtx", "9.9.9")
    assert done.returncode == 1
    assert "make library PACKAGE=tensorrt-rtx-cu13 VERSION=9.9.9" in done.stderr
    assert (repository / "params.yaml").read_text() == before


def test_records_are_filed_by_machine_and_only_finished_ones(repository):
    assert repository.temper_says("results", "--machine", "a-machine") == "filed: results/a-machine/tiny\n"
    filed = repository / "results/a-machine/tiny"
    packed = Packed(filed)
    measured = {path.stem: path for path in (repository / "artifacts/measurements").glob("*.json")}
    assert packed.documents("records.json").keys() == measured.keys()
    for name, path in measured.items():
        assert exact_json(packed.document("records.json", name)) == path.read_text()
    assert "measure/ort-int8" in packed.documents("jobs.json")
    assert "engines/int8/engine.json" in packed.documents("manifests.json")
    assert (filed / "buckets/main.json").is_file()
    assert not (filed / "report").exists()
    assert json.loads((filed / "calibration_seconds.json").read_text()).keys() == {"main"}
    assert [path for path in filed.rglob("*") if path.suffix in (".onnx", ".engine", ".safetensors", ".parquet")] == []
    record = repository / "artifacts/measurements/ort-int8.json"
    record.write_text(record.read_text().replace('"accuracy": 0.', '"accuracy": 0.9', 1))
    done = repository.attempt("temper", "results", "--machine", "a-machine")
    assert done.returncode == 1
    assert "artifacts/measurements/ort-int8.json is not the file its job wrote" in done.stderr


def test_what_was_measured_of_an_unfinished_study_is_filed_with_the_reasons_for_the_rest(repository):
    (repository / "artifacts/measurements/ort-int8.json").unlink()
    command = ("results", "--machine", "b-machine")
    refused = repository.attempt("temper", *command)
    assert refused.returncode == 1
    assert "--partial files the candidates that were measured" in refused.stderr
    assert repository.temper_says(*command, "--partial").endswith("filed: results/b-machine/tiny\n")
    filed = repository / "results/b-machine/tiny"
    params, whole = (yaml.safe_load((folder / "params.yaml").read_text()) for folder in (filed, repository))
    assert params["candidates"].keys() == whole["candidates"].keys() - {"ort-int8"}
    reasons = json.loads((filed / "left_out.json").read_text())
    assert reasons == {"measure ort-int8": "artifacts/measurements/ort-int8.json is not there"}
    packed = Packed(filed)
    assert packed.documents("jobs.json").keys() & {"measure/ort-int8", "report"} == set()
    assert packed.documents("records.json").keys() == params["candidates"].keys()
    assert len(read_filed_study(filed).records) == len(params["candidates"])
    record = repository / "artifacts/measurements/openvino-int8.json"
    measured = record.read_text()
    record.write_text(measured.replace('"accuracy": 0.', '"accuracy": 0.9', 1))
    altered = repository.attempt("temper", *command, "--partial")  # it was measured, and is not to be passed over
    assert altered.returncode == 1
    assert "openvino-int8.json is not the file its job wrote" in altered.stderr
    record.write_text(measured)
    (repository / "artifacts/measurements/ort-fp32.json").unlink()
    without_baseline = repository.attempt("temper", *command, "--partial")
    assert without_baseline.returncode == 1
    assert "measure ort-fp32: artifacts/measurements/ort-fp32.json is not there" in without_baseline.stderr
