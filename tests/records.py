"""Records made by hand, with figures that can be followed."""

from collections.abc import Sequence
from typing import Any

from temper.measurement.record import Accuracy, Artifact, NotMeasured, Record, Workload

LABELS = [0, 1, 1, 0]
MIB = 1024 * 1024


def workload(latencies_ms: Sequence[float], *, percentiles: dict[str, float] | None = None) -> Workload:
    """Calls of two samples each."""
    return Workload(
        batch_size=2,
        sequence_length=8,
        latencies_ms=list(latencies_ms),
        latency_percentiles_ms={"50": 2.0, "95": 30.0} if percentiles is None else percentiles,
        latency_mean_ms=sum(latencies_ms) / len(latencies_ms),
        timed_runs=len(latencies_ms),
        warmup_runs=1,
        first_call_ms=9.0,
        throughput_samples_per_s=2000 * len(latencies_ms) / sum(latencies_ms),
        padding_share=0.25,
        inputs_sha256="i",
    )


def record(
    candidate: str,
    *,
    predictions: Sequence[int] | None = (0, 1, 1, 0),
    latencies_ms: Sequence[float] = (1.0, 2.0, 30.0),
    percentiles: dict[str, float] | None = None,
    cut_rows: int = 0,
    labels_sha256: str = "l",
    reason: str | None = None,
    workloads: Sequence[str] = ("b1",),
) -> Record:
    """A measured candidate; with a `reason` one that was not measured; without predictions one without accuracy."""
    missing = NotMeasured(reason=reason or "the backend computes no logits")
    answered: Accuracy | NotMeasured = missing
    if predictions is not None and reason is None:
        answered = Accuracy(
            accuracy=sum(a == b for a, b in zip(predictions, LABELS, strict=False)) / len(predictions),
            rows=len(predictions),
            batch_size=2,
            cut_rows=cut_rows,
            predictions=list(predictions),
            logits=[[0.0, 1.0]] * len(predictions),
            labels_sha256=labels_sha256,
        )
    timed: dict[str, Any] = {name: workload(latencies_ms, percentiles=percentiles) for name in workloads}
    return Record(
        schema_version=1,
        study="tiny",
        candidate=candidate,
        status="measured" if reason is None else "not measured",
        reason=reason,
        backend={"name": f"{candidate}-backend", "library_version": "1.5", "runner": "onnxruntime", "gpus": 0},
        artifact=Artifact(loads="onnx/fp32", files_sha256={"model.onnx": "m"}, size_bytes=3 * MIB, producer={}),
        ran={"library": "onnxruntime", "version": "1.5", "device": "cpu"} if reason is None else None,
        load_s=0.5 if reason is None else None,
        rss_before_load_mib=100.0 if reason is None else None,
        peak_rss_mib=150.0 if reason is None else None,
        workloads=timed if reason is None else dict.fromkeys(workloads, missing),
        accuracy=answered,
        comparison=NotMeasured(reason="not part of this version"),
        measurement={"warmup_runs": 1},
        seed=3,
        machine={"cpu": "A CPU", "cores_usable": 2},
        gpus=[],
        versions={"python": "3.11"},
        source_digest="s",
    )
