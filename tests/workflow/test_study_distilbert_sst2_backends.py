"""DistilBERT on several backends without a hub, cut down: its records, its table and its observations."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from temper.environment.devices import nvidia_gpus
from temper.study.resolve import load_resolved
from tests.workflow.conftest import ROOT, StudyFolder, happened
from tests.workflow.cut_down import check_records, run_variants

GPU, CPU = "distilbert-sst2-backends-offline-gpu", "distilbert-sst2-backends-offline"
OBSERVATIONS = "artifacts/report/engineering_observations.md"


@pytest.fixture(scope="module")
def variants(code: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, StudyFolder]]:
    # its observations compare with the study's own baseline
    with run_variants(CPU, GPU, code=code, new_folder=tmp_path_factory.mktemp, own_baseline=True) as studies:
        yield studies


@pytest.fixture(scope="module", params=[CPU, GPU])
def run(request: pytest.FixtureRequest, variants: dict[str, StudyFolder]) -> StudyFolder:
    """A variant, run once with tiny sizes. Read it only."""
    return variants[request.param]


def lines(study: StudyFolder) -> dict[str, list[str]]:
    """Lines of the observations by their heading."""
    page = (study / OBSERVATIONS).read_text()
    found = {}
    for part in page.split("\n## ")[1:]:
        title, _, body = part.partition("\n")
        found[title] = [line for line in body.splitlines() if line]
    return found


@pytest.mark.long
def test_every_row_has_a_record_and_what_needs_a_gpu_says_so(run):
    check_records(run)


@pytest.mark.long
def test_every_observation_names_records_that_are_there(run):
    named = [re.search(r"\*Records: (.+)\.\*$", line) for own in lines(run).values() for line in own]
    assert named
    assert all(named)
    for found in named:
        for candidate in found[1].split(", "):
            assert (run / f"artifacts/measurements/{candidate}.json").is_file(), candidate


@pytest.mark.long
def test_the_observations_say_what_the_records_say(run):
    if nvidia_gpus():
        pytest.skip("with a GPU other rows are measured")
    found = lines(run)
    missing = next(line for line in found["Not measured"] if "no NVIDIA GPU" in line and "ort-rtx-fp16" in line)
    assert "ort-cuda-fp32, ort-rtx-fp16, ort-rtx-int8: no NVIDIA GPU" in missing
    if "ort-fp32" not in (run / "artifacts/report/summary.csv").read_text():  # the GPU's variant: no baseline, no ratio
        assert "The fastest" not in found
        assert any("the ratio of torch-int8 at b1-s128" in line for line in found["Not measured"])
        return
    content = json.loads((run / "artifacts/report/summary.json").read_text())["candidates"]
    for line in found["The fastest"]:
        workload, fastest = re.match(r"- (\S+): (\S+) is the fastest of 3", line).groups()
        ratios = {
            name: own["workloads"][workload]["latency_ratio"]
            for name, own in content.items()
            if own["workloads"].get(workload, {}).get("latency_ratio") is not None and name != "harness"
        }
        assert fastest == min(ratios, key=ratios.get)
    assert [line.split(":")[0] for line in found["The fastest"]] == [
        "- b1-s128",
        "- b4-s128",
        "- b8-s128",
        "- b16-s128",
    ]
    # in the test's short time a slow machine may not end a call, and then a candidate has no line
    assert {line.split()[1] for line in found.get("Where throughput stops growing", [])} <= {
        "torch-fp32",
        "torch-int8",
        "ort-fp32",
    }
    (lower,) = found["A lower precision, the same runtime"]
    assert lower.startswith("- torch-int8 (INT8) takes, of the latency of torch-fp32 (FP32): b1-s128 ")
    assert re.search(r"executed at b1-s128 were .*\d+ INT8", lower, re.IGNORECASE)
    (runtime,) = found["Another runtime, the same precision"]
    assert runtime.startswith("- ort-fp32, in FP32 as torch-fp32, takes of its latency: b1-s128 ")


@pytest.mark.long
def test_a_record_that_was_altered_changes_no_observation_in_silence(run, tmp_path):
    """The rule refuses it; what the rules make of a changed record is in tests/unit/report/observe/test_observations.py."""
    folder = tmp_path / "study"
    shutil.copytree(run.folder, folder, symlinks=True)
    study = StudyFolder(folder, run.code)
    before = (study / OBSERVATIONS).read_text()
    record = study / "artifacts/measurements/torch-int8.json"
    content = json.loads(record.read_text())
    broken = {"status": "not measured", "reason": "broken by hand"}
    content["workloads"] = {name: broken for name in content["workloads"]}
    record.write_text(json.dumps(content))
    assert "is not the record that was measured" in happened(
        study.refused("--force", "--allowed-rules", "report", "--", "report")
    )
    assert not (study / OBSERVATIONS).exists() or (study / OBSERVATIONS).read_text() == before
    shutil.rmtree(folder)


def test_the_variants_have_the_same_workloads_and_rows():
    hub, gpu, cpu = (
        load_resolved(ROOT / f"studies/{name}/params.yaml") for name in ("distilbert-sst2-backends", GPU, CPU)
    )
    same = (
        "exports",
        "precisions",
        "calibrated_precisions",
        "backends",
        "workloads",
        "candidates",
        "measurement",
        "baseline",
    )
    assert {key: hub[key] for key in same} == {key: gpu[key] for key in same}
    assert hub["workloads"] == cpu["workloads"]
    assert set(cpu["candidates"]) == set(gpu["candidates"]) | {"ort-fp32"}
