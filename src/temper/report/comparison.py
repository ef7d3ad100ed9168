"""Every candidate against the baseline: paired accuracy, latency verdicts, and why a lower precision is not faster."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from temper.errors import ArtifactError
from temper.measurement.record import Accuracy, LatencyRatio, NotMeasured, Record, Workload
from temper.report.agreement import agreements
from temper.report.explanation import not_faster
from temper.statistics.paired_labels import (
    against_budget,
    confidences,
    expected_calibration_error,
    flips,
    mcnemar_exact_p,
    paired_difference_interval,
    recall_by_class,
)
from temper.statistics.ratio import Ratio, verdict

SCHEMA_VERSION = 1
Json = dict[str, Any]


def _missing(reason: str) -> Json:
    return NotMeasured(reason=reason).model_dump(mode="json")


def _flipped(own: Accuracy, other: Accuracy) -> list[Json]:
    """Test rows with another label than the baseline's, by number from 0, with both labels' confidences."""
    names, labels = own.label_names, own.labels
    mine, theirs = confidences(np.asarray(own.answers.logits)), confidences(np.asarray(other.answers.logits))
    return [
        {
            "row": row,
            "label": names[labels[row]],
            "baseline": names[old],
            "baseline_confidence": round(float(theirs[row]), 4),
            "candidate": names[new],
            "candidate_confidence": round(float(mine[row]), 4),
        }
        for row, (new, old) in enumerate(zip(own.answers.predictions, other.answers.predictions, strict=True))
        if new != old
    ]


def compare_accuracy(record: Record, baseline: Record | None, budget_points: float) -> Json:
    """A candidate's accuracy, and what it lost or gained against the baseline on the same rows.

    Args:
        record: of the candidate.
        baseline: record of the candidate that is the baseline itself.
        budget_points: accuracy that may be lost, percentage points.

    Returns:
        Figures by name, or 'not measured' and why.
    """
    own = record.accuracy
    if not isinstance(own, Accuracy):
        return _missing(own.reason)
    logits, labels = np.asarray(own.answers.logits), np.asarray(own.labels)
    predicted = np.asarray(own.answers.predictions)
    found: Json = {
        "status": "measured",
        "accuracy": own.answers.accuracy,
        "rows": own.rows,
        "batch_size": own.answers.batch_size,
        "expected_calibration_error": expected_calibration_error(logits, labels),
        "recall_by_class": recall_by_class(predicted, labels, own.label_names),
        "labels_differing_by_batch_size": {
            size: int((np.asarray(answer.predictions) != predicted).sum())
            for size, answer in own.by_batch_size.items()
            if size != own.stated
        },
    }
    other = None if baseline is None else baseline.accuracy
    if not isinstance(other, Accuracy):
        return {**found, "against_baseline": _missing("the baseline's answers were not measured")}
    if other.labels != own.labels:
        return {**found, "against_baseline": _missing("the baseline answered other rows")}
    counted = flips(predicted, np.asarray(other.answers.predictions), labels)
    low, high = paired_difference_interval(counted.wrong_to_right, counted.right_to_wrong, counted.rows)
    budget = against_budget(counted.wrong_to_right, counted.right_to_wrong, counted.rows, budget_points=budget_points)
    distance = np.abs(logits - np.asarray(other.answers.logits))
    found["against_baseline"] = {
        "status": "measured",
        **{key: getattr(counted, key) for key in counted.__dataclass_fields__},
        "labels_differing": counted.differing,
        "difference_points": 100 * counted.difference,
        "difference_low_points": 100 * low,
        "difference_high_points": 100 * high,
        "mcnemar_exact_p": mcnemar_exact_p(counted.right_to_wrong, counted.wrong_to_right),
        "verdict": budget.verdict,
        "rows_that_would_decide": budget.rows_that_would_decide,
        "largest_logit_difference": float(distance.max()),
        "mean_logit_difference": float(distance.mean()),
        "flipped": _flipped(own, other),
    }
    return found


def disturbance(workload: Workload) -> float:
    """How far the latency beside the baseline is from the latency alone: 0.1 is 10 % slower beside it."""
    if workload.real_lengths:
        return workload.latency_mean_ms / workload.alone_mean_ms - 1
    ordered = sorted(workload.latencies_ms)
    return ordered[(len(ordered) - 1) // 2] / workload.alone_median_ms - 1


def _baseline_centre(workload: Workload) -> float | None:
    """The baseline's median beside this candidate (mean for real lengths), ms; None where it was not timed."""
    latencies = workload.baseline_latencies_ms
    if latencies is None:
        return None
    return sum(latencies) / len(latencies) if workload.real_lengths else sorted(latencies)[(len(latencies) - 1) // 2]


def baseline_moved(record: Record, name: str, reference: Record | None, margin: float) -> Json:
    """Whether the baseline beside this candidate has another latency than beside itself: {} where it has not.

    Ratios of two candidates can only be compared where both were held against the same baseline.
    """
    own = record.workloads[name]
    other = None if reference is None else reference.workloads.get(name)
    if not isinstance(own, Workload) or not isinstance(other, Workload):
        return {}
    beside, alone = _baseline_centre(own), _baseline_centre(other)
    if beside is None or alone is None or abs(beside / alone - 1) <= margin:
        return {}
    return {"baseline_moved": beside / alone - 1}


def compare_latency(workload: Workload | NotMeasured, margin: float) -> Json:
    """The ratio of one workload with its verdict, and whether the baseline beside it disturbed it."""
    if isinstance(workload, NotMeasured):
        return workload.model_dump(mode="json")
    moved = disturbance(workload)
    found: Json = {
        "disturbance": moved,
        "disturbed": abs(moved) > margin,
        "throughput_samples_per_s": max(workload.throughput_samples_per_s.values()),
        "throughput_callers": max(
            workload.throughput_samples_per_s, key=lambda callers: workload.throughput_samples_per_s[callers]
        ),
    }
    if not isinstance(workload.ratio, LatencyRatio):
        return {**workload.ratio.model_dump(mode="json"), **found}
    ratio = Ratio(workload.ratio.ratio, workload.ratio.low, workload.ratio.high)
    return {**workload.ratio.model_dump(mode="json"), "verdict": verdict(ratio, margin), **found}


def noise(baseline: Record | None) -> Json:
    """What the baseline beside itself shows, by workload: the smallest ratio that this machine could have told from 1."""
    if baseline is None:
        return {}
    found: Json = {}
    for name, workload in baseline.workloads.items():
        ratio = workload.ratio if isinstance(workload, Workload) else workload
        if isinstance(ratio, LatencyRatio):
            found[name] = {
                "ratio": ratio.ratio,
                "low": ratio.low,
                "high": ratio.high,
                "smallest_difference_told": max(ratio.high - 1, 1 - ratio.low, (ratio.high - ratio.low) / 2),
            }
        else:
            found[name] = ratio.model_dump(mode="json")
    return found


def _check_inputs(records: Sequence[Record]) -> None:
    """Every candidate was timed on the same inputs, by their digests."""
    first: dict[str, tuple[str, str]] = {}
    for record in records:
        for name, workload in record.workloads.items():
            if not isinstance(workload, Workload):
                continue
            other, digest = first.setdefault(name, (record.candidate, workload.inputs_sha256))
            if digest != workload.inputs_sha256:
                raise ArtifactError(
                    asked=f"compare {record.candidate} with {other} on the workload {name}",
                    happened="they were timed on different inputs, by the digests in their records",
                    spoiled="the report; nothing was written",
                    fix="temper sync, and measure what it names anew: the records do not come from one state of the study",
                )


def compare_records(
    records: Sequence[Record], baseline: str, analysis: Mapping[str, float], engines: Mapping[str, Mapping[str, Any]]
) -> Json:
    """Every candidate against the baseline: artifacts/report/comparison.json.

    Args:
        records: of all candidates, in the order of params.yaml.
        baseline: the candidate that is the baseline itself.
        analysis: the section of that name.
        engines: the section of that name: which ONNX file each engine was built from.

    Raises:
        ArtifactError: two candidates were timed on different inputs.
    """
    _check_inputs(records)
    reference = next((record for record in records if record.candidate == baseline), None)
    margin = analysis["latency_margin"]
    return {
        "schema_version": SCHEMA_VERSION,
        "study": records[0].study,
        "baseline": baseline,
        "analysis": dict(analysis),
        "noise": noise(reference),
        "candidates": {
            record.candidate: {
                "accuracy": compare_accuracy(record, reference, analysis["accuracy_budget_points"]),
                "workloads": {
                    name: compare_latency(workload, margin)
                    | not_faster(record, name, records, margin)
                    | baseline_moved(record, name, reference, margin)
                    for name, workload in record.workloads.items()
                },
            }
            for record in records
        },
        "agreement": agreements(records, engines),
    }
