"""The offline variants of studies/distilbert-amazon, cut down: their own rows, through the real Snakefile."""

import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from temper.environment.devices import nvidia_gpus
from temper.measurement.record import NotMeasured, Record
from temper.measurement.record_file import read_record
from temper.study.resolve import load_resolved
from tests.workflow.conftest import PATIENCE_S, ROOT, StudyFolder
from tests.workflow.cut_down import light_baseline
from tests.workflow.cut_lengths import cut_lengths

STUDIES = ROOT / "studies"
SCRIPT = STUDIES / "distilbert-amazon-offline/make_raw.py"
OFFLINE, GPU, TRAINED = (f"distilbert-amazon-offline{end}" for end in ("", "-gpu", "-trained"))


def make_raw(folder: Path, train_rows: int, test_rows: int) -> None:
    sizes = ["--train-rows", str(train_rows), "--test-rows", str(test_rows)]
    subprocess.run([sys.executable, str(SCRIPT), str(folder), *sizes], check=True, capture_output=True, timeout=60)


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Few rows, as the study's script writes them."""
    folder = tmp_path_factory.mktemp("raw")
    make_raw(folder, 120, 40)
    yield folder
    shutil.rmtree(folder)


def run(name: str, raw: Path, code: Path, folder: Path, like: Path | None = None) -> dict[str, Record]:
    """The study's own params.yaml, cut down and run, on the files of a finished variant if given; its records by candidate."""
    study = StudyFolder(folder, code)
    if like is not None:
        shutil.copytree(like, folder, symlinks=True, dirs_exist_ok=True)
        shutil.rmtree(study / "data/raw")
    params = cut_lengths(load_resolved(STUDIES / name / "params.yaml"))
    params["baseline"] = light_baseline(params)
    (study / "data").mkdir(exist_ok=True)
    shutil.copytree(raw, study / "data/raw")
    (study / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    records = {name: study / f"artifacts/measurements/{name}.json" for name in params["candidates"]}
    study.snakemake(patience_s=10 * PATIENCE_S)
    assert (study / "artifacts/report/summary.md").is_file()
    return {name: read_record(path) for name, path in records.items()}


@pytest.fixture(scope="module")
def on_the_cpu(
    raw: Path, code: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Path, dict[str, Record]]]:
    """The finished study and its records."""
    folder = tmp_path_factory.mktemp(OFFLINE)
    yield folder, run(OFFLINE, raw, code, folder)
    shutil.rmtree(folder)


def executed(record: Record) -> dict[str, int]:
    workload = next(iter(record.workloads.values()))
    assert not isinstance(workload, NotMeasured)
    assert workload.executed is not None
    products: dict[str, int] = workload.executed["products_by_precision"]
    return products


def accuracy(record: Record) -> Any:
    assert not isinstance(record.accuracy, NotMeasured)
    return record.accuracy


def test_the_reviews_are_the_same_in_every_process_and_one_sentence_decides(raw, tmp_path):
    make_raw(tmp_path, 120, 40)
    for name in ("train.tsv", "test.tsv"):
        assert (tmp_path / name).read_bytes() == (raw / name).read_bytes()
    specification = importlib.util.spec_from_file_location("make_raw", SCRIPT)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    lines = (raw / "test.tsv").read_text(encoding="utf-8").splitlines()[1:]
    places = []
    for line, (sentence, label) in zip(lines, module.deciding_sentences("test", 40), strict=True):
        text, name = line.split("\t")
        assert name == label
        assert f" {text} ".count(f" {sentence} ") == 1
        words = len(text.split())
        assert 62 <= words <= 510
        places.append(len(text[: text.index(sentence)].split()) / words)
    assert 0.3 < np.mean(places) < 0.6  # the sentence's own length comes behind its beginning
    assert min(places) < 0.15
    assert max(places) > 0.75


@pytest.mark.long
def test_on_the_cpu_every_row_runs_as_what_it_is_called(on_the_cpu):
    _, records = on_the_cpu
    assert {record.status for record in records.values()} == {"measured"}
    lengths = ["b1-s064", "b1-s128", "b1-s256", "b1-s512"]  # in the order of a table
    assert all(list(record.workloads) == lengths for record in records.values())
    assert executed(records["torch-fp32"]) == {"FP32": 8}  # 6 of a layer and 2 of the classifier
    assert executed(records["torch-int8-dynamic"]) == {"INT8": 8}
    assert executed(records["ort-int8-dynamic"])["INT8"] == 8
    assert set(executed(records["torchscript-fp32"])) == set(executed(records["ort-fp32"])) == {"FP32"}
    assert records["torchscript-fp32"].ran["traced_graphs"] >= 4


@pytest.mark.long
def test_cut_rows_are_measured_beside_whole_ones(raw, code, tmp_path):
    records = run(TRAINED, raw, code, tmp_path)
    assert {record.status for record in records.values()} == {"measured"}
    whole = accuracy(records["ort-fp32"])
    assert whole.labels == accuracy(records["torch-fp32"]).labels
    for name in ("ort-first-256", "ort-first-128", "ort-first-64"):
        found = accuracy(records[name])
        assert found.labels == whole.labels  # the same test rows
        assert found.answers.cut_rows == 0  # by the file itself, not by the harness
        assert np.abs(np.subtract(found.answers.logits, whole.answers.logits)).max() > 1e-4


@pytest.mark.long
@pytest.mark.skipif(bool(nvidia_gpus()), reason="this machine has a GPU: what it measures is another test's")
def test_without_a_gpu_every_row_says_that_it_was_not_measured(on_the_cpu, raw, code, tmp_path):
    records = run(GPU, raw, code, tmp_path, like=on_the_cpu[0])
    engine = tmp_path / "artifacts/engines/fp16/model.engine"
    assert engine.stat().st_size > 0  # built all the same
    for name, record in records.items():
        if name != "harness":
            assert record.status == "not measured"
            assert "no NVIDIA GPU" in record.reason
