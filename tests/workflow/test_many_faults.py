"""Hundreds of kills, full disks and limits of memory, drawn by seed: the next command ends right, as after an undisturbed run.

How many: TEMPER_TESTS_KILLS, TEMPER_TESTS_DISKS and TEMPER_TESTS_LIMITS, of all kinds together. A case is named by its kind and
number; each draws alone, so that part of them can be run. Kills fall into every kind of job and into the commands in which DVC
has a part.
"""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from temper.measurement.record import Accuracy
from temper.measurement.record_file import read_record
from tests.workflow.conftest import StudyFolder
from tests.workflow.disturbed import Disturbances, Kind, mounted, of_job
from tests.workflow.disturbed_dvc import NAMES, dvc_kind
from tests.workflow.limited import Shortages, group

pytestmark = pytest.mark.long

SEED = 20261201
KILLS, DISKS, LIMITS = (
    os.environ.get(f"TEMPER_TESTS_{name}", count)
    for name, count in (("KILLS", "200"), ("DISKS", "60"), ("LIMITS", "52"))
)
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


OF_JOBS = [f"{rule} {row}".strip() for jobs in JOBS.values() for rule, row in jobs]
KINDS = [*OF_JOBS, *NAMES]


def share(asked: str, kinds: list[str], name: str) -> range:
    """The numbers of a kind's cases: as many of each as of any other, and of all together what is asked.

    Args:
        asked: '200', or '90-200' for those that come after the first 90.
        kinds: all of them.
        name: the one.
    """
    first, _, last = f"0-{asked}".rpartition("-")
    counts = (int(first.rpartition("-")[2]), int(last))
    return range(*(count // len(kinds) + (kinds.index(name) < count % len(kinds)) for count in counts))


@pytest.fixture
def kind(request: pytest.FixtureRequest, tmp_path: Path) -> Kind:
    if request.param in NAMES:
        repository = request.getfixturevalue("finished_repository")
        (tmp_path / "before").mkdir()
        return dvc_kind(request.param, repository, tmp_path / "before", digests_of)
    for study, jobs in JOBS.items():
        for rule, row in jobs:
            if f"{rule} {row}".strip() == request.param:
                base = request.getfixturevalue("finished" if study == "tiny" else "finished_images")
                return of_job(base, rule, row, digests_of)
    raise AssertionError(request.param)


@pytest.mark.parametrize("kind", KINDS, indirect=True)
def test_after_a_kill_the_next_command_ends_right(kind: Kind, record_property, tmp_path: Path) -> None:
    cases = Disturbances(kind, tmp_path, SEED)
    for number in share(KILLS, KINDS, kind.name):
        cases.kill_once(number)
    found: Mapping[str, int] = cases.outcomes.found
    record_property("outcomes", dict(found))
    print(dict(found))
    assert cases.outcomes.faults == []


@pytest.mark.parametrize("kind", OF_JOBS, indirect=True)
def test_after_a_full_disk_the_next_command_ends_right(kind: Kind, record_property, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    try:
        with mounted(tmp_path / "disk"):
            pass
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"a small disk cannot be mounted here: {error}")
    cases = Disturbances(kind, tmp_path, SEED, disk=True)
    for number in share(DISKS, OF_JOBS, kind.name):
        cases.fill_once(number)
    record_property("outcomes", dict(cases.outcomes.found))
    print(dict(cases.outcomes.found))
    assert cases.outcomes.faults == []


@pytest.mark.parametrize("kind", OF_JOBS, indirect=True)
def test_after_memory_ran_out_the_next_command_ends_right(kind: Kind, record_property, tmp_path: Path) -> None:
    try:
        with group("tried") as one:
            one.limit(2**30)
    except OSError as error:
        pytest.skip(f"no group of control (version 1) can be made here: {error}")
    cases = Shortages(kind, tmp_path, SEED)
    for number in share(LIMITS, OF_JOBS, kind.name):
        cases.limit_once(number)
    record_property("outcomes", dict(cases.outcomes.found))
    print(dict(cases.outcomes.found))
    assert cases.outcomes.faults == []
