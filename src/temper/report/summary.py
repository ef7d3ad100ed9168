"""The content of summary.json: a candidate's figures as tables show them, the choices in words, the notes."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from temper.measurement.record import Record
from temper.report.choices import choices
from temper.report.decide.compared import ComparedStudy
from temper.report.formats import judged_by
from temper.report.notes import first_notes, notes
from temper.report.tables import rows

_BY_WORKLOAD = (
    "latency_p50_ms",
    "latency_percentiles_ms",
    "latency_mean_ms",
    "real_lengths",
    "latency_ratio",
    "latency_ratio_low",
    "latency_ratio_high",
    "latency_verdict",
    "throughput_samples_per_s",
    "sequential_samples_per_s",
    "padding_share",
    "computed_padding_share",
    "timed_runs",
    "reason",
)

_NOT_BY_CANDIDATE = (*(key for key in _BY_WORKLOAD if key != "reason"), "candidate", "workload")


def summary(records: Sequence[Record], comparison: ComparedStudy, decision: Mapping[str, Any]) -> dict[str, Any]:
    """The content of artifacts/report/summary.json, in the order of params.yaml."""
    candidates: dict[str, Any] = {}
    for row in rows(records, comparison):
        cells = asdict(row)
        own = {key: value for key, value in cells.items() if key not in _NOT_BY_CANDIDATE}
        entry = candidates.setdefault(row.candidate, own | {"workloads": {}})
        entry["workloads"][row.workload] = {key: cells[key] for key in _BY_WORKLOAD}
    found = notes(records, comparison, decision)
    return {
        "study": comparison.study,
        "baseline": comparison.baseline,
        "candidates": candidates,
        **({} if judged_by(comparison) == "accuracy" else {"judged_by": judged_by(comparison)}),
        "choices": choices(decision),
        "first_notes": first_notes(found),
        "notes": [note.text for note in found],
    }
