"""The one measurement for every backend: load, time, predict, record."""

import hashlib
import resource
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from temper import plugins
from temper.artifact import read_manifest
from temper.backends.runner import Runner
from temper.data.encoded import Split, read_split
from temper.devices import nvidia_gpus
from temper.errors import Unavailable
from temper.measurement.accuracy import accuracy, predict
from temper.measurement.latency import Timing, time_call, time_inference
from temper.measurement.record import Accuracy, Artifact, NotMeasured, Record, Workload, write_record
from temper.measurement.timed_inputs import TimedInputs, timed_inputs
from temper.provenance import machine, versions
from temper.signature import SEQUENCE_AXIS, Signature

MANIFESTS = {"checkpoint": "checkpoint.json", "onnx": "onnx.json", "engines": "engine.json"}
MODEL_SUFFIXES = (".safetensors", ".onnx", ".data", ".engine")
NO_COMPARISON = NotMeasured(reason="paired comparison with the baseline is not part of this record version")


def _peak_rss_mib() -> float:
    """Peak resident set of this process so far, in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1024 * 1024 if sys.platform == "darwin" else 1024), 1)


def _describe_artifact(loads: str, folder: Path) -> Artifact:
    kind = loads.partition("/")[0]
    manifest = read_manifest(folder / MANIFESTS[kind], kind={"engines": "engine"}.get(kind, kind))
    files: dict[str, dict[str, Any]] = manifest["files"]
    return Artifact(
        loads=loads,
        files_sha256={name: facts["sha256"] for name, facts in files.items()},
        size_bytes=sum(facts["size_bytes"] for name, facts in files.items() if name.endswith(MODEL_SUFFIXES)),
        producer=manifest.get("versions", {}),
    )


def _time_workload(
    runner: Runner, inputs: TimedInputs, sizes: Mapping[str, int], measurement: Mapping[str, Any]
) -> Workload:
    _, first_call_s = time_call(lambda: runner.infer(inputs.batches[0]), time.perf_counter_ns)
    timing: Timing = time_inference(
        runner,
        inputs.batches,
        warmup_runs=measurement["warmup_runs"],
        min_timed_runs=measurement["min_timed_runs"],
        max_timed_runs=measurement["max_timed_runs"],
        min_duration_s=measurement["min_duration_s"],
        clock_ns=time.perf_counter_ns,
    )
    return Workload(
        batch_size=sizes["batch_size"],
        sequence_length=sizes.get(SEQUENCE_AXIS),
        latencies_ms=[latency / 1e6 for latency in timing.latencies_ns],
        latency_percentiles_ms={f"{p:g}": timing.percentile_ms(p) for p in measurement["percentiles"]},
        latency_mean_ms=timing.mean_ms,
        timed_runs=len(timing.latencies_ns),
        warmup_runs=measurement["warmup_runs"],
        first_call_ms=first_call_s * 1e3,
        throughput_samples_per_s=sizes["batch_size"] * len(timing.latencies_ns) / timing.total_s,
        padding_share=inputs.padding_share,
        inputs_sha256=inputs.sha256,
    )


def _predict(runner: Runner, split: Split, signature: Signature, batch_size: int) -> Accuracy:
    predictions = predict(runner, split, signature, batch_size=batch_size)
    return Accuracy(
        accuracy=accuracy(predictions.labels, split.labels),
        rows=len(split.labels),
        batch_size=predictions.batch_size,
        cut_rows=predictions.cut_rows,
        predictions=predictions.labels.tolist(),
        logits=np.round(predictions.logits.astype(np.float64), 6).tolist(),
        labels_sha256=hashlib.sha256(split.labels.tobytes()).hexdigest(),
    )


def measure(
    *,
    study: str,
    candidate: str,
    row: Mapping[str, Any],
    backend: Mapping[str, Any],
    library_version: str,
    workloads: Mapping[str, Mapping[str, int]],
    measurement: Mapping[str, Any],
    seed: int,
    artifact: str,
    data_folder: str,
    record: str,
    source_digest: str,
) -> None:
    """Measure one candidate and write its record.

    Args:
        study: name of the study.
        candidate: name of the candidate.
        row: its row of `candidates:`.
        backend: the row of `backends:` that it names.
        library_version: the backend's library, resolved while planning; a version that is not there is an error.
        workloads: sizes by axis of every workload it names.
        measurement: the section of that name.
        seed: the study's.
        artifact: folder of the checkpoint, ONNX file or engine.
        data_folder: prepared data; only its test split is read.
        record: where the record goes.
        source_digest: of the code that measures.

    Raises:
        ArtifactError: the artifact or the test split is not what its manifest says.
        BackendError: the backend cannot load it, or would run elsewhere than asked.
        LibraryError: the library is absent or of another version.
    """
    module = plugins.load("backends", backend["runner"])
    gpus = [{"name": gpu.name, "driver": gpu.driver_version} for gpu in nvidia_gpus()]
    facts: dict[str, Any] = {
        "schema_version": 1,
        "study": study,
        "candidate": candidate,
        "backend": {"name": row["backend"], "library_version": library_version, **backend},
        "measurement": dict(measurement),
        "seed": seed,
        "machine": machine(),
        "gpus": gpus,
        "versions": versions("numpy", *(module.LIBRARY.distributions if module.LIBRARY else ())),
        "source_digest": source_digest,
        "comparison": NO_COMPARISON,
    }
    described = _describe_artifact(row["loads"], Path(artifact))
    data = Path(data_folder)
    read_manifest(data / "data_card.json", kind="data", verify=["test.parquet", "signature.json"])
    signature = Signature.model_validate_json((data / "signature.json").read_text(encoding="utf-8"))
    try:
        if backend["gpus"] > len(gpus):
            have = f"this machine has {len(gpus)}" if gpus else "this machine has none"
            raise Unavailable(f"no NVIDIA GPU: the backend asks for {backend['gpus']}, {have}")
        split = read_split(data / "test.parquet", signature)
        rss_before_load = _peak_rss_mib()
        runner: Runner = module.open_runner(artifact, backend["options"], library_version)
        entered, load_s = time_call(runner.__enter__, time.perf_counter_ns)
        try:
            timed = _measure_loaded(entered, module, split, signature, workloads, measurement, seed)
        finally:
            runner.__exit__(None, None, None)
        facts |= {
            "status": "measured",
            "reason": None,
            "load_s": load_s,
            "rss_before_load_mib": rss_before_load,
            **timed,
        }
    except Unavailable as lacking:
        missing = NotMeasured(reason=lacking.reason)
        facts |= {
            "status": "not measured",
            "reason": lacking.reason,
            "ran": None,
            "load_s": None,
            "rss_before_load_mib": None,
            "peak_rss_mib": None,
            "workloads": {name: missing for name in workloads},
            "accuracy": missing,
        }
    write_record(record, Record(artifact=described, **facts))
    print(f"{candidate}:", facts["status"], facts["reason"] or "")


def _measure_loaded(
    runner: Runner,
    module: Any,
    split: Split,
    signature: Signature,
    workloads: Mapping[str, Mapping[str, int]],
    measurement: Mapping[str, Any],
    seed: int,
) -> dict[str, Any]:
    """Everything that is measured on one loaded runner: the artifact that is timed is the one that predicts."""
    timed: dict[str, Workload] = {}
    for name, sizes in workloads.items():
        inputs = timed_inputs(split, signature, sizes, distinct_batches=measurement["distinct_batches"], seed=seed)
        timed[name] = _time_workload(runner, inputs, sizes, measurement)
        print(f"{name}: {timed[name].timed_runs} runs, {timed[name].latency_percentiles_ms} ms")
    answered: Accuracy | NotMeasured = NotMeasured(reason="the backend computes no logits")
    if module.PREDICTS:
        answered = _predict(runner, split, signature, measurement["accuracy_batch_size"])
    return {"workloads": timed, "accuracy": answered, "ran": runner.describe(), "peak_rss_mib": _peak_rss_mib()}
