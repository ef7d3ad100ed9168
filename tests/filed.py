"""A filed folder made by hand, small enough to be followed."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from temper.measurement.record import Record
from temper.report.filing import write_filed
from temper.report.packed import JOBS, MANIFESTS, RECORDS, pack, sha256_of
from tests.records import ANALYSIS


def job_of(record: Record) -> dict[str, Any]:
    """The record of the job that measured it, as far as its digests are read."""
    written = {f"artifacts/measurements/{record.candidate}.json": sha256_of(record.model_dump(mode="json"))}
    return {"format_version": 1, "rule": "measure", "row": record.candidate, "outputs": written}


def file_study(folder: Path, records: Sequence[Record], *, jobs: bool = True, **manifests: Any) -> None:
    """File these records, the first of which is the baseline's."""
    rows = {record.candidate: {"backend": record.candidate, "loads": "checkpoint"} for record in records}
    params = {"candidates": rows, "baseline": rows[records[0].candidate], "analysis": ANALYSIS, "engines": {}}
    documents = {RECORDS: {record.candidate: record.model_dump(mode="json") for record in records}}
    if jobs:
        documents[JOBS] = {f"measure/{record.candidate}": job_of(record) for record in records}
    if manifests:
        documents[MANIFESTS] = manifests
    write_filed(folder, {"params.yaml": yaml.safe_dump(params, sort_keys=False).encode(), **pack(documents)})
