"""Hundreds of kills and full disks at moments drawn by seed: the next command ends right, as after an undisturbed run.

How many: TEMPER_TESTS_KILLS and TEMPER_TESTS_DISKS, of all kinds together. A case is named by its kind and number; each draws
alone, so that part of them can be run.
"""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from temper.measurement.record import Accuracy
from temper.measurement.record_file import read_record
from tests.workflow.conftest import StudyFolder
from tests.workflow.disturbed import Disturbances, Kind, Victim, mounted, of_job

pytestmark = pytest.mark.long

SEED = 20261201
KILLS, DISKS = int(os.environ.get("TEMPER_TESTS_KILLS", "200")), int(os.environ.get("TEMPER_TESTS_DISKS", "60"))
WITH_WORKERS = ("measure", "load_test", "remeasure")
JOBS = {
    "tiny": (
        ("prepare_data", ""),
        ("fine_tune", ""),
        ("export_onnx", "fp32"),
        ("calibrate", "main"),
        ("convert_precision", "fp16"),
        ("choose_buckets", "main"),
        ("build_engine", "int8"),
        ("measure", "ort-fp32"),
        ("remeasure", ""),
        ("report", ""),
    ),
    "images": (("search_layers", "main"), ("train_quantized", "int8-trained"), ("load_test", "ort-int8")),
}


def digests_of(made: StudyFolder) -> dict[str, str]:
    """What has to be as in an undisturbed run: files by digest, and of what was measured the answers."""
    found = {path: digest for path, digest in made.digests().items() if not path.endswith(".gitignore")}
    for path in sorted((made / "artifacts/measurements").glob("*.json")):
        record = read_record(path)
        if isinstance(record.accuracy, Accuracy):
            found[f"answers of {path.stem}"] = str(record.accuracy.answers.predictions)
    names = [path for path in made.files() if path.startswith("artifacts/report/")]
    return {**found, "report": str(names)}


KINDS = [f"{rule} {row}".strip() for jobs in JOBS.values() for rule, row in jobs]


@pytest.fixture
def kind(request: pytest.FixtureRequest) -> Kind:
    for study, jobs in JOBS.items():
        for rule, row in jobs:
            if f"{rule} {row}".strip() == request.param:
                base = request.getfixturevalue("finished" if study == "tiny" else "finished_images")
                return of_job(base, rule, row, digests_of)
    raise AssertionError(request.param)


def victims_of(kind: str) -> tuple[Victim, ...]:
    return ("all", "main", "job", "worker") if kind.startswith(WITH_WORKERS) else ("all", "main", "job", "any")


@pytest.mark.parametrize("kind", KINDS, indirect=True)
def test_after_a_kill_the_next_command_ends_right(kind: Kind, record_property, tmp_path: Path) -> None:
    cases = Disturbances(kind, tmp_path, SEED)
    for number in range(-(-KILLS // len(KINDS))):
        cases.kill_once(number, victims_of(kind.name))
    found: Mapping[str, int] = cases.outcomes.found
    record_property("outcomes", dict(found))
    print(dict(found))
    assert cases.outcomes.faults == []


@pytest.mark.parametrize("kind", KINDS, indirect=True)
def test_after_a_full_disk_the_next_command_ends_right(kind: Kind, record_property, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    try:
        with mounted(tmp_path / "disk"):
            pass
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"a small disk cannot be mounted here: {error}")
    cases = Disturbances(kind, tmp_path, SEED, disk=True)
    for number in range(-(-DISKS // len(KINDS))):
        cases.fill_once(number)
    record_property("outcomes", dict(cases.outcomes.found))
    print(dict(cases.outcomes.found))
    assert cases.outcomes.faults == []
