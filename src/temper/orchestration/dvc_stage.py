"""What DVC's stages run, and how a finished study is handed to DVC.

DVC decides what is stale by settings.json and by the artifacts; Snakemake then runs that one job.
"""

import signal
import subprocess
from pathlib import Path

from temper.environment.own_process import environment
from temper.errors import ArtifactError, ConfigError, EndedError
from temper.orchestration.by_hand import check_nothing_beside, check_unedited, records_here
from temper.orchestration.dvc import ask_dvc, refuse_braces
from temper.orchestration.handed_over import check_finished_is_recorded
from temper.orchestration.in_words import ALOUD
from temper.orchestration.job_record import read_job_record, record_path
from temper.orchestration.jobs import planned_jobs, run_command, snakemake_command
from temper.orchestration.links import check_no_links
from temper.orchestration.machines import FOLDER as MACHINES
from temper.orchestration.machines import machine_file, unseen
from temper.orchestration.origin import UNCHECKED
from temper.orchestration.preflight import check_slots
from temper.orchestration.remote_keys import check_no_keys
from temper.orchestration.run_lock import check_free
from temper.orchestration.settings_file import SETTINGS, is_listed, write_settings_json
from temper.orchestration.states import states
from temper.orchestration.study_repository import check_pipeline, make_ready, repro_command
from temper.orchestration.sync import remove_records_of_no_row
from temper.study.resolve import load_resolved

_REPRO = "run this study through DVC"


def _bring_outside_files() -> None:
    """Put tracked files from outside in place where they are missing: an experiment's temporary folder starts without."""
    for tracked in sorted(Path("data").glob("*.dvc")):
        if not tracked.with_suffix("").exists():
            ask_dvc(
                *("checkout", str(tracked)),
                affected="this run only; nothing was recorded",
                fix=f"dvc pull {tracked} fetches them from the remote; or put them there again (temper raw)",
            )


def _check_machines_seen() -> None:
    """Refuse what DVC would file under settings that nobody has seen: a stage has no rule that looks at a machine.

    Raises:
        ConfigError: no job has looked at a machine of the study.
    """
    missing = unseen(list(load_resolved("params.yaml").get("machines", {})))
    if missing:
        raise ConfigError(
            asked=_REPRO,
            happened=f"no job has looked at the machine {missing[0]}: {machine_file(missing[0])} is not there",
            affected="nothing: no stage was run",
            fix=f"snakemake --cores 1 {machine_file(missing[0])} there (or with the profile that gets there), git add it",
        )


def write_settings() -> None:
    """Write settings.json, and take the records of rows that are gone away. The first stage of every `dvc repro`.

    Before any other stage runs, whose files DVC removes first: it refuses where that would remove what a person made.

    Raises:
        BusyError: another run works here, on the files that DVC would remove.
        ArtifactError: files of a person lie in folders that DVC removes, artifacts were edited, or the study is finished and
            DVC knows nothing of it.
        ConfigError: the study cannot be planned, or its dvc.yaml is not the checkout's.
        ExperimentError: files from outside that DVC tracks are not in its cache, or it could not use the path of its cache.
    """
    check_free(_REPRO)
    refuse_braces()
    check_no_links(_REPRO)
    check_pipeline()
    _bring_outside_files()
    _check_machines_seen()
    jobs = planned_jobs()
    check_nothing_beside(_REPRO, [output for job in jobs for output in job.outputs])
    check_unedited(_REPRO, records_here())
    check_finished_is_recorded(_REPRO, jobs)
    print("".join(f"{line}\n" for line in remove_records_of_no_row(jobs)), end="")
    write_settings_json(jobs)


def _check_asked(rule: str, row: str) -> None:
    """Why a job could not run that Snakemake, which is told to be quiet, says nothing about.

    Raises:
        BusyError: another run works here.
        ConfigError: the study has no such job, or cannot be planned.
    """
    check_free(f"run {rule} {row}".rstrip())
    names = sorted(job.name for job in planned_jobs())
    if f"{rule} {row}".strip() not in names:
        raise ConfigError(
            asked=f"run the job {rule} {row}".rstrip(),
            happened="this study has no such job",
            affected="nothing: no job was started",
            fix=f"name one of its {len(names)} jobs, rule and row: {', '.join(names[:8])} … (temper plan lists all)",
        )


