"""One table for each workload, candidates below one another, as a page shows them."""

from collections.abc import Mapping, Sequence
from typing import Any

from temper.measurement.record import Record
from temper.report.decide.compared import ComparedStudy
from temper.report.formats import ABSENT, in_order, milliseconds, number, ratio
from temper.report.markdown_table import markdown_table
from temper.report.tables import Row, rows

HEADER = (
    "candidate",
    "executed products",
    "p50 ms",
    "p95 ms",
    "mean ms",
    "samples/s",
    "×",
    "verdict",
)
NOTHING = "none"  # the null backend's library
WORDS = 2  # columns from the left that hold words


def where(records: Sequence[Record], every: Sequence[Row]) -> str:
    """On what it ran, by which libraries: 'On NVIDIA H200: torch 2.11.0+cu130, onnxruntime 1.31.1.'"""
    ran = [record for record in records if record.ran is not None and record.ran.get("library") != NOTHING]
    devices = in_order({str(record.ran["device"]) for record in ran if record.ran and "device" in record.ran})
    of = {row.candidate: row.library for row in every}
    libraries = dict.fromkeys(of[record.candidate] for record in ran if record.candidate in of)
    return f"On {' and '.join(devices) or 'cpu'}: {', '.join(libraries)}." if libraries else ""


def _cells(row: Row) -> list[str]:
    percentiles = row.latency_percentiles_ms or {}
    return [
        row.candidate,
        row.executed_products or ABSENT,
        milliseconds(row.latency_p50_ms),
        milliseconds(percentiles.get("95")),
        milliseconds(row.latency_mean_ms),
        number(row.throughput_samples_per_s, 0),
        ratio(row),
        row.latency_verdict or ABSENT,
    ]


def _title(name: str, measured: Mapping[str, Any]) -> str:
    """The workload with its sizes, where a record has them."""
    own = measured.get(name)
    if own is None:
        return name
    length = f", {own.sequence_length} tokens" if own.sequence_length else ""
    return f"{name}: batch {own.batch_size}{length}{f', real lengths ({own.real_lengths})' if own.real_lengths else ''}"


def summary_tables(records: Sequence[Record], comparison: ComparedStudy, heading: str = "**{}**") -> str:
    """A heading and a table for each workload, and below it why a line has no figures.

    Args:
        records: of all candidates, in the order of params.yaml.
        comparison: what `compare_records` made of them.
        heading: a pattern with one place, for the workload's name.
    """
    every = rows(records, comparison)
    measured = {
        name: workload
        for record in records
        for name, workload in record.workloads.items()
        if workload.status == "measured"
    }
    said = where(records, every)
    page: list[str] = [said, ""] if said else []
    for name in in_order(row.workload for row in every):
        own = [row for row in every if row.workload == name]
        lines = [_cells(row) for row in own]
        page += [heading.format(_title(name, measured)), "", markdown_table(HEADER, lines, WORDS)]
        absent = [f"- {row.candidate}: not measured: {row.reason}" for row in own if row.reason is not None]
        page += [*absent, ""] if absent else []
    return "\n".join(page)
