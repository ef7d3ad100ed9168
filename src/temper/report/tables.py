"""Records in, rows out: one implementation of every column of every table."""

from collections.abc import Sequence
from dataclasses import dataclass

from temper.measurement.record import LatencyRatio, NotMeasured, Record, Workload
from temper.report.decide.compared import ComparedCandidate, ComparedStudy
from temper.report.decide.compared_accuracy import ComparedAccuracy

MIB = 1024 * 1024


@dataclass(frozen=True)
class Row:
    """One candidate on one workload. None where nothing was measured; `reason` says why."""

    candidate: str
    backend: str
    library: str
    loads: str
    workload: str
    accuracy: float | None  # 0–1, test split; of another metric where the budget is of that (formats.judged_by)
    labels_differing: int | None  # from the baseline's predictions
    accuracy_difference_points: float | None  # candidate minus baseline, with a 95 % interval
    accuracy_low_points: float | None
    accuracy_high_points: float | None
    mcnemar_exact_p: float | None
    accuracy_verdict: str | None  # against the budget: within, beyond, undecided
    latency_p50_ms: float | None
    latency_percentiles_ms: dict[str, float] | None
    latency_mean_ms: float | None
    real_lengths: str | None  # arrival or bucketed: calls differ in size, and their mean counts instead of the median
    latency_ratio: float | None  # over the baseline, taken in turns, with a 95 % interval
    latency_ratio_low: float | None
    latency_ratio_high: float | None
    latency_verdict: str | None  # win, loss, tie, undecided
    throughput_samples_per_s: float | None  # saturated
    sequential_samples_per_s: float | None
    padding_share: float | None  # of the timed inputs
    computed_padding_share: float | None  # of what was computed for them; also None in older records
    timed_runs: int | None
    import_s: float | None
    load_s: float | None
    first_call_ms: float | None
    peak_rss_mib: float | None  # running alone
    gpu_peak_mib: float | None
    size_mib: float | None
    executed_products: str | None  # '10 INT8, 8 FP32': matrix products and convolutions as they were executed
    reason: str | None


def median_ms(workload: Workload) -> float:
    """The median, whether or not the study asks for the percentile 50."""
    ordered = sorted(workload.latencies_ms)
    return ordered[(len(ordered) - 1) // 2]


def _library(record: Record) -> str:
    """Library and version that ran, or would have."""
    ran = record.ran or {"library": record.backend["runner"], "version": record.backend["library_version"]}
    return f"{ran['library']} {ran.get('version', '')}".strip()


def _executed(workload: Workload | None) -> str | None:
    """Products by precision, most first; None where the backend does not tell."""
    if workload is None or workload.executed is None:
        return None
    counted = sorted(workload.executed["products_by_precision"].items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{count} {precision}" for precision, count in counted) or "no products"


def rows(records: Sequence[Record], comparison: ComparedStudy) -> list[Row]:
    """One row per candidate and workload, in the order of the records.

    Args:
        records: of all candidates.
        comparison: what `temper.report.decide.comparison.compare_records` made of them.
    """
    return [
        _row(record, name, comparison.candidates[record.candidate]) for record in records for name in record.workloads
    ]


def _row(record: Record, name: str, compared: ComparedCandidate) -> Row:
    workload = record.workloads[name]
    timed = workload if isinstance(workload, Workload) else None
    paired, cell = compared.paired, compared.workloads[name]
    ratio = cell.ratio if isinstance(cell.ratio, LatencyRatio) else None
    accuracy = compared.accuracy if isinstance(compared.accuracy, ComparedAccuracy) else None
    cold, memory = record.cold_start, record.memory
    return Row(
        candidate=record.candidate,
        backend=record.backend["name"],
        library=_library(record),
        loads=record.artifact.loads if record.artifact else "",
        workload=name,
        accuracy=accuracy.judged if accuracy else None,
        labels_differing=paired.labels_differing if paired else None,
        accuracy_difference_points=paired.difference_points if paired else None,
        accuracy_low_points=paired.difference_low_points if paired else None,
        accuracy_high_points=paired.difference_high_points if paired else None,
        mcnemar_exact_p=paired.mcnemar_exact_p if paired else None,
        accuracy_verdict=paired.verdict if paired else None,
        latency_p50_ms=median_ms(timed) if timed else None,
        latency_percentiles_ms=timed.latency_percentiles_ms if timed else None,
        latency_mean_ms=timed.latency_mean_ms if timed else None,
        real_lengths=timed.real_lengths if timed else None,
        latency_ratio=ratio.ratio if ratio else None,
        latency_ratio_low=ratio.low if ratio else None,
        latency_ratio_high=ratio.high if ratio else None,
        latency_verdict=cell.verdict,
        throughput_samples_per_s=cell.timed.throughput_samples_per_s if cell.timed else None,
        sequential_samples_per_s=timed.sequential_samples_per_s if timed else None,
        padding_share=timed.padding_share if timed else None,
        computed_padding_share=timed.computed_padding_share if timed else None,
        timed_runs=timed.timed_runs if timed else None,
        import_s=cold.import_s if cold else None,
        load_s=cold.load_s if cold else None,
        first_call_ms=cold.first_call_ms if cold else None,
        peak_rss_mib=memory.peak_rss_running_mib if memory else None,
        gpu_peak_mib=memory.gpu_peak_mib if memory else None,
        size_mib=record.artifact.size_bytes / MIB if record.artifact else None,
        executed_products=_executed(timed),
        reason=workload.reason if isinstance(workload, NotMeasured) else None,
    )
