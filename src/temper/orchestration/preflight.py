"""What can be refused before any job starts."""

import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from temper.environment.machine import SOURCE_ROOT
from temper.errors import ConfigError, StorageError
from temper.orchestration.by_hand import check_unedited
from temper.orchestration.in_words import speak
from temper.orchestration.job_record import record_path
from temper.orchestration.links import check_no_links
from temper.orchestration.origin import UNCHECKED, check_origin, check_times
from temper.orchestration.run_lock import begin, check_free, clear_after_a_kill

ROOM, FILES = 2 * 2**20, 100  # bytes and files; of some file systems the number of files is not known (0)
_DRY_RUN = {"-n", "--dry-run", "--dryrun"}


def check_code(checkout: str | Path) -> None:
    """Check that the package that runs is the one beside the Snakefile.

    Raises:
        ConfigError: it is another checkout's, as where two checkouts share one Python environment.
    """
    if Path(checkout).resolve() / "src" != SOURCE_ROOT:
        raise ConfigError(
            asked="run the Snakefile of this checkout",
            happened="the package temper that is installed here belongs to another checkout",
            affected="nothing: no job was started",
            fix="make setup in this checkout and its own .venv/bin/snakemake; or PYTHONPATH=$PWD/src before the command",
        )


def check_storage(provider: str | None) -> None:
    """Check that the files of a run stay in the study's folder (docs/decisions/0101).

    Args:
        provider: Snakemake's default storage provider; None where there is none.

    Raises:
        ConfigError: there is one. Jobs would look for the study's paths and find copies under other names.
    """
    if provider:
        raise ConfigError(
            asked=f"run a study with --default-storage-provider {provider}",
            happened="every job would read and write copies below .snakemake/storage, while rules, job records and DVC go by the"
            " paths of the study's folder",
            affected="nothing: no job was started",
            fix="leave the provider out: a file system that all nodes see (docs/how-to/cluster.md) takes its place;"
            " what was made goes to S3 with temper push, and comes back with temper pull",
        )


def check_start(jobs: Mapping[str, Iterable[str]], slots: Mapping[str, int | None]) -> None:
    """Everything that is checked before a study is planned.

    Args:
        jobs: rule to rows.
        slots: how many cores and jobs at once Snakemake was given, by the name of its option; None where it was not.

    Raises:
        ConfigError: no job could ever start.
        StorageError: its folders cannot be written, their disk is full, or one of them is a link to somewhere else.
        BusyError: another run works in this folder, or a job of a killed one; a dry run may look all the same.
        ArtifactError: artifacts are from the future, or are not what their jobs wrote: edited by hand, or another study's.
        ForeignArtifacts: artifacts were put here by something other than Snakemake.
    """
    check_slots(slots)
    check_no_links("plan this study with Snakemake")
    check_writable("data", "artifacts", "logs")
    runs = not _DRY_RUN & set(sys.argv)
    if runs:
        check_room()
        check_free("run this study")
        print(
            "".join(f"{line}\n" for line in clear_after_a_kill("run this study")), end="", file=sys.stderr, flush=True
        )
        begin()
    check_times(jobs)
    check_origin(jobs)
    if UNCHECKED not in os.environ:
        asked = "run this study" if runs else "plan this study"
        check_unedited(asked, (record_path(rule, row) for rule, rows in jobs.items() for row in rows))


def check_slots(slots: Mapping[str, int | None]) -> None:
    """Check that there is room for a job: with none, Snakemake waits for it without an end and without a word.

    Args:
        slots: as of `check_start`.

    Raises:
        ConfigError: a number below 1.
    """
    for option, number in slots.items():
        if number is not None and number < 1:
            raise ConfigError(
                asked=f"run a study with {option} {number}",
                happened="no job can ever start with that",
                affected="nothing: no job was started",
                fix=f"give {option} 1 or more (a script that computes the number may have got 0)",
            )


def check_writable(*folders: str) -> None:
    """Check that artifacts can be written below the working directory.

    Raises:
        StorageError: one of the folders, or the place where it would be made, is read-only.
    """
    for name in folders:
        folder = Path(name)
        place = folder if folder.exists() else Path(".")
        if not os.access(place, os.W_OK | os.X_OK) or (folder.exists() and not folder.is_dir()):
            raise StorageError(
                asked=f"write the study's results below {folder}/",
                happened=f"{place.resolve().name or place} is {'read-only' if place.is_dir() else 'not a folder'}",
                affected="nothing: no job was started",
                fix="give yourself write permission there, or run with --directory in a folder that is writable",
            )


def check_room() -> None:
    """Check that the disk of the working directory has room for the notes of a run, which Snakemake writes before any job.

    What a job needs nobody knows before it has written it; a full disk then is said by the job.

    Raises:
        StorageError: it has not.
    """
    speak()
    disk = os.statvfs(".")
    free = disk.f_bavail * disk.f_frsize
    if free < ROOM:
        happened = (
            f"No space left on device: {free // 1024:,} KiB are free, and a run's own notes need {ROOM // 1024:,}"
        )
    elif disk.f_files and disk.f_favail < FILES:
        happened = (
            f"No space left on device: it takes {disk.f_favail} more files, and a run's own notes are up to {FILES}"
        )
    else:
        return
    raise StorageError(
        asked="run this study",
        happened=happened,
        affected="nothing: no job was started",
        fix="free some space (docs/troubleshooting.md lists what may go), then run the same command again",
    )
