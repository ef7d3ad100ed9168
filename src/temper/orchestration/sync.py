"""Hold every artifact against its job record, and bring Snakemake's memory in line with what is really here."""

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from temper.artifacts import scratch
from temper.artifacts.manifest import sha256
from temper.environment.own_process import environment
from temper.errors import ArtifactError, ExperimentError, LibraryError
from temper.orchestration import run_lock
from temper.orchestration.by_hand import edited
from temper.orchestration.dvc import last_words, remove_torn_lock
from temper.orchestration.job_record import FOLDER, is_remembered, read_job_record, record_path, remember
from temper.orchestration.jobs import Job, planned_jobs, run_command, snakemake_command
from temper.orchestration.kept_versions import read_kept_versions, write_kept_versions
from temper.orchestration.links import check_no_links
from temper.orchestration.origin import UNCHECKED, foreign
from temper.orchestration.set_aside import listed, put_away, set_aside
from temper.orchestration.states import State, own_state, states
from temper.orchestration.stored import cached, copy_object, files_of, outputs, repository

_ASKED = "bring Snakemake's memory in line with this folder"


def remove_scratch() -> list[str]:
    """Remove what killed jobs left half-written in this study; return the paths. Nothing else is, whatever its name."""
    found = [path for path in scratch.leftovers() if not {"..", "/"} & set(path.parts)]
    for path in found:
        scratch.remove(path)
    return [path.as_posix() for path in found]


def bring_back_from_the_future(jobs: Sequence[Job]) -> int:
    """Set the times of files that are younger than now to now; return how many there were."""
    now = time.time()
    files = {path for job in jobs for path in (*job.inputs, *job.outputs) if Path(path).is_file()}
    ahead = [path for path in files if Path(path).stat().st_mtime > now]
    for path in ahead:
        os.utime(path, times=(now, now))
    return len(ahead)


def remove_outputs(job: Job) -> str:
    """Take a job's outputs away, its record first, so that no torso is left with a record; return what was done with them."""
    return put_away(dict.fromkeys((record_path(job.rule, job.row), *job.outputs)))


def remove_records_of_no_row(jobs: Sequence[Job]) -> list[str]:
    """Take records and buckets, and job records, away that no row of params.yaml asks for any more; a line about each."""
    wanted = {output for job in jobs for output in job.outputs}
    found = [
        path.as_posix()
        for top in ("artifacts/buckets", "artifacts/measurements", "artifacts/load_tests", FOLDER)
        for path in sorted(Path(top).rglob("*.json"))
    ]
    return [f"{path}: no row asks for it: {put_away([path])}" for path in found if path not in wanted]


def _take_away(job: Job) -> str:
    """Remove what is here of a job's outputs as it wrote them, with its record; set the others aside, and return where."""
    path = record_path(job.rule, job.row)
    try:
        vouched = read_job_record(path).outputs
    except ArtifactError:
        vouched = {}
    folder = ""
    for file in dict.fromkeys((path, *job.outputs)):
        if not os.path.lexists(file):
            continue
        if (vouched and file == path) or (Path(file).is_file() and vouched.get(file) == sha256(file)):
            Path(file).unlink()
        else:
            folder = set_aside(file)
    return folder


def _restore(job: Job) -> bool:
    """Put a job's outputs back from DVC's cache, and nothing else; whether that gave files that match their record."""
    asked = f"restore {job.name} from DVC's cache"
    try:
        with repository(asked) as repo:
            own = [
                each
                for each in outputs(repo, asked)
                if any(f"{path}/".startswith(f"{each.path}/") for path in job.outputs)
            ]
            listings = [(each, cached(repo, each.digest)) for each in own]
            files = [file for each, listing in listings if listing is not None for file in files_of(each, listing)]
            objects = {file.path: cached(repo, file.digest) for file in files}
            sources = {output: objects.get(output) for output in job.outputs}
            for output, source in sources.items():
                if source is None:
                    return False
                Path(output).parent.mkdir(parents=True, exist_ok=True)
                copy_object(source, Path(output))
    except ExperimentError:  # no repository, or one that cannot be read: nothing is stored
        return False
    if own_state(job).kind in ("altered", "absent"):
        remove_outputs(job)
        return False
    return True


