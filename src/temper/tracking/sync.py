"""Hold every artifact against its job record, and bring Snakemake's memory in line with what is really here."""

import os
import re
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from temper.artifact import sha256
from temper.errors import ArtifactError, ExperimentError, LibraryError
from temper.tracking import holder
from temper.tracking.dvc import remove_torn_lock
from temper.tracking.job_record import FOLDER, is_remembered, read_job_record, record_path, remember
from temper.tracking.jobs import Job, planned_jobs, snakemake_command
from temper.tracking.kept_versions import read_kept_versions, write_kept_versions
from temper.tracking.origin import UNCHECKED

Kind = Literal["current", "absent", "altered", "other versions", "stale"]
_SCRATCH = re.compile(r"^\..+\.[a-z0-9_]{8}$")  # what tempfile makes beside an artifact while it is written


@dataclass(frozen=True)
class State:
    """What a job's outputs on disk are, held against the settings of today."""

    kind: Kind
    reason: str

    @property
    def current(self) -> bool:
        return self.kind == "current"


def changed_keys(before: Any, now: Any, prefix: str = "") -> list[str]:
    """Dotted paths at which two nested settings differ, each with 'old → new'."""
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        return [
            line
            for key in dict.fromkeys([*before, *now])
            for line in changed_keys(
                before.get(key, "absent"), now.get(key, "absent"), f"{prefix}.{key}" if prefix else key
            )
        ]
    return [] if before == now else [f"{prefix}: {before} → {now}"]


def _own_state(job: Job) -> State:
    """The state of a job's outputs, its producers aside."""
    path = record_path(job.rule, job.row)
    missing = [output for output in job.outputs if not Path(output).is_file()]
    if missing:
        return State("absent", f"{missing[0]} is not there")
    try:
        record = read_job_record(path)
    except ArtifactError as error:
        return State("altered", error.happened)
    for file in job.outputs:
        if file != path and record.outputs.get(file) != sha256(file):
            return State("altered", f"{file} is not the file its job wrote")
    for file in job.inputs:
        if record.inputs.get(file) is None or not Path(file).is_file() or record.inputs[file] != sha256(file):
            return State("stale", f"made from another {file}")
    changed = changed_keys(record.settings, job.settings)
    if not changed:
        return State("current", "")
    if all(line.startswith("versions.") for line in changed):
        return State("other versions", "; ".join(line.removeprefix("versions.") for line in changed))
    return State("stale", "; ".join(changed))


def states(jobs: Sequence[Job]) -> dict[tuple[str, str], State]:
    """State of every job; one that needs another that is not current is not current either."""
    found: dict[tuple[str, str], State] = {}
    for job in jobs:
        own = _own_state(job)
        if own.current:
            needed = [key for key in job.needs if not found[key].current]
            if needed:
                kept = all(found[key].kind == "other versions" for key in needed)
                own = State("other versions" if kept else "stale", f"follows {' '.join(needed[0]).strip()}")
        found[job.rule, job.row] = own
    return found


def remove_scratch() -> list[str]:
    """Remove what killed jobs left half-written beside the artifacts; return the paths."""
    found = [
        path for top in ("data", "artifacts") for path in sorted(Path(top).rglob(".*")) if _SCRATCH.match(path.name)
    ]
    for path in found:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    return [path.as_posix() for path in found]


def bring_back_from_the_future(jobs: Sequence[Job]) -> int:
    """Set the times of files that are younger than now to now; return how many there were."""
    now = time.time()
    files = {path for job in jobs for path in (*job.inputs, *job.outputs) if Path(path).is_file()}
    ahead = [path for path in files if Path(path).stat().st_mtime > now]
    for path in ahead:
        os.utime(path, times=(now, now))
    return len(ahead)


def remove_outputs(job: Job) -> None:
    """Remove a job's outputs, its record first, so that no torso is left with a record."""
    for output in (record_path(job.rule, job.row), *job.outputs):
        Path(output).unlink(missing_ok=True)


def remove_records_of_no_row(jobs: Sequence[Job]) -> list[str]:
    """Remove records and buckets, and job records, that no row of params.yaml asks for any more; return the paths."""
    wanted = {output for job in jobs for output in job.outputs}
    found = [
        path
        for top in ("artifacts/buckets", "artifacts/measurements", "artifacts/load_tests", FOLDER)
        for path in sorted(Path(top).rglob("*.json"))
    ]
    orphans = [path for path in found if path.as_posix() not in wanted]
    for path in orphans:
        path.unlink()
    return [path.as_posix() for path in orphans]


def _dvc_stage(job: Job) -> str | None:
    """The DVC stage that vouches for a job's outputs; None where dvc.lock knows none."""
    try:
        locked: dict[str, Any] = yaml.safe_load(Path("dvc.lock").read_text(encoding="utf-8"))["stages"]
        path = record_path(job.rule, job.row)
        return next((name for name, stage in locked.items() if path in {out["path"] for out in stage["outs"]}), None)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, yaml.YAMLError):
        return None


def _restore(job: Job) -> bool:
    """Put a job's outputs back from DVC's cache; whether that gave files that match their record."""
    stage = _dvc_stage(job)
    remove_outputs(job)
    if stage is None or shutil.which("dvc") is None:
        return False
    done = subprocess.run(["dvc", "checkout", "--force", stage], capture_output=True, text=True, check=False)
    if done.returncode != 0 or _own_state(job).kind in ("altered", "absent"):
        remove_outputs(job)
        return False
    return True


