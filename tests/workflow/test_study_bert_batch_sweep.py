"""The batch sweep of a BERT without a hub, cut down: its rows, what simplifying did, and what its write-up reported."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from temper.artifacts.onnx_file import load
from temper.study.resolve import load_resolved
from tests.workflow.conftest import ROOT, StudyFolder
from tests.workflow.cut_down import check_records, run_variants

GPU, CPU = "bert-batch-sweep-offline-gpu", "bert-batch-sweep-offline"


@pytest.fixture(scope="module")
def variants(code: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, StudyFolder]]:
    with run_variants(CPU, GPU, code=code, new_folder=tmp_path_factory.mktemp) as studies:
        yield studies


@pytest.fixture(scope="module", params=[CPU, GPU])
def run(request: pytest.FixtureRequest, variants: dict[str, StudyFolder]) -> StudyFolder:
    """A variant, run once with tiny sizes. Read it only."""
    return variants[request.param]


@pytest.mark.long
def test_every_row_has_a_record_and_what_needs_a_gpu_says_so(run):
    check_records(run)


@pytest.mark.long
def test_simplifying_takes_nodes_out_and_a_candidate_beside_it_shows_what_that_is_worth(run):
    params = yaml.safe_load((run / "params.yaml").read_text())
    simplified = {name: row["onnx"] for name, row in params["precisions"].items() if row["step"] == "simplify"}
    assert simplified
    for name, before in simplified.items():
        files = [load(run / f"artifacts/onnx/{row}") for row in (name, before)]
        assert len(files[0].graph.node) < len(files[1].graph.node)
        assert "onnxslim" in json.loads((run / f"artifacts/onnx/{name}/onnx.json").read_text())["versions"]
    page = (run / "artifacts/report/engineering_observations.md").read_text()
    if "ort-fp32-simple" in params["candidates"]:
        line = next(line for line in page.splitlines() if line.startswith("- onnx/op20-simple on ort-cpu takes"))
        assert "*Records: ort-fp32-simple, ort-fp32.*" in line
        assert all(f"{workload} " in line for workload in ("b1-s128", "b2-s128", "b4-s128"))


@pytest.mark.long
def test_the_sweep_is_told_in_the_order_of_its_batches(run):
    batches = list(yaml.safe_load((run / "params.yaml").read_text())["workloads"])
    candidates = json.loads((run / "artifacts/report/summary.json").read_text())["candidates"]
    assert all(list(entry["workloads"]) == batches for entry in candidates.values())
    assert batches == sorted(batches, key=lambda name: int(name.partition("-")[0][1:]))


def test_the_variants_without_and_with_the_hub_have_the_same_rows():
    with_hub, without = (load_resolved(ROOT / f"studies/{name}/params.yaml") for name in ("bert-batch-sweep", GPU))
    same = ("exports", "precisions", "engines", "backends", "workloads", "measurement", "analysis", "baseline")
    assert {key: with_hub[key] for key in same} == {key: without[key] for key in same}
    assert list(with_hub["candidates"]) == list(without["candidates"])
