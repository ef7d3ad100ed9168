"""A filed folder made by hand, small enough to be followed."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from temper.measurement.record import Record
from temper.report.filing import write_filed
from temper.report.packed import JOBS, MANIFESTS, RECORDS, REMEASUREMENTS, pack, sha256_of
from tests.records import ANALYSIS


def job_of(rule: str, row: str, output: str, content: Mapping[str, Any]) -> dict[str, Any]:
    """The record of the job that wrote a file, as far as its digests are read."""
    return {"format_version": 1, "rule": rule, "row": row, "outputs": {output: sha256_of(content)}}


def file_study(
    folder: Path,
    records: Sequence[Record],
    *,
    jobs: bool = True,
    manifests: Mapping[str, Any] | None = None,
    remeasurements: Mapping[str, Any] | None = None,
) -> None:
    """File these records, the first of which is the baseline's."""
    rows = {record.candidate: {"backend": record.candidate, "loads": "checkpoint"} for record in records}
    params = {"candidates": rows, "baseline": rows[records[0].candidate], "analysis": ANALYSIS, "engines": {}}
    measured = {record.candidate: record.model_dump(mode="json") for record in records}
    documents = {RECORDS: measured, JOBS: {}, MANIFESTS: dict(manifests or {})}
    if jobs:
        documents[JOBS] = {
            f"measure/{name}": job_of("measure", name, f"artifacts/measurements/{name}.json", content)
            for name, content in measured.items()
        }
    if remeasurements is not None:
        documents[REMEASUREMENTS] = {"remeasurements": remeasurements}
        documents[JOBS]["remeasure"] = job_of("remeasure", "", "artifacts/remeasurements.json", remeasurements)
    content = pack({file: found for file, found in documents.items() if found})
    write_filed(folder, {"params.yaml": yaml.safe_dump(params, sort_keys=False).encode(), **content})
