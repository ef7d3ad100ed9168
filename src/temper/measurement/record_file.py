"""A record's file, read: its shape is checked, and its figures are held against the raw values in it."""

from pathlib import Path

from pydantic import ValidationError

from temper.errors import ArtifactError
from temper.measurement.recomputed import disagreement
from temper.measurement.record import SCHEMA_VERSION, Record
from temper.reading.json_file import read_json

MOST_BYTES = 2**30  # of a record: the logits of 50,000 images with 1,000 labels


def read_record(path: str | Path) -> Record:
    """Read a record, check its shape, and hold its figures against the raw values in it.

    Raises:
        ArtifactError: it is absent, no record, one of another schema version, or a figure does not follow from its raw values.
    """
    try:
        content = read_json(path, MOST_BYTES)
        record = Record.model_validate(content)
    except (ValidationError, ValueError, OSError) as error:
        version = content.get("schema_version") if "content" in locals() and isinstance(content, dict) else None
        details = "" if version not in (None, SCHEMA_VERSION) else f": {str(error)[:300]}"
        raise ArtifactError(
            asked=f"read the record {path}",
            happened=f"it is not a record of schema version {SCHEMA_VERSION} (it says {version}){details}",
            affected="every table that would hold it",
            fix="temper sync: puts it back from DVC's cache, or moves it out of the way for the next run to measure anew",
        ) from None
    said = disagreement(record)
    if said is not None:
        raise ArtifactError(
            asked=f"read the record {path}",
            happened=f"its figures are not those of its raw values: {said}",
            affected="every table that would hold it",
            fix="temper sync: puts it back from DVC's cache, or moves it out of the way for the next run to measure anew",
        )
    return record