def run_job(rule: str, row: str, cores: int) -> int:
    """Run one job, whatever Snakemake remembers of it; return its exit code.

    Args:
        rule: of the Snakefile.
        row: of params.yaml; '' for a rule with one job.
        cores: for Snakemake.

    Raises:
        ConfigError: there is no such job, or settings.json is not of this params.yaml, or of other versions: DVC would file
            the result under settings it was not made with. The job's outputs are removed.
        BusyError: another run works here.
        ArtifactError: what the job made was edited by hand since.
        EndedError: a signal ended Snakemake.
    """
    check_slots({"--cores": cores})
    record = record_path(rule, row)
    check_unedited(f"run {rule} {row}".rstrip(), [record])
    arguments = ("--cores", str(cores), "--quiet", "all", "--force", record, "--allowed-rules", rule)
    done = subprocess.run(
        snakemake_command(".", *arguments), env=environment(**{UNCHECKED: "1", ALOUD: "1"}), check=False
    )
    if done.returncode < 0:  # it could say nothing itself
        raise EndedError(
            asked=f"run {rule} {row}".rstrip(),
            happened=f"Snakemake, which runs the job, was ended by signal {signal.Signals(-done.returncode).name}",
            affected="this job only: nothing of it counts as made, and the next run removes what it left",
            fix="see who ends processes here (a limit of the batch system, systemd-oomd, earlyoom), then the same command again",
        )
    if done.returncode != 0:
        _check_asked(rule, row)
        return done.returncode
    made = read_job_record(record)
    if not is_listed(rule, row, made.settings):
        for path in (record, *made.outputs):  # what this call has just made
            Path(path).unlink(missing_ok=True)
        raise ConfigError(
            asked=f"run {rule} {row}".rstrip(),
            happened=f"{SETTINGS} was not written for these settings (a single stage run without the stage `settings`?)",
            affected="nothing: the result was removed, DVC recorded none",
            fix="dvc repro, which begins with that stage; or dvc repro settings, then the same command again",
        )
    _say_cost(Path("logs", rule, f"{row}.log"))
    return 0


def _say_cost(log: Path) -> None:
    """Show how long a calibration took: an experiment's log goes with its temporary folder."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.is_file() else []
    print("".join(f"{line}\n" for line in lines if line.startswith("calibrating took ")), end="", flush=True)


def commit() -> int:
    """Hand a finished study to DVC without running anything: settings.json, then `dvc commit`. Returns its exit code.

    Raises:
        ArtifactError: an artifact is not of today's settings.
        ConfigError: the study cannot be planned, its dvc.yaml is not the checkout's, or .dvc/config holds a key.
        ExperimentError: DVC could not store them (no repository, a full disk).
    """
    check_pipeline(rows=False)
    check_no_keys("hand this study to DVC")
    jobs = planned_jobs()
    found = states(jobs)
    wrong = [(job, found[job.rule, job.row]) for job in jobs if not found[job.rule, job.row].current]
    if wrong:
        job, state = wrong[0]
        raise ArtifactError(
            asked="hand this study to DVC",
            happened=f"{len(wrong)} of {len(jobs)} artifacts are not of these settings ({job.name}: {state.reason})",
            affected="nothing: DVC was told nothing",
            fix=f"finish the study first ({run_command()}, or {repro_command()})",
        )
    print("".join(f"{line}\n" for line in remove_records_of_no_row(jobs)), end="")
    write_settings_json(jobs)
    written = make_ready()
    ask_dvc(
        *("commit", "--force", "dvc.yaml"),  # without a target DVC means every study of the checkout
        affected="DVC's record of this study only; the artifacts are whole and untouched",
        fix="mend what it names (a full disk: free some space, dvc gc --workspace), then the same command again",
    )
    seen = (MACHINES,) if Path(MACHINES).is_dir() else ()
    print(
        f"{len(jobs)} jobs handed to DVC: git add {' '.join((*written, 'dvc.lock', SETTINGS, *seen))}, git commit, dvc push"
    )
    return 0
