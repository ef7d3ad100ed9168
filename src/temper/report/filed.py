"""A folder results/<machine>/<study>/ as the documentation reads it."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from temper.errors import ArtifactError
from temper.measurement.recomputed import disagreement
from temper.measurement.record import SCHEMA_VERSION, Record
from temper.measurement.remeasurements import Remeasurements, check_figures, settled
from temper.report.decide.compared import ComparedStudy
from temper.report.decide.comparison import compare_records
from temper.report.decide.decision import decide
from temper.report.packed import JOBS, MANIFESTS, RECORDS, REMEASUREMENTS, Packed, sha256_of
from temper.report.summary_markdown import markdown
from temper.report.withdrawn import Withdrawal, read_withdrawn, without_withdrawn
from temper.study.resolve import load_resolved


@dataclass(frozen=True)
class FiledStudy:
    """The params file, the records in the order of its candidates, and what comparing them says."""

    folder: Path
    params: dict[str, Any]
    records: tuple[Record, ...]  # without what was withdrawn
    compared: ComparedStudy
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


def _refused(folder: Path, asked: str, happened: str) -> ArtifactError:
    return ArtifactError(
        asked=asked,
        happened=happened,
        affected="the page; it was not changed",
        fix=f"git checkout -- {folder} puts back what was filed; or file the study anew (temper results)",
    )


def _document(folder: Path, packed: Packed, file: str, name: str, job: str, output: str) -> dict[str, Any]:
    """A filed document, held against the digest in its job's record where that was filed too (older folders have none).

    The digest is of the file that was measured: the same bytes, put together again.
    """
    asked = f"read {name} in {folder / file}"
    try:
        content = packed.document(file, name)
        digest = packed.document(JOBS, job)["outputs"].get(output) if job in packed.documents(JOBS) else None
    except (KeyError, AttributeError) as error:
        raise _refused(folder, asked, f"{JOBS} has no outputs of its job ({type(error).__name__})") from None
    if job in packed.documents(JOBS) and digest != sha256_of(content):
        raise _refused(
            folder, asked, f"its digest is not that of its job in {JOBS}: it was altered after it was measured"
        )
    return content


def _record(folder: Path, packed: Packed, candidate: str) -> Record:
    """The record of a candidate as it was measured."""
    output = f"artifacts/measurements/{candidate}.json"
    content = _document(folder, packed, RECORDS, candidate, f"measure/{candidate}", output)
    asked = f"read {candidate} in {folder / RECORDS}"
    try:
        record = Record.model_validate(content)
    except ValidationError as error:
        happened = f"it is not a record of schema version {SCHEMA_VERSION}: {str(error)[:300]}"
        raise _refused(folder, asked, happened) from None
    said = disagreement(record)
    if said is not None:
        raise _refused(folder, asked, f"its figures are not those of its raw values: {said}")
    return record


def _remeasurements(folder: Path, packed: Packed) -> Remeasurements | None:
    """The cells that were taken once more; None in folders without them."""
    name = Path(REMEASUREMENTS).stem
    if not packed.documents(REMEASUREMENTS):
        return None
    content = _document(folder, packed, REMEASUREMENTS, name, "remeasure", f"artifacts/{REMEASUREMENTS}")
    try:
        found = Remeasurements.model_validate(content)
        check_figures(found)
        return found
    except ValueError as error:  # of which pydantic's is one
        happened = f"they are not as they were written: {str(error)[:300]}"
        raise _refused(folder, f"read the remeasurements in {folder / REMEASUREMENTS}", happened) from None


def read_filed_study(folder: Path) -> FiledStudy:
    """Read what `temper results` filed: cells that were taken again as they then were, and none that was withdrawn since.

    Raises:
        ArtifactError: the folder holds no params.yaml, or a record is missing, altered or of another schema version.
    """
    file = folder / "params.yaml"
    if not file.is_file():
        raise ArtifactError(
            asked=f"write the table of {folder}",
            happened=f"{file} does not exist",
            affected="the page; it was not changed",
            fix="file the study's records there first (results/README.md)",
        )
    params = load_resolved(file)
    packed = Packed(folder)
    first = [_record(folder, packed, name) for name in params["candidates"]]
    measured = settled(first, _remeasurements(folder, packed))
    workloads = {name for record in measured for name in record.workloads}
    entries = read_withdrawn(folder, list(params["candidates"]), workloads)
    records = tuple(without_withdrawn(record, entries) for record in measured)
    engines = {**params["engines"], **params.get("bucketed_engines", {})}  # older studies have the first alone
    compared = compare_records(folder.name, records, baseline_of(params), params["analysis"], engines)
    return FiledStudy(folder, params, records, compared, tuple(measured), entries)


def summary_of(folder: Path) -> str:
    """The report of a filed study as a Markdown page: it is computed, for none is filed.

    Raises:
        ArtifactError: as `read_filed_study`.
    """
    study = read_filed_study(folder)
    return markdown(study.records, study.compared, decide(study.records, study.compared))
