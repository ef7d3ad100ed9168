"""Records of this machine filed under results/<machine>/<study>/, where those of several machines lie side by side."""

import re
import shutil
from pathlib import Path

from temper.artifact import canonical_json, write_text
from temper.errors import ArtifactError, ConfigError
from temper.report.calibrations import SECONDS_FILE
from temper.report.costs import calibration_seconds
from temper.schema import NAME_PATTERN
from temper.tracking.jobs import checkout_of, planned_jobs
from temper.tracking.sync import states

# what is kept: no weights, no engines, no data. Pattern below the study's folder, and the folder it goes to.
KEPT = (
    ("params.yaml", ""),
    ("kept_versions.json", ""),
    ("data/prepared/data_card.json", ""),
    ("artifacts/checkpoint/checkpoint.json", "checkpoint"),
    ("artifacts/checkpoint/training_history.json", "checkpoint"),
    ("artifacts/onnx/*/onnx.json", "onnx/*"),
    ("artifacts/calibration/*/cache.json", "calibration/*"),
    ("artifacts/searches/*/search.json", "searches/*"),
    ("artifacts/buckets/*.json", "buckets"),
    ("artifacts/engines/*/engine.json", "engines/*"),
    ("artifacts/measurements/*.json", "measurements"),
    ("artifacts/load_tests/*.json", "load_tests"),
    ("artifacts/jobs/**/*.json", "jobs/**"),
    ("artifacts/report/*", "report"),
    ("artifacts/comparison/*.json", "comparison"),
    ("artifacts/comparison/*.md", "comparison"),
)


def _target(path: Path, folder: str) -> Path:
    """Where a file goes: the folder it lies in stays where the pattern says so."""
    if folder.endswith("/**"):
        return Path(folder[:-3]) / path.relative_to("artifacts/jobs")
    if folder.endswith("/*"):
        return Path(folder[:-2]) / path.parent.name / path.name
    return Path(folder) / path.name


def file_results(machine: str) -> Path:
    """Copy the records of the study in this folder to results/<machine>/<study>/ of its checkout, whole or not at all.

    Args:
        machine: the name under which this machine's records stand, such as 'h100-80gb'.

    Returns:
        The folder.

    Raises:
        ConfigError: the name is no folder's name.
        ArtifactError: the study is not finished, or a record was altered since it was measured.
    """
    if not re.match(NAME_PATTERN, machine):
        raise ConfigError(
            asked=f"file the records under {machine!r}",
            happened="it is no name for a folder",
            spoiled="nothing",
            fix="use letters, digits, _ and -",
        )
    jobs = planned_jobs()
    found = states(jobs)
    wrong = [(job, found[job.rule, job.row]) for job in jobs if not found[job.rule, job.row].current]
    if wrong:
        job, state = wrong[0]
        raise ArtifactError(
            asked=f"file the records of this study under {machine}",
            happened=f"{len(wrong)} of {len(jobs)} artifacts are not of these settings ({job.name}: {state.reason})",
            spoiled="nothing was copied",
            fix="finish the study first (snakemake --cores 1, or dvc repro)",
        )
    study: str = next(job.settings["study"] for job in jobs if job.rule == "report")
    goal: Path = checkout_of() / "results" / machine / study
    scratch = goal.with_name(f".{study}.partial")
    shutil.rmtree(scratch, ignore_errors=True)
    for pattern, folder in KEPT:
        for path in sorted(Path().glob(pattern)):
            target = scratch / _target(path, folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    if took := calibration_seconds():
        write_text(scratch / SECONDS_FILE, canonical_json(took))
    shutil.rmtree(goal, ignore_errors=True)
    scratch.rename(goal)
    return goal
