"""A folder results/<machine>/<study>/ as the documentation reads it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from temper.artifact import sha256
from temper.errors import ArtifactError
from temper.measurement.record import Record, read_record
from temper.report.comparison import compare_records
from temper.tracking.job_record import read_job_record


@dataclass(frozen=True)
class FiledStudy:
    """The params file, the records in the order of its candidates, and what comparing them says."""

    folder: Path
    params: dict[str, Any]
    records: tuple[Record, ...]
    compared: dict[str, Any]

    @property
    def baseline(self) -> str:
        """The candidate that is the baseline itself."""
        return baseline_of(self.params)


def baseline_of(params: Mapping[str, Any]) -> str:
    """The candidate of a params.yaml that is its baseline."""
    rows: Mapping[str, Mapping[str, Any]] = params["candidates"]
    baseline: Mapping[str, Any] = params["baseline"]
    return next(name for name, row in rows.items() if all(row[key] == value for key, value in baseline.items()))


def _unaltered(folder: Path, candidate: str) -> Record:
    """A filed record, held against the digest in its job's record where that was filed too (older folders have none)."""
    file, job = folder / "measurements" / f"{candidate}.json", folder / "jobs" / "measure" / f"{candidate}.json"
    happened = None
    try:
        record = read_record(file)
    except ArtifactError as error:
        happened = error.happened
    else:
        if not job.is_file() or read_job_record(job).outputs.get(f"artifacts/measurements/{file.name}") == sha256(file):
            return record
        happened = f"its digest is not the one in {job}: it was altered after it was measured"
    raise ArtifactError(
        asked=f"read the filed record {file}",
        happened=happened,
        spoiled="the page; it was not changed",
        fix=f"git checkout -- {folder} puts back what was filed; or file the study anew (temper results)",
    )


def read_filed_study(folder: Path) -> FiledStudy:
    """Read what `temper results` filed.

    Raises:
        ArtifactError: the folder holds no params.yaml, or a record is missing, altered or of another schema version.
    """
    file = folder / "params.yaml"
    if not file.is_file():
        raise ArtifactError(
            asked=f"write the table of {folder}",
            happened=f"{file} does not exist",
            spoiled="the page; it was not changed",
            fix="file the study's records there first (results/README.md)",
        )
    params = yaml.safe_load(file.read_text(encoding="utf-8"))
    records = tuple(_unaltered(folder, name) for name in params["candidates"])
    engines = {**params["engines"], **params.get("bucketed_engines", {})}  # older studies have the first alone
    return FiledStudy(
        folder, params, records, compare_records(records, baseline_of(params), params["analysis"], engines)
    )
