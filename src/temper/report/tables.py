"""Records in, rows out: one implementation of every column of every table."""

from collections.abc import Sequence
from dataclasses import dataclass

from temper.measurement.record import Accuracy, Record, Workload

MIB = 1024 * 1024


@dataclass(frozen=True)
class Row:
    """One candidate on one workload. None where nothing was measured; `reason` says why."""

    candidate: str
    backend: str
    library: str
    loads: str
    workload: str
    accuracy: float | None  # 0–1, test split
    labels_differing: int | None  # from the baseline's predictions
    latency_p50_ms: float | None
    latency_percentiles_ms: dict[str, float] | None
    latency_mean_ms: float | None
    throughput_samples_per_s: float | None
    padding_share: float | None
    timed_runs: int | None
    load_s: float | None
    first_call_ms: float | None
    peak_rss_mib: float | None
    size_mib: float | None
    reason: str | None


def median_ms(workload: Workload) -> float:
    """The median, whether or not the study asks for the percentile 50."""
    ordered = sorted(workload.latencies_ms)
    return workload.latency_percentiles_ms.get("50", ordered[(len(ordered) - 1) // 2])


def differing_rows(record: Record, baseline: Record | None) -> list[int] | None:
    """Test rows (by number, from 0) whose predicted label differs from the baseline's; None if either has none."""
    if baseline is None or not isinstance(record.accuracy, Accuracy) or not isinstance(baseline.accuracy, Accuracy):
        return None
    if record.accuracy.labels_sha256 != baseline.accuracy.labels_sha256:
        return None  # predictions on other rows cannot be compared
    pairs = zip(record.accuracy.predictions, baseline.accuracy.predictions, strict=True)
    return [number for number, (own, other) in enumerate(pairs) if own != other]


def _library(record: Record) -> str:
    """Library and version that ran, or would have."""
    ran = record.ran or {"library": record.backend["runner"], "version": record.backend["library_version"]}
    return f"{ran['library']} {ran.get('version', '')}".strip()


def rows(records: Sequence[Record], baseline: str) -> list[Row]:
    """One row per candidate and workload, in the order of the records."""
    reference = next((record for record in records if record.candidate == baseline), None)
    found: list[Row] = []
    for record in records:
        differing = differing_rows(record, reference)
        measured = isinstance(record.accuracy, Accuracy)
        for name, workload in record.workloads.items():
            timed = workload if isinstance(workload, Workload) else None
            found.append(
                Row(
                    candidate=record.candidate,
                    backend=record.backend["name"],
                    library=_library(record),
                    loads=record.artifact.loads if record.artifact else "",
                    workload=name,
                    accuracy=record.accuracy.accuracy if isinstance(record.accuracy, Accuracy) else None,
                    labels_differing=len(differing) if differing is not None and measured else None,
                    latency_p50_ms=median_ms(timed) if timed else None,
                    latency_percentiles_ms=timed.latency_percentiles_ms if timed else None,
                    latency_mean_ms=timed.latency_mean_ms if timed else None,
                    throughput_samples_per_s=timed.throughput_samples_per_s if timed else None,
                    padding_share=timed.padding_share if timed else None,
                    timed_runs=timed.timed_runs if timed else None,
                    load_s=record.load_s,
                    first_call_ms=timed.first_call_ms if timed else None,
                    peak_rss_mib=record.peak_rss_mib,
                    size_mib=record.artifact.size_bytes / MIB if record.artifact else None,
                    reason=record.reason if timed is None else None,
                )
            )
    return found
