"""A folder results/<machine>/<study>/ as the documentation reads it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from temper.errors import ArtifactError
from temper.measurement.record import Record, read_record
from temper.report.comparison import compare_records


@dataclass(frozen=True)
class FiledStudy:
    """The params file, the records in the order of its candidates, and what comparing them says."""

    folder: Path
    params: dict[str, Any]
    records: tuple[Record, ...]
    compared: dict[str, Any]


def read_filed_study(folder: Path) -> FiledStudy:
    """Read what `temper results` filed.

    Raises:
        ArtifactError: the folder holds no params.yaml, or a record is missing or of another schema version.
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
    records = tuple(read_record(folder / "measurements" / f"{name}.json") for name in params["candidates"])
    baseline = params["baseline"]
    same = next(
        name for name, row in params["candidates"].items() if all(row[key] == value for key, value in baseline.items())
    )
    engines = {**params["engines"], **params.get("bucketed_engines", {})}  # older studies have the first alone
    return FiledStudy(folder, params, records, compare_records(records, same, params["analysis"], engines))