def _run_snakemake(*arguments: str) -> None:
    done = subprocess.run(
        snakemake_command(".", *arguments),
        env=environment(**{UNCHECKED: "1"}),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise ExperimentError(
            asked=f"snakemake {' '.join(arguments[:3])} …",
            happened=last_words(done),
            affected="nothing: no artifact was changed",
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

    Locks and half-written files of killed runs go; an altered artifact is set aside, and comes back from DVC's cache or is made
    anew; an artifact that DVC or a hand put here is made known to Snakemake where its job record says that it was made with
    today's settings from today's inputs, and leaves its place where it was not, so that it is made anew. What Snakemake made
    itself stays, also where it is stale: Snakemake knows. Nothing is removed that neither a job record vouches for nor DVC's
    cache holds: it is moved to set_aside/.

    Args:
        keep: take artifacts made with other versions of a library as they are.
        force: also where another machine's run is noted as working here.

    Returns:
        What was done, line by line.

    Raises:
        BusyError: another run works here.
        StorageError: a folder of the study is a link to somewhere else.
        LibraryError: artifacts from elsewhere were made with other versions of a library, and `keep` was not asked for.
        ConfigError: the study cannot be planned.
    """
    if not force:
        run_lock.check_free(_ASKED)
    check_no_links(_ASKED)
    said = _unlock()
    run_lock.forget_all()
    torn = remove_torn_lock()
    said += [f"removed {torn}: DVC was killed while it wrote it"] if torn is not None else []
    jobs = planned_jobs()
    said += [f"removed {path}: left half-written" for path in remove_scratch()]
    ahead = bring_back_from_the_future(jobs)
    if ahead:
        said.append(f"{ahead} files were from the future (a clock that was set back?): their times are now")
    said += remove_records_of_no_row(jobs)
    for job in jobs:
        state = own_state(job)
        # what is left of a job of which a file is gone: its record would be taken for one that another tool put here
        left = state.kind == "absent" and Path(record_path(job.rule, job.row)).is_file() and not _remembered(job)
        if state.kind == "altered" or left:
            folder = _take_away(job)
            done = "restored from DVC's cache" if _restore(job) else "will be made anew"
            said.append(f"{job.name}: {state.reason}: {done}" + (f"; what was there is in {folder}/" if folder else ""))
    found = states(jobs)
    if keep and any(state.kind == "other versions" for state in found.values()):
        said += _keep(jobs, found)
        jobs = planned_jobs()
        found = states(jobs)
    others = [job for job in jobs if found[job.rule, job.row].kind == "other versions" and not _remembered(job)]
    if others:
        shown = "; ".join(f"{job.name}: {found[job.rule, job.row].reason}" for job in others[:3])
        raise LibraryError(
            asked=_ASKED,
            happened=f"{len(others)} artifacts were made with other versions than this environment has ({shown})",
            affected="nothing: they are whole, and untouched",
            fix="temper sync --keep takes them as they are, with their makers' versions; to make them anew, delete artifacts/",
        )
    adopted = []
    for job in jobs:
        state = found[job.rule, job.row]
        if state.current and not _remembered(job):
            adopted.append(job)
        elif state.kind == "stale" and not _remembered(job):
            said.append(f"{job.name}: {state.reason}: {remove_outputs(job)}")
    if adopted:
        _run_snakemake("--touch", "--force", "--cores", "1", *(record_path(job.rule, job.row) for job in adopted))
        for job in jobs:  # --touch also takes the jobs that the adopted ones need: all of them are current
            if found[job.rule, job.row].current:
                remember(job.rule, job.row)
        said.append(f"{len(adopted)} artifacts checked against their job records and made known to Snakemake")
    _check_settled(jobs)
    return said + _not_there(jobs)


def _not_there(jobs: Sequence[Job]) -> list[str]:
    """What a run has to make, in a line: its files are gone, and Snakemake knows."""
    gone = [path for job in jobs for path in job.outputs if not os.path.lexists(path)]
    if not gone:
        return []
    more = f" and {len(gone) - 1} more are" if len(gone) > 1 else " is"
    return [f"{gone[0]}{more} not there: {run_command()} makes {'them' if len(gone) > 1 else 'it'}"]


def _check_settled(jobs: Sequence[Job]) -> None:
    """Raise ArtifactError where the next run would be refused all the same, and told to come here again."""
    rows: dict[str, list[str]] = {}
    for job in jobs:
        rows.setdefault(job.rule, []).append(job.row)
    found = foreign(rows) + edited(record_path(job.rule, job.row) for job in jobs)
    if found:
        raise ArtifactError(
            asked=_ASKED,
            happened=f"still not what a job of this folder left: {listed(found)}",
            affected="nothing; the next run would be refused for it",
            fix=f"rm {found[0]} (or move it elsewhere), then temper sync: its job makes it anew",
        )


def _remembered(job: Job) -> bool:
    return Path(record_path(job.rule, job.row)).is_file() and is_remembered(job.rule, job.row)


def forget_kept_versions() -> bool:
    """Let the installed versions count again; whether any were kept."""
    kept = Path("kept_versions.json").is_file()
    write_kept_versions({})
    return kept
