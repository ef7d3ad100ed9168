"""Records made by hand, with figures that can be followed."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from temper.measurement.latency import nearest_rank
from temper.measurement.record import (
    Accuracy,
    Artifact,
    ColdStart,
    LatencyRatio,
    Memory,
    NotMeasured,
    Predictions,
    Record,
    Workload,
)
from temper.report.decide.compared import ComparedStudy
from temper.report.decide.comparison import compare_records

LABELS = [0, 1, 1, 0]
MIB = 1024 * 1024
ENGINES = {"fast": {"onnx": "fp32"}}
ANALYSIS = {"latency_margin": 0.05, "accuracy_budget_points": 0.5}


def workload(
    latencies_ms: Sequence[float],
    *,
    percentiles: dict[str, float] | None = None,
    ratio: tuple[float, float, float] | str = (1.0, 0.98, 1.02),
    executed: dict[str, Any] | None = None,
    sizes: tuple[int, int] = (2, 8),
    alone_median_ms: float | None = None,
    real_lengths: Literal["arrival", "bucketed"] | None = None,
    inputs_sha256: str = "i",
    computed_padding_share: float | None = 0.25,
) -> Workload:
    """One workload beside a baseline of 2 ms. The figures that are left out are those of latencies_ms=(1.0, 2.0, 30.0).

    Args:
        latencies_ms: of the candidate.
        ratio: (ratio, low, high), or a reason why there is none. One that the latencies do not give is for records that are
            not read from a file, or with the fixture `made_up_figures`.
        percentiles: the same.
    """
    taken: LatencyRatio | NotMeasured
    if isinstance(ratio, str):
        taken = NotMeasured(reason=ratio)
    else:
        taken = LatencyRatio(
            statistic="mean" if real_lengths else "median",
            ratio=ratio[0],
            low=ratio[1],
            high=ratio[2],
            taken="in turns",
            why_apart=None,
            stopped="precise enough",
        )
    return Workload(
        batch_size=sizes[0],
        sequence_length=None if real_lengths else sizes[1],
        real_lengths=real_lengths,
        calls_per_turn=1,
        latencies_ms=list(latencies_ms),
        baseline_latencies_ms=[2.0] * len(latencies_ms),
        candidate_first=[True] * len(latencies_ms),
        latency_percentiles_ms={"50": 2.0, "95": 30.0} if percentiles is None else percentiles,
        percentiles_left_out={},
        latency_mean_ms=sum(latencies_ms) / len(latencies_ms),
        timed_runs=len(latencies_ms),
        ratio=taken,
        sequential_samples_per_s=1000 * sizes[0] * len(latencies_ms) / sum(latencies_ms),
        alone_median_ms=sorted(latencies_ms)[(len(latencies_ms) - 1) // 2]
        if alone_median_ms is None
        else alone_median_ms,
        alone_mean_ms=sum(latencies_ms) / len(latencies_ms),
        alone_calls=5,
        throughput_samples_per_s={"1": 700.0, "2": 900.0},
        padding_share=0.25,
        computed_padding_share=computed_padding_share,
        inputs_sha256=inputs_sha256,
        executed=executed,
    )


def record(
    candidate: str,
    *,
    predictions: Sequence[int] | None = (0, 1, 1, 0),
    latencies_ms: Sequence[float] = (1.0, 2.0, 30.0),
    percentiles: dict[str, float] | None = None,
    cut_rows: int = 0,
    labels: Sequence[int] = LABELS,
    reason: str | None = None,
    workloads: Sequence[str] | Mapping[str, Workload] = ("b1",),
    backend: str | None = None,
    loads: str = "onnx/fp32",
    census: dict[str, Any] | None = None,
    peak_rss_mib: float = 150.0,
    other_batches: Mapping[str, Sequence[int]] | None = None,
) -> Record:
    """A measured candidate; with a `reason` one that was not measured; without predictions one without accuracy."""
    missing = NotMeasured(reason=reason or "the backend computes no logits")
    answered: Accuracy | NotMeasured = missing
    if predictions is not None and reason is None:
        answered = Accuracy(
            rows=len(predictions),
            labels=list(labels[: len(predictions)]),
            label_names=["negative", "positive", "neutral"][: max(2, int(max(labels)) + 1)],
            stated="2",
            by_batch_size={
                size: Predictions(
                    batch_size=int(size),
                    cut_rows=cut_rows,
                    accuracy=sum(a == b for a, b in zip(answers, labels, strict=False)) / len(answers),
                    predictions=list(answers),
                    logits=[
                        [float(column == answer) for column in range(max(2, int(max(labels)) + 1))]
                        for answer in answers
                    ],
                )
                for size, answers in {"2": predictions, **(other_batches or {})}.items()
            },
        )
    timed: dict[str, Any] = (
        dict(workloads)
        if isinstance(workloads, Mapping)
        else {name: workload(latencies_ms, percentiles=percentiles) for name in workloads}
    )
    measured = reason is None
    return Record(
        schema_version=2,
        study="tiny",
        candidate=candidate,
        status="measured" if measured else "not measured",
        reason=reason,
        backend={
            "name": backend or f"{candidate}-backend",
            "library_version": "1.5",
            "runner": "onnxruntime",
            "gpus": 0,
        },
        artifact=Artifact(
            loads=loads, files_sha256={"model.onnx": "m"}, size_bytes=3 * MIB, producer={}, census=census
        ),
        baseline={"backend": "base-backend", "loads": "onnx/fp32"},
        ran={"library": "onnxruntime", "version": "1.5", "device": "cpu"} if measured else None,
        threads=[] if measured else None,
        cold_start=ColdStart(import_s=1.5, load_s=0.5, first_call_ms=9.0) if measured else None,
        memory=Memory(
            rss_harness_mib=50.0,
            peak_rss_imported_mib=90.0,
            peak_rss_loaded_mib=120.0,
            peak_rss_running_mib=peak_rss_mib,
            gpu_peak_mib=None,
            gpu_reason="the backend asks for no GPU",
        )
        if measured
        else None,
        workloads=timed if measured else dict.fromkeys(timed, missing),
        accuracy=answered,
        measurement={"warmup_runs": 1},
        seed=3,
        machine={"cpu": "A CPU", "cores_usable": 2},
        conditions_before={},
        conditions_after={},
        warnings=[],
        gpus=[],
        versions={"python": "3.11"},
        source_digest="s",
    )


def several(name: str, predictions: list[int], labels: list[int]) -> Record:
    """A record whose rows have any number of the labels, as bits."""
    made = record(name, predictions=[0] * len(predictions), labels=[0] * len(labels))
    assert isinstance(made.accuracy, Accuracy)
    count = len(made.accuracy.label_names)
    logits = [[4.0 if number >> place & 1 else -4.0 for place in range(count)] for number in predictions]
    answers = made.accuracy.answers.model_copy(
        update={
            "predictions": predictions,
            "logits": logits,
            "accuracy": sum(a == b for a, b in zip(predictions, labels, strict=True)) / len(labels),
        }
    )
    accuracy = made.accuracy.model_copy(
        update={
            "labels": labels,
            "task": "multi_label",
            "thresholds": (0.5,) * count,
            "by_batch_size": {made.accuracy.stated: answers},
        }
    )
    return made.model_copy(update={"accuracy": accuracy})


def compared(records: Sequence[Record], baseline: str, **analysis: Any) -> ComparedStudy:
    """What the report makes of records."""
    return compare_records("tiny", records, baseline, {**ANALYSIS, **analysis}, ENGINES)


def compared_json(records: Sequence[Record], baseline: str, **analysis: Any) -> dict[str, Any]:
    """The same as it stands in comparison.json."""
    return compared(records, baseline, **analysis).as_json()


def doubted(against: ComparedStudy, candidate: str, why: str) -> ComparedStudy:
    """The same, with a candidate whose latency on b1 does not hold."""
    own = against.candidates[candidate]
    cells = {**own.workloads, "b1": replace(own.workloads["b1"], why_not=why)}
    return replace(against, candidates={**against.candidates, candidate: replace(own, workloads=cells)})


def following(latencies_ms: Sequence[float], **more: Any) -> Workload:
    """A workload all of whose figures follow from its latencies: one that is read from a file."""
    ordered = sorted(latencies_ms)
    ratio = ordered[(len(ordered) - 1) // 2] / 2.0
    percentiles = {f"{each}": nearest_rank(ordered, each) for each in (50, 95)}
    return workload(latencies_ms, ratio=(ratio, 0.98 * ratio, 1.02 * ratio), percentiles=percentiles, **more)
