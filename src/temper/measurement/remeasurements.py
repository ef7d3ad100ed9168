"""The cells of a study that were taken once more, and the records with them in place; nothing is measured here."""

import statistics
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from temper.errors import ArtifactError
from temper.measurement.recomputed import disagreement_of
from temper.measurement.record import NotMeasured, Record, Workload
from temper.measurement.record_file import read_record
from temper.reading.json_file import read_json

SCHEMA_VERSION = 1


class Remeasured(BaseModel):
    """A cell that was taken again: why, and what came of it."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    why: str
    workload: Workload | NotMeasured


class Remeasurements(BaseModel):
    """artifacts/remeasurements.json: by candidate and workload."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    schema_version: int
    study: str = ""  # as of a record
    latency_margin: float
    cells: dict[str, dict[str, Remeasured]]
    source_digest: str


def baseline_level_ms(workload: Workload) -> float | None:
    """The baseline's lower median beside a candidate (mean for real lengths), ms; None where it was not timed."""
    latencies = workload.baseline_latencies_ms
    if latencies is None:
        return None
    return statistics.fmean(latencies) if workload.real_lengths else statistics.median_low(latencies)


def settled(records: Sequence[Record], remeasurements: Remeasurements | None) -> list[Record]:
    """The records with the cells that were taken again in the place of the first ones."""
    if remeasurements is None:
        return list(records)
    return [
        record.model_copy(
            update={
                "workloads": {
                    **record.workloads,
                    **{name: cell.workload for name, cell in remeasurements.cells.get(record.candidate, {}).items()},
                }
            }
        )
        for record in records
    ]


def settled_record(file: Path, again: Path) -> Record:
    """A candidate's record with the cells of it that were taken once more.

    Args:
        file: its record.
        again: artifacts/remeasurements.json of the same study; where it is not there, nothing was taken once more.

    Raises:
        ArtifactError: either is not as it was written.
    """
    (record,) = settled([read_record(file)], read_remeasurements(again) if again.is_file() else None)
    return record


def check_figures(remeasurements: Remeasurements) -> None:
    """Hold the figures of every cell against the raw values in it.

    Raises:
        ValueError: one does not follow from them.
    """
    for candidate, cells in remeasurements.cells.items():
        for name, cell in cells.items():
            said = disagreement_of(cell.workload) if isinstance(cell.workload, Workload) else None
            if said is not None:
                raise ValueError(f"the figures of {candidate} at {name} are not those of its raw values: {said}")


def read_remeasurements(path: str | Path) -> Remeasurements:
    """Read what `remeasure` wrote.

    Raises:
        ArtifactError: it is absent, or has another form.
    """
    try:
        found = Remeasurements.model_validate(read_json(path))
        check_figures(found)
        return found
    except (ValidationError, ValueError, OSError) as error:
        raise ArtifactError(
            asked=f"read the remeasurements {path}",
            happened=f"they are absent, or not as they were written: {str(error)[:300]}",
            affected="every table that would hold them",
            fix="temper sync: puts them back from DVC's cache, or moves them out of the way for the next run to take anew",
        ) from None
