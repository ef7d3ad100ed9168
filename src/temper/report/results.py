"""Records of this machine filed under results/<machine>/<study>/, where those of several machines lie side by side."""

import re
import shutil
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from temper.artifact import canonical_json, write_text
from temper.errors import ArtifactError, ConfigError
from temper.params_file import edited
from temper.report.calibrations import SECONDS_FILE
from temper.report.costs import calibration_seconds
from temper.report.files import LEFT_OUT
from temper.report.render import write_summary
from temper.schema import NAME_PATTERN
from temper.tracking.job_record import record_path
from temper.tracking.jobs import Job, checkout_of, planned_jobs, run_command
from temper.tracking.sync import State, states

MEASURED = {"measure": ("candidates", "measurements"), "load_test": ("load_tests", "load_tests")}  # section and folder

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


def _params_without(rows: Collection[tuple[str, str]]) -> str:
    """This folder's params.yaml without the rows of these jobs."""

    def drop(study: Any) -> None:
        for rule, row in rows:
            del study[MEASURED[rule][0]][row]

    return edited(Path("params.yaml").read_text(encoding="utf-8"), drop)


def _file_part(scratch: Path, left_out: Mapping[tuple[str, str], State], report: Job) -> None:
    """Take what was not measured out of the copied files, write why, and the report of the rest."""
    for rule, row in left_out:
        for path in (scratch / MEASURED[rule][1] / f"{row}.json", scratch / "jobs" / rule / f"{row}.json"):
            path.unlink(missing_ok=True)
    write_text(scratch / "params.yaml", _params_without(left_out))
    reasons = {f"{rule} {row}": state.reason for (rule, row), state in left_out.items()}
    write_text(scratch / LEFT_OUT, canonical_json(reasons))
    shutil.rmtree(scratch / "report", ignore_errors=True)
    (scratch / "jobs/report.json").unlink(missing_ok=True)
    kept = [row for rule, row in report.needs if rule == "measure" and (rule, row) not in left_out]
    records = [path for path in report.inputs if Path(path).parts[1] == "measurements" and Path(path).stem in kept]
    write_summary(
        **{key: report.settings[key] for key in ("study", "baseline", "analysis", "engines")},
        records=records,
        jobs=[record_path("measure", Path(path).stem) for path in records],
        folder=str(scratch / "report"),
    )


def _check_name(study: str) -> None:
    """Raise ConfigError where a folder of studies/ has the name of another: its records would replace that one's."""
    here = Path().resolve()
    if here.parent == checkout_of() / "studies" and here.name != study:
        raise ConfigError(
            asked=f"file the records of studies/{here.name}",
            happened=f"its params.yaml says study: {study}, which is another folder's name",
            spoiled="nothing was copied: they would have replaced that study's records",
            fix=f"set study: {here.name} and run it again: a record names its study, so its measurements are taken anew",
        )


def file_results(machine: str, *, partial: bool = False) -> Path:
    """Copy the records of the study in this folder to results/<machine>/<study>/ of its checkout, whole or not at all.

    Args:
        machine: the name under which this machine's records stand, such as 'h100-80gb'.
        partial: file what was measured of a study that is not finished: candidates and load tests without a current
            record are left out of the filed params.yaml, and left_out.json says why.

    Returns:
        The folder.

    Raises:
        ConfigError: the name is no folder's name, or the study has the name of another one.
        ArtifactError: the study is not finished, or a record was altered since it was measured; with `partial` something
            else than a measurement is missing, or the baseline itself.
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
    report = next(job for job in jobs if job.rule == "report")
    wrong = {(job.rule, job.row): found[job.rule, job.row] for job in jobs if not found[job.rule, job.row].current}
    left_out = {
        key: state for key, state in wrong.items() if partial and key[0] in MEASURED and state.kind != "altered"
    }
    needed = [key for key in wrong if key not in left_out and not (left_out and key[0] == "report")]
    needed += [key for key in left_out if key == ("measure", report.settings["baseline"])]
    if needed:
        (rule, row), state = needed[0], wrong[needed[0]]
        raise ArtifactError(
            asked=f"file the records of this study under {machine}",
            happened=f"{len(needed)} of {len(jobs)} artifacts are not of these settings "
            f"({f'{rule} {row}'.strip()}: {state.reason})",
            spoiled="nothing was copied",
            fix="temper sync: puts an altered artifact back, or has it made anew"
            if state.kind == "altered"
            else f"finish the study first ({run_command()}, or dvc repro)"
            + ("" if partial else "; --partial files the candidates that were measured"),
        )
    study: str = report.settings["study"]
    _check_name(study)
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
    if left_out:
        _file_part(scratch, left_out, report)
    shutil.rmtree(goal, ignore_errors=True)
    scratch.rename(goal)
    return goal
