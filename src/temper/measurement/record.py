"""The shape of one JSON record: what was measured, on what, with what, or why it was not."""

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from temper.artifact import canonical_json, write_text
from temper.errors import ArtifactError

SCHEMA_VERSION = 1


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class NotMeasured(_Closed):
    """A measurement that did not happen, and why. Nothing is ever put in its place."""

    status: Literal["not measured"] = "not measured"
    reason: str


class Artifact(_Closed):
    """What was loaded, by the digests of its files."""

    loads: str
    files_sha256: dict[str, str]
    size_bytes: int  # of the weights and the graph, or of the engine; tokenizer and manifests left out
    producer: dict[str, Any]  # versions its maker recorded


class Workload(_Closed):
    """Latencies of one workload, host arrays to host logits."""

    status: Literal["measured"] = "measured"
    batch_size: int
    sequence_length: int | None
    latencies_ms: list[float]
    latency_percentiles_ms: dict[str, float]  # '50' is the median
    latency_mean_ms: float
    timed_runs: int
    warmup_runs: int
    first_call_ms: float
    throughput_samples_per_s: float  # samples over the sum of the timed calls, one call after the other
    padding_share: float  # of the tokens of the timed inputs, 0–1
    inputs_sha256: str  # equal for every candidate of the workload


class Accuracy(_Closed):
    """Predictions on the whole test split by the runner that was timed."""

    status: Literal["measured"] = "measured"
    split: Literal["test"] = "test"
    accuracy: float  # 0–1
    rows: int
    batch_size: int
    cut_rows: int
    predictions: list[int]
    logits: list[list[float]]
    labels_sha256: str


class Record(_Closed):
    """One candidate's measurement."""

    schema_version: Literal[1]
    study: str
    candidate: str
    status: Literal["measured", "not measured"]
    reason: str | None  # why not, where not
    backend: dict[str, Any]
    artifact: Artifact | None
    ran: dict[str, Any] | None  # the runner's own description
    load_s: float | None
    rss_before_load_mib: float | None
    peak_rss_mib: float | None
    workloads: dict[str, Workload | NotMeasured]
    accuracy: Accuracy | NotMeasured
    comparison: NotMeasured  # with the baseline, paired; none is computed by this version
    measurement: dict[str, Any]
    seed: int
    machine: dict[str, Any]
    gpus: list[dict[str, str]]
    versions: dict[str, str]
    source_digest: str


def write_record(path: str | Path, record: Record) -> None:
    """Write a record, whole or not at all."""
    write_text(path, canonical_json(record.model_dump(mode="json")))


def read_record(path: str | Path) -> Record:
    """Read a record and check its shape.

    Raises:
        ArtifactError: it is absent, no record, or one of another schema version.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        return Record.model_validate(content)
    except (ValidationError, ValueError, FileNotFoundError) as error:
        version = content.get("schema_version") if "content" in locals() and isinstance(content, dict) else None
        raise ArtifactError(
            asked=f"read the record {path}",
            happened=f"it is not a record of schema version {SCHEMA_VERSION} (it says {version}): {str(error)[:300]}",
            spoiled="every table that would hold it",
            fix="temper sync: puts it back from DVC's cache, or removes it for the next run to measure anew",
        ) from None
