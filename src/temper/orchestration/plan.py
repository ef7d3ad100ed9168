"""What would run and why, in words.

Which jobs run is Snakemake's word: the text of its dry run, whose form the pinned version and tests/workflow/test_plan.py
hold. Which setting changed is read from the job records, which hold the settings an artifact was made with.
"""

import re
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from temper.environment import plugins
from temper.environment.own_process import environment
from temper.errors import ArtifactError
from temper.orchestration.job_record import FOLDER, read_job_record, record_path
from temper.orchestration.jobs import Job, planned_jobs, snakemake_command
from temper.orchestration.made_files import whole
from temper.orchestration.states import changed_keys
from temper.reading.letters import for_a_terminal

# every rule's message is its name and, where it has one, its row
_JOB = re.compile(r"^Job \d+: (?P<rule>\w+)(?: (?P<row>\S+))?\nReason: (?P<reason>.*)$", re.MULTILINE)
_PROFILE = re.compile(r"Using .*profiles? .* for setting default command line arguments\.")  # no part of an error
SETTINGS_CHANGED = "its settings changed"
_FOLLOWS = "follows "
# what a changed key of a job's settings is in words; the key's own name where it is not listed
_WORDS = (
    ("source", "its code changed"),
    ("row.", ""),
    ("options.", "option "),
    ("versions.", ""),
    ("gpus", "GPU and driver"),
    ("machine.", "machine: "),
)


@dataclass(frozen=True)
class PlannedJob:
    """One job that would run: its rule, the row it is for ('' where there is one only) and the reasons."""

    rule: str
    row: str
    reasons: tuple[str, ...]

    @property
    def only_follows(self) -> bool:
        """Whether it would run for no other reason than that jobs before it do."""
        return all(reason.startswith(_FOLLOWS) for reason in self.reasons)

    def __str__(self) -> str:
        return f"{self.rule}{f' {self.row}' if self.row else ''}: {'; '.join(self.reasons)}"


def _library(settings: Mapping[str, Any]) -> str | None:
    """Name in words of the library that an engine is built with, or a candidate runs on."""
    for section, key, folder in (("row", "library", "engines"), ("backend", "runner", "backends")):
        name = settings.get(section, {}).get(key)
        if name in plugins.names(folder):
            library = plugins.load(folder, name).LIBRARY
            return library.title if library else None
    return None


def changed_settings(rule: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What changed between the settings of a job record and today's, in words: 'calibration method: percentile → nncf'."""
    found: list[str] = []
    for line in changed_keys(before, now):
        key, _, values = line.partition(": ")
        if key == "source":
            found.append("its code changed")
        elif key == "library_version":
            found.append(f"{_library(now) or 'library'} {values}")
        elif key == "row.version" and "library_version" in now:
            continue  # the same in other words: library_version is that version, resolved
        elif key.startswith("versions."):
            found.append(f"{key.removeprefix('versions.')} {values}")
        elif rule == "calibrate" and key.startswith("row."):
            found.append(f"calibration {key.removeprefix('row.')}: {values}")
        else:
            name = next((key.replace(start, word, 1) for start, word in _WORDS if key.startswith(start)), key)
            found.append(f"{name}: {values}")
    return found


def reasons_of(text: str) -> tuple[str, ...]:
    """Why a job has to run, of Snakemake's reason, in words."""
    found: list[str] = []
    for part in text.partition("Params have changed")[0].split("; "):
        key, _, files = part.partition(": ")
        # Snakemake's order differs from process to process; an artifact says more than its job's record
        names = sorted(files.split(", "), key=lambda name: (name.startswith(FOLDER), name))
        shown = f"{names[0]}{f' and {len(names) - 1} more' if len(names) > 1 else ''}"
        if key == "Missing output files":
            found.append(f"not there: {shown}")
        elif key == "Incomplete output files":
            found.append(f"left unfinished: {shown}")
        elif key == "Updated input files":
            found.append(f"changed: {shown}")
        elif key == "Input files updated by another job":
            found.append(_FOLLOWS + ", ".join(sorted({name.rpartition("/")[0] or name for name in names})))
        elif key.startswith("Set of input files has changed"):
            found.append("reads other files than last time")
        elif key.strip():
            found.append(part.strip())
    if "Params have changed" in text:
        found.append(SETTINGS_CHANGED)
    return tuple(found)


def parse_dry_run(text: str) -> list[PlannedJob]:
    """The jobs of a dry run, in its order; the target rule `all` is none."""
    return [PlannedJob(job["rule"], job["row"] or "", reasons_of(job["reason"])) for job in _JOB.finditer(text)]


def _has_record(planned: PlannedJob) -> bool:
    return Path(record_path(planned.rule, planned.row)).is_file()


def in_words(planned: PlannedJob, job: Job | None) -> PlannedJob:
    """A planned job whose changed settings are named, where its record is here.

    Snakemake gives no reason beyond the first that it finds: of a job that follows another, or whose file is not there, it does
    not say that its settings changed as well.
    """
    if job is None or not _has_record(planned):
        return planned
    try:
        before = read_job_record(record_path(job.rule, job.row)).settings
    except ArtifactError:
        return planned
    named = changed_settings(job.rule, before, job.settings)
    if not named:
        return planned
    others = [reason for reason in planned.reasons if reason != SETTINGS_CHANGED]
    return replace(planned, reasons=(*named, *others))


def wrapped(job: str, width: int) -> list[str]:
    """A job's lines on a terminal of so many columns: its name stands out, its reasons below it."""
    wrapper = textwrap.TextWrapper(width, initial_indent="  ", subsequent_indent="      ", break_on_hyphens=False)
    wrapper.break_long_words = False
    return wrapper.wrap(job)


def plan() -> int:
    """Print what `snakemake` would run in this folder; its own message and exit code where it refuses."""
    command = snakemake_command(".", "--dry-run", "--cores", "1", "--quiet", "host")
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment())
    if done.returncode != 0:
        said = f"{done.stdout.strip()}\n{done.stderr.strip()}".splitlines()
        print("\n".join(line for line in said if not _PROFILE.match(line)).strip(), file=sys.stderr)
        return done.returncode
    planned = parse_dry_run(done.stdout + done.stderr)
    if not planned:
        print("Nothing to be done: every artifact is there and belongs to these settings.")
        return 0
    every = {(job.rule, job.row): job for job in planned_jobs()} if any(map(_has_record, planned)) else {}
    planned = [in_words(job, every.get((job.rule, job.row))) for job in planned]
    print(f"{len(planned)} jobs would run:")
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else sys.maxsize
    for job in planned:
        print("\n".join(wrapped(for_a_terminal(str(job)), width)))
    may = sum(job.only_follows and bool(whole({job.rule: [job.row]})) for job in planned)
    if may:
        print(f"{may} of them only follow: where what one reads turns out the same, it adopts what it made last time.")
    return 0
