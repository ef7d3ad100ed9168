"""Records as their jobs wrote them: one that was edited by hand has no place in a table."""

from collections.abc import Sequence
from pathlib import Path

from temper.artifacts.manifest import sha256
from temper.errors import ArtifactError
from temper.orchestration.job_record import read_job_record


def check_jobs(jobs: Sequence[str]) -> None:
    """Check what these jobs wrote against the digests in their records.

    Raises:
        ArtifactError: a file was altered since, or a job has no record.
    """
    for path in jobs:
        for file, digest in read_job_record(path).outputs.items():
            if sha256(file) != digest:
                raise altered(file, path)


def altered(file: str | Path, job: str | Path) -> ArtifactError:
    """The error for a record that is not the one its job wrote."""
    return ArtifactError(
        asked=f"report {file}",
        happened=f"{file} is not the record that was measured: altered since (its job's record is {job})",
        affected="every table that would hold it; nothing was written",
        fix="temper sync: takes the measured record from DVC's cache, or lets it be measured anew",
    )