def _run_snakemake(*arguments: str) -> None:
    environment = {**os.environ, UNCHECKED: "1"}
    done = subprocess.run(
        snakemake_command(".", *arguments), env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise ExperimentError(
            asked=f"snakemake {' '.join(arguments[:3])} …",
            happened=(done.stderr or done.stdout).strip()[-600:],
            spoiled="nothing: no artifact was changed",
            fix="correct what it names, then run temper sync again",
        )


def _unlock() -> list[str]:
    locks = Path(".snakemake/locks")
    if not locks.is_dir() or not any(locks.iterdir()):
        return []
    _run_snakemake("--unlock", "--cores", "1")
    return ["unlocked: the run that held this folder was killed"]


def _keep(jobs: Sequence[Job], found: Mapping[tuple[str, str], State]) -> list[str]:
    """Let the versions stand that the makers of these artifacts used."""
    kept, said = read_kept_versions(), []
    for job in jobs:
        state = found[job.rule, job.row]
        if state.kind == "other versions" and not state.reason.startswith("follows"):
            versions = read_job_record(record_path(job.rule, job.row)).settings["versions"]
            kept.setdefault(job.rule, {})[job.row] = dict(versions)
            said.append(f"kept {job.name}: {state.reason}")
    write_kept_versions(kept)
    return said


def sync(*, keep: bool = False, force: bool = False) -> list[str]:
    """Make this folder one that Snakemake can plan in, whatever happened to it: a kill, a restore by DVC, an altered file.

    Locks and half-written files of killed runs go; an altered artifact comes back from DVC's cache or is removed; an
    artifact that DVC or a hand put here is made known to Snakemake where its job record says that it was made with
    today's settings from today's inputs, and is removed where it was not, so that it is made anew. What Snakemake made
    itself stays, also where it is stale: Snakemake knows.

    Args:
        keep: take artifacts made with other versions of a library as they are.
        force: also where another machine's run is noted as working here.

    Returns:
        What was done, line by line.

    Raises:
        BusyError: another run works here.
        LibraryError: artifacts from elsewhere were made with other versions of a library, and `keep` was not asked for.
        ConfigError: the study cannot be planned.
    """
    if not force:
        holder.check_free("bring Snakemake's memory in line with this folder")
    said = _unlock()
    holder.release()
    torn = remove_torn_lock()
    said += [f"removed {torn}: DVC was killed while it wrote it"] if torn is not None else []
    said += [f"removed {path}: left half-written" for path in remove_scratch()]
    jobs = planned_jobs()
    ahead = bring_back_from_the_future(jobs)
    if ahead:
        said.append(f"{ahead} files were from the future (a clock that was set back?): their times are now")
    said += [f"removed {path}: no row asks for it" for path in remove_records_of_no_row(jobs)]
    for job in jobs:
        state = _own_state(job)
        if state.kind == "altered":
            restored = _restore(job)
            done = "restored from DVC's cache" if restored else "removed, will be made anew"
            said.append(f"{job.name}: {state.reason}: {done}")
    found = states(jobs)
    if keep and any(state.kind == "other versions" for state in found.values()):
        said += _keep(jobs, found)
        jobs = planned_jobs()
        found = states(jobs)
    others = [job for job in jobs if found[job.rule, job.row].kind == "other versions" and not _remembered(job)]
    if others:
        listed = "; ".join(f"{job.name}: {found[job.rule, job.row].reason}" for job in others[:3])
        raise LibraryError(
            asked="bring Snakemake's memory in line with this folder",
            happened=f"{len(others)} artifacts were made with other versions than this environment has ({listed})",
            spoiled="nothing: they are whole, and untouched",
            fix="temper sync --keep takes them as they are, with their makers' versions; to make them anew, delete artifacts/",
        )
    adopted = []
    for job in jobs:
        state = found[job.rule, job.row]
        if state.current and not _remembered(job):
            adopted.append(job)
        elif state.kind == "stale" and not _remembered(job):
            remove_outputs(job)
            said.append(f"removed {job.name}: {state.reason}")
    if adopted:
        _run_snakemake("--touch", "--force", "--cores", "1", *(record_path(job.rule, job.row) for job in adopted))
        for job in jobs:  # --touch also takes the jobs that the adopted ones need: all of them are current
            if found[job.rule, job.row].current:
                remember(job.rule, job.row)
        said.append(f"{len(adopted)} artifacts checked against their job records and made known to Snakemake")
    return said


def _remembered(job: Job) -> bool:
    return Path(record_path(job.rule, job.row)).is_file() and is_remembered(job.rule, job.row)


def forget_kept_versions() -> bool:
    """Let the installed versions count again; whether any were kept."""
    kept = Path("kept_versions.json").is_file()
    write_kept_versions({})
    return kept


def settings_json(jobs: Sequence[Job]) -> dict[str, Any]:
    """What every job depends on beside the artifacts of others: by rule and row its params, as Snakemake has them.

    `outside_files` has the digests of files that no job makes (raw data, a checkpoint folder).
    """
    made = {output for job in jobs for output in job.outputs}
    content: dict[str, Any] = {}
    for job in jobs:
        entry = dict(job.settings)
        outside = {path: sha256(path) for path in job.inputs if path not in made and Path(path).is_file()}
        if outside:
            entry["outside_files"] = outside
        if job.row:
            content.setdefault(job.rule, {})[job.row] = entry
        else:
            content[job.rule] = entry
    return content
