"""studies/resnet50 without a network, cut down: a folder of images by class through the real Snakefile."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx
import pytest
import yaml
from onnx import numpy_helper

from temper.environment.devices import nvidia_gpus
from temper.study.resolve import load_resolved
from temper.study.study import read_study
from tests.workflow.conftest import ROOT, StudyFolder, happened
from tests.workflow.cut_down import cut_down, light_baseline

STUDIES = ROOT / "studies"
IMAGES = "data/raw/digits"
PATIENCE_S = 600  # thirty jobs, one after the other where they measure


def params_of(name: str) -> dict[str, Any]:
    """The study's params.yaml with tiny sizes, on its own data source."""
    whole = load_resolved(STUDIES / name / "params.yaml")
    small = cut_down(whole)
    drawn = {key: small["data"][key] for key in ("validation_rows", "calibration_rows")}
    return {**small, "data": {**whole["data"], **drawn}}


def set_up(name: str, folder: Path, code: Path) -> StudyFolder:
    """The study's folder as its README.md says, with fewer and smaller images."""
    study = StudyFolder(folder / name, code)
    study.folder.mkdir()
    params = params_of(name)
    params["baseline"] = light_baseline(params)
    (study / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    script = str(STUDIES / "resnet50-offline/make_images.py")
    made = [sys.executable, script, str(study / IMAGES), "--size", "16", "--images-per-digit", "12"]
    done = subprocess.run(made, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("120 images of 16 by 16 pixels")
    return study


def run(study: StudyFolder) -> None:
    study.snakemake(patience_s=PATIENCE_S)


@pytest.fixture(scope="module")
def offline(code: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StudyFolder]:
    """studies/resnet50-offline, run once. Read it only."""
    study = set_up("resnet50-offline", tmp_path_factory.mktemp("resnet50"), code)
    run(study)
    yield study
    shutil.rmtree(study.folder.parent)


def record(study: StudyFolder, candidate: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((study / f"artifacts/measurements/{candidate}.json").read_text())
    return found


@pytest.mark.parametrize("name", ["resnet50", "resnet50-offline", "resnet50-offline-gpu"])
def test_cutting_down_keeps_the_rows(name):
    whole = read_study(load_resolved(STUDIES / name / "params.yaml"))
    assert read_study(params_of(name)).jobs == whole.jobs


@pytest.mark.long
def test_every_row_without_a_gpu_is_measured_and_the_others_say_why_not(offline):
    candidates = params_of("resnet50-offline")["candidates"]
    for name in candidates:
        workloads = record(offline, name)["workloads"]
        assert set(workloads) == {"b1", "b16"}
        for workload in workloads.values():
            if name.startswith("rtx") and not nvidia_gpus():
                assert workload["status"] == "not measured"
                assert "no NVIDIA GPU" in workload["reason"]
            else:
                assert workload["status"] == "measured"
    assert (offline / "artifacts/engines/int8-weights/model.engine").stat().st_size > 0
    assert (offline / "artifacts/engines/fp8/model.engine").stat().st_size > 0


@pytest.mark.long
def test_the_data_card_says_what_was_done_to_the_images(offline):
    card = json.loads((offline / "data/prepared/data_card.json").read_text())
    assert "120 images converted from L to RGB" in card["warnings"]
    assert card["notes"]["source"]["train"] | {"sha256": ""} == {"path": IMAGES, "images": 120, "sha256": ""}
    assert card["splits"]["test"]["rows_per_label"] == {str(digit): 6 for digit in range(10)}


@pytest.mark.long
@pytest.mark.parametrize("row", ["int8", "int8-minmax"])
def test_convolutions_are_quantised_with_a_scale_for_each_output_channel(offline, row):
    model = onnx.load(str(offline / f"artifacts/onnx/{row}/model.onnx"))
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    producers = {output: node for node in model.graph.node for output in node.output}
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    assert len(convolutions) > 5
    for node in convolutions:
        scale, weight = (stored[producers[node.input[1]].input[at]] for at in (1, 0))
        assert weight.dtype == "int8"
        assert scale.shape == weight.shape[:1]


@pytest.mark.long
def test_nothing_is_left_to_do_until_an_image_comes_or_goes(offline, tmp_path):
    copy = StudyFolder(tmp_path / "study", offline.code)
    shutil.copytree(offline.folder, copy.folder, symlinks=True)
    assert copy.planned() == []
    (copy / IMAGES / "3/0003.png").rename(copy / IMAGES / "3/more.png")
    assert "prepare_data" in copy.planned()
    shutil.rmtree(copy.folder)


def test_a_broken_image_stops_the_study_with_its_name_before_anything_is_written(code, tmp_path):
    study = set_up("resnet50-offline", tmp_path, code)
    broken = sorted((study / IMAGES / "7").iterdir())[2]
    broken.write_bytes(broken.read_bytes()[:80])
    said = happened(study.refused("data/prepared/data_card.json"))
    assert "1 of 120 images cannot be read" in said
    assert f"{IMAGES}/7/{broken.name}" in said
    assert study.scratch() == []
    assert not (study / "data/prepared/train.parquet").exists()
    shutil.rmtree(study.folder)


@pytest.mark.long
def test_the_rows_of_the_gpu_variant_are_made_up_to_the_engines(offline, tmp_path):
    study = StudyFolder(tmp_path / "study", offline.code)
    shutil.copytree(offline.folder, study.folder, symlinks=True)  # the checkpoint and the exports are the same
    (study / "params.yaml").write_text(yaml.safe_dump(params_of("resnet50-offline-gpu"), sort_keys=False))
    run(study)
    states = {
        name: {workload["status"] for workload in record(study, name)["workloads"].values()}
        for name in params_of("resnet50-offline-gpu")["candidates"]
    }
    if nvidia_gpus():
        assert set.union(*states.values()) == {"measured"}
    else:
        assert states.pop("harness") <= {"measured", "not measured"}
        assert set.union(*states.values()) == {"not measured"}
    shutil.rmtree(study.folder)
