"""The record of a load test: what LoadGen said, with what was asked and where it ran."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from temper.artifacts.census import census
from temper.artifacts.claims import check_claim
from temper.artifacts.manifest import canonical_json, write_text
from temper.environment import plugins
from temper.environment.devices import gpu_indices, nvidia_gpus
from temper.environment.machine import machine, versions
from temper.errors import ArtifactError, Unavailable
from temper.load_test.loadgen import run_load_test
from temper.measurement.conditions import conditions
from temper.measurement.machine_lock import machine_to_itself
from temper.reading.json_file import read_json

SCHEMA_VERSION = 1


class LoadTestRecord(BaseModel):
    """One load test; `result` is what `temper.load_test.loadgen.run_load_test` returned."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    schema_version: Literal[1]
    study: str = ""  # as of a measurement's record
    load_test: str
    status: Literal["measured", "not measured"]
    reason: str | None
    row: dict[str, Any]
    backend: dict[str, Any]
    result: dict[str, Any] | None
    machine: dict[str, Any]
    gpus: list[dict[str, str]]
    conditions_before: dict[str, Any]
    conditions_after: dict[str, Any]
    versions: dict[str, str]
    source_digest: str


def load_test(
    *,
    name: str,
    row: Mapping[str, Any],
    backend: Mapping[str, Any],
    library_version: str,
    workload: Mapping[str, Any],
    distinct_batches: int,
    seed: int,
    artifact: str,
    data_folder: str,
    quiet: Mapping[str, float],
    record: str,
    source_digest: str,
    serving: Mapping[str, Any] | None = None,
    machine_name: str = "",
) -> None:
    """Run one load test and write its record.

    Args:
        name: of the row of `load_tests:`.
        row: that row.
        backend: the row of `backends:` that it names.
        library_version: the backend's library, resolved while planning.
        workload: the row of `workloads:` that it names.
        distinct_batches: how many batches of the workload LoadGen's samples are made of.
        seed: the study's.
        artifact: folder of what it loads.
        data_folder: prepared data; only its test split is read.
        quiet: busy_share and quiet_wait_s of the section `measurement:`.
        record: where the record goes.
        source_digest: of the code that measures.
        serving: as `temper.load_test.serving.serving_of`.
        machine_name: as of `temper.measurement.measure.measure`.

    Raises:
        PrecisionNotActive: its name says INT8 or FP8, and the file does not show it.
        LoadTestError: LoadGen's process crashed or did not end in time.
        PipelineError: the artifact, the data or the backend is not what it should be.
    """
    kind, _, artifact_row = row["loads"].partition("/")
    if kind != "engines" and plugins.load("backends", backend["runner"]).PREDICTS:
        check_claim((name, artifact_row), census=census(Path(artifact) / "model.onnx") if kind == "onnx" else None)
    used = gpu_indices(backend["gpus"], backend["options"])
    gpus, before = nvidia_gpus(), conditions(used)
    facts: dict[str, Any] = {"status": "measured", "reason": None, "result": None}
    try:
        if backend["gpus"] > len(gpus):
            raise Unavailable(
                f"no NVIDIA GPU: the backend asks for {backend['gpus']}, this machine has {len(gpus) or 'none'}"
            )
        with machine_to_itself(f"the load test {name}"):
            facts["result"] = run_load_test(
                row=row,
                backend=backend,
                library_version=library_version,
                workload=workload,
                distinct_batches=distinct_batches,
                seed=seed,
                artifact=artifact,
                data_folder=data_folder,
                quiet=quiet,
                serving=serving,
            )
        facts |= {key: facts["result"][key] for key in ("status", "reason")}
    except Unavailable as lacking:
        facts |= {"status": "not measured", "reason": lacking.reason}
    written = LoadTestRecord(
        schema_version=1,
        load_test=name,
        row=dict(row),
        backend=dict(backend) | {"library_version": library_version},
        machine=machine() | ({"name": machine_name} if machine_name else {}),
        gpus=[{"name": gpu.name, "driver": gpu.driver_version} for gpu in gpus],
        conditions_before=before,
        conditions_after=conditions(used),
        versions=versions("numpy", "mlcommons-loadgen"),
        source_digest=source_digest,
        **facts,
    )
    write_text(record, canonical_json(written.model_dump(mode="json")))


def read_load_test(path: str | Path) -> LoadTestRecord:
    """Read a record and check its shape.

    Raises:
        ArtifactError: it is absent, no such record, or one of another schema version.
    """
    try:
        return LoadTestRecord.model_validate(read_json(path))
    except (ValidationError, ValueError, OSError) as error:
        raise ArtifactError(
            asked=f"read the load test {path}",
            happened=f"it is not a record of schema version {SCHEMA_VERSION}: {str(error)[:300]}",
            affected="every table that would hold it",
            fix="temper sync: puts it back from DVC's cache, or moves it out of the way for the next run to measure anew",
        ) from None
