"""A folder results/<machine>/<study>/ as the documentation reads it."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from temper.errors import ArtifactError
from temper.measurement.record import SCHEMA_VERSION, Record
from temper.report.comparison import compare_records
from temper.report.packed import JOBS, MANIFESTS, RECORDS, Packed, sha256_of
from temper.report.withdrawn import Withdrawal, read_withdrawn, without_withdrawn


@dataclass(frozen=True)
class FiledStudy:
    """The params file, the records in the order of its candidates, and what comparing them says."""

    folder: Path
    params: dict[str, Any]
    records: tuple[Record, ...]  # without what was withdrawn
    compared: dict[str, Any]
    measured: tuple[Record, ...] = ()  # the same as they were measured: for no figure, only for what was executed
    withdrawn: tuple[Withdrawal, ...] = ()

    @property
    def baseline(self) -> str:
        """The candidate that is the baseline itself."""
        return baseline_of(self.params)

    def manifest(self, place: str) -> dict[str, Any]:
        """A manifest by its place below artifacts/, such as 'calibration/main/cache.json'."""
        return self._packed.document(MANIFESTS, place)

    @cached_property
    def _packed(self) -> Packed:
        return Packed(self.folder)


def baseline_of(params: Mapping[str, Any]) -> str:
    """The candidate of a params.yaml that is its baseline."""
    rows: Mapping[str, Mapping[str, Any]] = params["candidates"]
    baseline: Mapping[str, Any] = params["baseline"]
    return next(name for name, row in rows.items() if all(row[key] == value for key, value in baseline.items()))


def _unaltered(folder: Path, packed: Packed, candidate: str) -> Record:
    """A filed record, held against the digest in its job's record where that was filed too (older folders have none).

    The digest is of the file that was measured: the same bytes, put together again.
    """
    happened = None
    try:
        content = packed.document(RECORDS, candidate)
        job = packed.documents(JOBS).get(f"measure/{candidate}")
        if job is not None:
            outputs = packed.document(JOBS, f"measure/{candidate}")["outputs"]
            if outputs.get(f"artifacts/measurements/{candidate}.json") != sha256_of(content):
                happened = f"its digest is not the one of its job in {JOBS}: it was altered after it was measured"
        if happened is None:
            return Record.model_validate(content)
    except ArtifactError as error:
        happened = error.happened
    except (ValidationError, KeyError, AttributeError) as error:
        happened = f"it is not a record of schema version {SCHEMA_VERSION}: {str(error)[:300]}"
    raise ArtifactError(
        asked=f"read the record of {candidate} in {folder / RECORDS}",
        happened=happened,
        spoiled="the page; it was not changed",
        fix=f"git checkout -- {folder} puts back what was filed; or file the study anew (temper results)",
    )


def read_filed_study(folder: Path) -> FiledStudy:
    """Read what `temper results` filed, without what was withdrawn since.

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
    packed = Packed(folder)
    measured = [_unaltered(folder, packed, name) for name in params["candidates"]]
    workloads = {name for record in measured for name in record.workloads}
    entries = read_withdrawn(folder, list(params["candidates"]), workloads)
    records = tuple(without_withdrawn(record, entries) for record in measured)
    engines = {**params["engines"], **params.get("bucketed_engines", {})}  # older studies have the first alone
    compared = compare_records(records, baseline_of(params), params["analysis"], engines)
    return FiledStudy(folder, params, records, compared, tuple(measured), entries)
