"""Are the artifacts in this folder the ones that Snakemake left here?

Snakemake judges by its own memory of the last run. DVC (checkout, pull, exp apply), git or a hand may have put other files
in place since; then that memory describes files that are gone. This is noticed before anything is planned.
"""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from temper.errors import ForeignArtifacts
from temper.tracking.job_record import is_remembered, record_path

UNCHECKED = "TEMPER_UNCHECKED"  # set for runs whose caller has looked already: `temper sync`, and DVC's stages


def foreign(jobs: Mapping[str, Iterable[str]]) -> list[str]:
    """Job records, by path, that are here and that Snakemake did not leave here."""
    paths = [(rule, row) for rule, rows in jobs.items() for row in rows]
    return [
        record_path(rule, row)
        for rule, row in paths
        if Path(record_path(rule, row)).is_file() and not is_remembered(rule, row)
    ]


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
            spoiled="nothing yet; Snakemake would take them for those it made itself, under other settings",
            fix="temper sync: it checks every artifact against its job record, and tells Snakemake; then run again",
        )
