"""The one measurement for every backend: candidate and baseline in turns, each also alone; one record."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from temper.artifacts.census import census
from temper.artifacts.claims import check_claim
from temper.artifacts.manifest import MANIFESTS, read_manifest
from temper.artifacts.signature import BATCH_AXIS, Signature, read_signature
from temper.backends.runner import depends_on_batch
from temper.data.encoded import Split, check_split, read_split
from temper.environment import plugins
from temper.environment.devices import gpu_indices, nvidia_gpus
from temper.environment.machine import machine, versions
from temper.errors import Unavailable
from temper.measurement.conditions import around_timing, conditions, warnings
from temper.measurement.isolated import OutOfMemory
from temper.measurement.processes import Json, Processes
from temper.measurement.record import (
    Accuracy,
    Artifact,
    ColdStart,
    Memory,
    NotMeasured,
    Predictions,
    Record,
    write_record,
)
from temper.measurement.task import signature_of
from temper.measurement.timed_inputs import check_length
from temper.measurement.workload import workload_of
from temper.tasks.task import task_of

MODEL_SUFFIXES = (".safetensors", ".onnx", ".data", ".engine")


def describe_artifact(loads: str, folder: Path) -> Artifact:
    """What a folder of artifacts holds, its bytes held against its manifest.

    Args:
        loads: checkpoint, onnx/<row> or engines/<row>.
        folder: where it is.

    Raises:
        ArtifactError: it is not what its manifest says.
    """
    kind = loads.partition("/")[0]
    manifest = read_manifest(folder / MANIFESTS[kind], kind={"engines": "engine"}.get(kind, kind))
    files: dict[str, dict[str, Any]] = manifest["files"]
    return Artifact(
        loads=loads,
        files_sha256={name: facts["sha256"] for name, facts in files.items()},
        size_bytes=sum(facts["size_bytes"] for name, facts in files.items() if name.endswith(MODEL_SUFFIXES)),
        producer=manifest.get("versions", {}),
        census=census(folder / "model.onnx").model_dump(mode="json") if kind == "onnx" else None,
    )


def _accuracy(taken: Json, split: Split, signature: Signature, stated: int) -> Accuracy | NotMeasured:
    labels, task = split.labels, task_of(signature.labels)
    predictions: Json | None = taken["predictions"]
    if predictions is None:
        lacking = taken.get("why_no_predictions")
        return NotMeasured(reason=f"out of memory: {lacking}" if lacking else "the backend computes no logits")
    return Accuracy(
        rows=len(labels),
        labels=labels.tolist(),
        label_names=list(signature.label_names),
        task=signature.labels,
        thresholds=signature.thresholds,
        outputs=signature.outputs,
        groups=None if split.groups is None else split.groups.tolist(),
        stated=str(stated),
        by_batch_size={
            size: Predictions(accuracy=task.figure(np.asarray(answer["predictions"]), labels), **answer)
            for size, answer in predictions.items()
        },
    )


def measure(
    *,
    candidate: str,
    row: Mapping[str, Any],
    backend: Mapping[str, Any],
    library_version: str,
    baseline: Mapping[str, Any],
    baseline_backend: Mapping[str, Any],
    baseline_version: str,
    baseline_artifact: str,
    workloads: Mapping[str, Mapping[str, Any]],
    measurement: Mapping[str, Any],
    seed: int,
    artifact: str,
    data_folder: str,
    record: str,
    source_digest: str,
    machine_name: str = "",
) -> None:
    """Measure one candidate beside the baseline and write its record.

    Args:
        candidate: name of the candidate.
        row: its row of `candidates:`.
        backend: the row of `backends:` that it names.
        library_version: the backend's library, resolved while planning; a version that is not there is an error.
        baseline: the section of that name.
        baseline_backend: the row of `backends:` that it names.
        baseline_version: as library_version, of the baseline's backend.
        baseline_artifact: folder of what the baseline loads.
        workloads: each one it names: sizes by axis, or batch_size and real_lengths.
        measurement: the section of that name.
        seed: the study's.
        artifact: folder of the checkpoint, ONNX file or engine.
        data_folder: prepared data; only its test split is read.
        record: where the record goes.
        source_digest: of the code that measures.
        machine_name: the row of `machines:` that this machine is; '' where the study names none.

    Raises:
        ArtifactError: the artifact or the test split is not what its manifest says.
        DataError: a workload's rows are longer than the model takes.
        BackendError: the backend cannot load it, or would run elsewhere or in another precision than asked.
        LibraryError: the library is absent or of another version.
    """
    module = plugins.load("backends", backend["runner"])
    kind = row["loads"].partition("/")[0]
    gpus = [{"name": gpu.name, "driver": gpu.driver_version} for gpu in nvidia_gpus()]
    described = describe_artifact(row["loads"], Path(artifact))
    reference = describe_artifact(baseline["loads"], Path(baseline_artifact))
    data = Path(data_folder)
    longest = check_split(data, "test")["max_tokens"]
    for sizes in workloads.values():
        check_length(sizes, longest)
    signature = read_signature(data / "signature.json")
    names = (candidate, row["loads"].partition("/")[2])
    if module.PREDICTS and kind == "onnx":
        check_claim(names, census=described.census)
    used = gpu_indices(backend["gpus"], backend["options"])
    before = conditions(used)
    timed_gpus: tuple[list[Json] | None, list[Json] | None] = (None, None)
    facts: Json = {
        "schema_version": 2,
        "candidate": candidate,
        "backend": {"name": row["backend"], "library_version": library_version, **backend},
        "measurement": dict(measurement),
        "seed": seed,
        "machine": machine() | ({"name": machine_name} if machine_name else {}),
        "gpus": gpus,
        "versions": versions("numpy", *(module.LIBRARY.distributions if module.LIBRARY else ())),
        "source_digest": source_digest,
        "conditions_before": before,
    }
    compared: Json = {
        **baseline,
        "library_version": baseline_version,
        "files_sha256": reference.files_sha256,
        "ran": None,
    }
    try:
        if backend["gpus"] > len(gpus):
            have = f"this machine has {len(gpus)}" if gpus else "this machine has none"
            raise Unavailable(f"no NVIDIA GPU: the backend asks for {backend['gpus']}, {have}")
        stated = measurement["accuracy_batch_size"]
        timed_sizes = [sizes[BATCH_AXIS] for sizes in workloads.values()]
        dependent = (
            described.census["batch_dependent"] if described.census else depends_on_batch(module, backend["options"])
        )
        taken = Processes(
            {
                "runner": backend["runner"],
                "artifact": artifact,
                "options": backend["options"],
                "version": library_version,
            },
            {
                "runner": baseline_backend["runner"],
                "artifact": baseline_artifact,
                "options": baseline_backend["options"],
                "version": baseline_version,
            },
            {
                "name": candidate,
                "data_folder": data_folder,
                "workloads": {name: dict(sizes) for name, sizes in workloads.items()},
                "measurement": dict(measurement),
                "seed": seed,
            },
            used,
            list(dict.fromkeys([stated, *(timed_sizes if dependent else [])])),
        ).take()
        if module.PREDICTS and kind == "engines":
            check_claim(names, layers_by_precision=taken["ran"].get("layers_by_precision"))
        if module.PREDICTS and kind == "checkpoint":  # what runs is the backend's choice, and its trace shows it
            check_claim(names, executed=next(iter(taken["alone"]["executed"].values())))
        alone = taken["alone"]
        gpu = alone["memory"].pop("gpu")
        facts |= {
            "status": "measured",
            "reason": None,
            "ran": taken["ran"],
            "threads": alone["threads"],
            "cold_start": ColdStart(**alone["cold_start"]),
            "memory": Memory(**alone["memory"], gpu_peak_mib=gpu["peak_mib"], gpu_reason=gpu["reason"]),
            "workloads": {name: workload_of(name, sizes, taken, measurement) for name, sizes in workloads.items()},
            "accuracy": _accuracy(
                taken,
                read_split(data / "test.parquet", signature),
                signature_of(artifact, signature),
                stated,
            ),
        }
        compared["ran"] = taken.get("ran_baseline")
        timed_gpus = (
            taken.get("gpus_before"),
            taken.get("gpus_after"),
        )  # around the timing itself, where it was in turns
    except (Unavailable, OutOfMemory) as lacking:
        reason = lacking.reason if isinstance(lacking, Unavailable) else f"out of memory: {lacking}"
        missing = NotMeasured(reason=reason)
        facts |= {
            "status": "not measured",
            "reason": reason,
            "ran": None,
            "threads": None,
            "cold_start": None,
            "memory": None,
            "workloads": {name: missing for name in workloads},
            "accuracy": missing,
        }
    after = conditions(used)
    if timed_gpus[0] is not None and timed_gpus[1] is not None:
        before["gpus"] = around_timing(before["gpus"], timed_gpus[0])
        after["gpus"] = around_timing(after["gpus"], timed_gpus[1])
    facts |= {"conditions_after": after, "warnings": warnings(before, after, machine()["cores_usable"])}
    write_record(record, Record(artifact=described, baseline=compared, **facts))
    print(f"{candidate}:", facts["status"], facts["reason"] or "")
