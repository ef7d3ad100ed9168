"""A finished study of real tiny artifacts whose records hold their real answers, written by the report's own code."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from temper.artifacts.manifest import canonical_json
from temper.backends.opening import open_artifact
from temper.cli import main
from temper.data.encoded import read_split
from temper.measurement.accuracy import predict
from temper.measurement.record import Accuracy, Predictions, Record, write_record
from temper.measurement.remeasurements import Remeasurements
from temper.orchestration.job_record import JobRecord, digests, write_job_record
from temper.prediction.answer import MANIFESTS, read_manifest
from temper.report.finished import again_file, record_file
from temper.report.render import write_summary
from tests.records import ANALYSIS, following, record
from tests.tiny_study import TinyStudy

BATCH_SIZE = 8
WORKLOADS = {"b1": {"batch_size": 1, "sequence_length": 8}, "b8": {"batch_size": 8, "sequence_length": 8}}
ORT = {
    "execution_provider": "CPUExecutionProvider",
    "device_index": 0,
    "intra_op_threads": 1,
    "spinning": False,
    "graph_optimization": "all",
    "allow_cpu_fallback": False,
    "io_binding": False,
    "cuda_graph": False,
    "tf32": False,
    "profile_shapes": None,
}
OPENVINO = {"device": "CPU", "inference_precision": "f32", "threads": 1, "shapes": "dynamic"}
PYTORCH = {"device": "cpu", "dtype": "float32", "threads": 1, "tf32": False, "mode": "eager"}
BACKENDS: dict[str, tuple[str, dict[str, Any]]] = {
    "ort": ("onnxruntime", ORT),
    "openvino": ("openvino", OPENVINO),
    "torch": ("pytorch", PYTORCH),
    "torch-unpadded": ("pytorch", {**PYTORCH, "mode": "unpadded-gelu-tanh"}),
    "openvino-static": ("openvino", {**OPENVINO, "shapes": "static"}),
}


def measured(study: TinyStudy, name: str, backend: str, loads: str, *, ratio: float, b8: float | None = None) -> Record:
    """A candidate's record with the real answers of its artifact and made-up latencies; in a study's folder."""
    runner, options = BACKENDS[backend]
    split = read_split("data/prepared/test.parquet", study.signature)
    folder = f"artifacts/{loads}"
    with open_artifact(runner, folder, options, "installed") as opened:
        answered = predict(opened, split, study.signature, batch_size=BATCH_SIZE)
        ran = opened.describe()
    predictions, labels = answered.labels.tolist(), split.labels.tolist()
    timed = {
        name: following([2.0 * value], sizes=(size, 8))
        for name, value, size in (("b1", ratio, 1), ("b8", b8 or ratio, 8))
    }
    made = record(name, predictions=predictions, labels=labels, workloads=timed, loads=loads, backend=backend)
    kind = loads.partition("/")[0]
    manifest = read_manifest(f"{folder}/{MANIFESTS[kind]}", kind=kind)
    assert made.artifact is not None
    own = Predictions(
        batch_size=BATCH_SIZE,
        cut_rows=0,
        accuracy=float((answered.labels == split.labels).mean()),
        predictions=predictions,
        logits=[[round(float(value), 6) for value in row] for row in answered.logits],
    )
    assert isinstance(made.accuracy, Accuracy)
    return made.model_copy(
        update={
            "ran": ran,
            "backend": {**made.backend, "runner": runner, "options": options, "library_version": "installed"},
            "artifact": made.artifact.model_copy(
                update={"files_sha256": {name: facts["sha256"] for name, facts in manifest["files"].items()}}
            ),
            "measurement": {"accuracy_batch_size": BATCH_SIZE},
            "accuracy": made.accuracy.model_copy(
                update={
                    "stated": str(BATCH_SIZE),
                    "by_batch_size": {str(BATCH_SIZE): own},
                    "label_names": list(study.signature.label_names),
                }
            ),
        }
    )


def write_report(
    records: list[Record], params: dict[str, Any], again: Remeasurements | None = None, **analysis: float
) -> None:
    """The report of these records, and of cells that were taken once more, in the working directory."""
    Path("artifacts/measurements").mkdir(parents=True, exist_ok=True)
    files = [record_file(made.candidate) for made in records]
    for file, made in zip(files, records, strict=True):
        write_record(file, made)
    taken = None
    if again is not None:
        taken = again_file("")
        Path(taken).write_text(canonical_json(again.model_dump(mode="json")))
    write_summary(
        study="tiny",
        baseline="base",
        analysis={**ANALYSIS, "accuracy_budget_points": 50.0, **analysis},
        engines={},
        records=files,
        remeasurements=taken,
        jobs=[],
        folder="artifacts/report",
    )
    written = sorted(str(path) for path in Path("artifacts/report").iterdir())
    write_job_record(JobRecord("report", "", {}, digests([*files, *filter(None, [taken])]), digests(written)))
    Path("params.yaml").write_text(yaml.safe_dump(params))


PARAMS = {"workloads": WORKLOADS, "data": {"text": ["sentence"]}, "model": {"task": "text-classification"}}


def lay_out(study: TinyStudy, folder: Path) -> None:
    """The tiny study's artifacts where a study has them."""
    shutil.copytree(study.data, folder / "data/prepared")
    for name, source in {"fp32": study.fp32, "int8": study.precision["int8_static"]}.items():
        shutil.copytree(source, folder / "artifacts/onnx" / name)


@pytest.fixture(scope="session")
def made(tiny_study: TinyStudy, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The finished study; the decision chose `quick` for both workloads. Read it only."""
    folder = tmp_path_factory.mktemp("finished")
    lay_out(tiny_study, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        write_report(
            [
                measured(tiny_study, "base", "ort", "onnx/fp32", ratio=1.0),
                measured(tiny_study, "quick", "ort", "onnx/int8", ratio=0.3),
                measured(tiny_study, "other", "openvino", "onnx/int8", ratio=0.5),
                measured(tiny_study, "static", "openvino-static", "onnx/int8", ratio=0.6),
            ],
            PARAMS,
        )
    return folder


@pytest.fixture
def finished_study(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, which is the working directory."""
    folder = tmp_path / "study"
    shutil.copytree(made, folder)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture(scope="session")
def package(made, tmp_path_factory) -> Path:
    """The tiny study's choice, packaged. Read it only."""
    folder = tmp_path_factory.mktemp("packages") / "package"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(made)
        assert main(["package", "--to", str(folder), "--candidate", "quick"]) == 0
    return folder
