"""Are the artifacts in this folder the ones that Snakemake left here?

Snakemake judges by its own memory of the last run. DVC (checkout, pull, exp apply), git or a hand may have put other files
in place since; then that memory describes files that are gone. This is noticed before anything is planned.
"""

import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from temper.errors import ArtifactError, ForeignArtifacts
from temper.orchestration.job_record import is_remembered, record_path

TOLERANCE_S = 2.0  # network file systems have clocks of their own
UNCHECKED = "TEMPER_UNCHECKED"  # set for runs whose caller has looked already: `temper sync`, and DVC's stages


def foreign(jobs: Mapping[str, Iterable[str]]) -> list[str]:
    """Job records, by path, that are here and that Snakemake did not leave here."""
    paths = [(rule, row) for rule, rows in jobs.items() for row in rows]
    return [
        record_path(rule, row)
        for rule, row in paths
        if Path(record_path(rule, row)).is_file() and not is_remembered(rule, row)
    ]


def check_times(jobs: Mapping[str, Iterable[str]]) -> None:
    """Refuse to run beside artifacts from the future: Snakemake throws away what is older than what it was made from.

    Args:
        jobs: rule to rows.

    Raises:
        ArtifactError: a job record is younger than now, as after the clock was set back.
    """
    if UNCHECKED in os.environ:
        return
    for path in (record_path(rule, row) for rule, rows in jobs.items() for row in rows):
        if Path(path).is_file() and Path(path).stat().st_mtime > time.time() + TOLERANCE_S:
            raise ArtifactError(
                asked="plan this study with Snakemake",
                happened=f"{path} is from the future: the clock was set back, or it came from a machine whose clock is ahead",
                affected="nothing: no job was started",
                fix="look at the clock; temper sync then sets the times of such files to now, and checks their bytes",
            )


def check_origin(jobs: Mapping[str, Iterable[str]]) -> None:
    """Refuse to plan with a memory that belongs to other files.

    Args:
        jobs: rule to rows.

    Raises:
        ForeignArtifacts: some artifacts were put here by something other than Snakemake.
    """
    if UNCHECKED in os.environ:
        return
    found = foreign(jobs)
    if found:
        more = f" and {len(found) - 1} more" if len(found) > 1 else ""
        raise ForeignArtifacts(
            asked="plan this study with Snakemake",
            happened=f"artifacts were put here since its last run, by DVC or by hand ({found[0]}{more})",
            affected="nothing yet; Snakemake would take them for those it made itself, under other settings",
            fix="temper sync: it checks every artifact against its job record, and tells Snakemake; then run again",
        )
