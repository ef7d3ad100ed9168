"""The summary as Markdown, CSV and JSON, and the same table on the terminal."""

import csv
import hashlib
import io
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from temper.artifact import canonical_json, sha256, staged_folder, write_text
from temper.errors import ArtifactError
from temper.measurement.record import NotMeasured, Record, read_record
from temper.report.tables import Row, differing_rows, rows
from temper.tracking.job_record import read_job_record

ABSENT = "–"


def _number(value: float | None, digits: int) -> str:
    return ABSENT if value is None else f"{value:,.{digits}f}"


def _milliseconds(value: float | None) -> str:
    """Three significant digits: 0.0012, 1.23, 21.3."""
    if value is None:
        return ABSENT
    return (
        f"{value:.4f}"
        if value < 0.01
        else f"{value:.3f}"
        if value < 1
        else f"{value:.2f}"
        if value < 10
        else f"{value:.1f}"
    )


def table(all_rows: Sequence[Row], baseline: str) -> tuple[list[str], list[list[str]]]:
    """Header and cells: one line per candidate, its workloads side by side."""
    workloads = list(dict.fromkeys(row.workload for row in all_rows))
    header = ["candidate", "library", "artifact", "size MiB", "accuracy %", f"labels ≠ {baseline}"]
    header += [f"{workload} {column}" for workload in workloads for column in ("p50 ms", "p95 ms", "samples/s")]
    lines: list[list[str]] = []
    for candidate in dict.fromkeys(row.candidate for row in all_rows):
        own = {row.workload: row for row in all_rows if row.candidate == candidate}
        first = next(iter(own.values()))
        cells = [
            candidate,
            first.library,
            first.loads,
            _number(first.size_mib, 2),
            _number(None if first.accuracy is None else 100 * first.accuracy, 2),
            ABSENT if first.labels_differing is None else str(first.labels_differing),
        ]
        for workload in workloads:
            row = own.get(workload)
            percentiles = (row.latency_percentiles_ms if row else None) or {}
            cells += [
                _milliseconds(row.latency_p50_ms if row else None),
                _milliseconds(percentiles.get("95")),
                _number(row.throughput_samples_per_s if row else None, 0),
            ]
        lines.append(cells)
    return header, lines


def notes(records: Sequence[Record], baseline: str) -> list[str]:
    """What the table cannot show: what was not measured and why, rows that were cut, the rows that differ."""
    found = [f"{r.candidate}: not measured: {r.reason}" for r in records if r.status == "not measured"]
    for record in records:
        accuracy = record.accuracy
        if isinstance(accuracy, NotMeasured):
            if record.status == "measured":
                found.append(f"{record.candidate}: accuracy not measured: {accuracy.reason}")
        elif accuracy.cut_rows:
            found.append(f"{record.candidate}: {accuracy.cut_rows} test rows were cut to the length it accepts")
    padding = {
        name: workload.padding_share
        for record in records
        for name, workload in record.workloads.items()
        if not isinstance(workload, NotMeasured)
    }
    found += [
        f"workload {name}: {100 * share:.0f} % of the timed tokens are padding"
        for name, share in padding.items()
        if share
    ]
    found.append(
        f"Latencies are host to host, each candidate in a process of its own; the differences from {baseline} carry no "
        "confidence interval yet."
    )
    return found


def _machine_line(records: Sequence[Record]) -> str:
    seen = {(r.machine["cpu"], r.machine["cores_usable"], *(gpu["name"] for gpu in r.gpus)) for r in records}
    return "; ".join(f"{cpu}, {cores} cores{''.join(f', {gpu}' for gpu in gpus)}" for cpu, cores, *gpus in sorted(seen))


def markdown(study: str, records: Sequence[Record], baseline: str) -> str:
    """The summary as a Markdown page."""
    header, lines = table(rows(records, baseline), baseline)
    page = [f"# {study}", "", f"Measured on {_machine_line(records)}.", ""]
    page.append("| " + " | ".join(header) + " |")
    page.append("| " + " | ".join(["---"] * 3 + ["---:"] * (len(header) - 3)) + " |")
    page += ["| " + " | ".join(cells) + " |" for cells in lines]
    page += ["", *(f"- {note}" for note in notes(records, baseline)), ""]
    return "\n".join(page)


def _csv(all_rows: Sequence[Row]) -> str:
    stream = io.StringIO()
    percentiles = sorted({p for row in all_rows for p in row.latency_percentiles_ms or {}}, key=float)
    flat: list[dict[str, Any]] = []
    for row in all_rows:
        cells = asdict(row)
        own = cells.pop("latency_percentiles_ms") or {}
        cells.pop("latency_p50_ms")
        flat.append({**cells, **{f"latency_p{p}_ms": own.get(p) for p in percentiles}})
    writer = csv.DictWriter(stream, fieldnames=list(flat[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(flat)
    return stream.getvalue()


def _json(study: str, records: Sequence[Record], baseline: str) -> str:
    reference = next((record for record in records if record.candidate == baseline), None)
    candidates: dict[str, Any] = {}
    for row in rows(records, baseline):
        cells = asdict(row)
        entry = candidates.setdefault(
            row.candidate,
            {
                key: cells[key]
                for key in (
                    "library",
                    "loads",
                    "size_mib",
                    "accuracy",
                    "labels_differing",
                    "load_s",
                    "peak_rss_mib",
                    "reason",
                )
            }
            | {"workloads": {}},
        )
        timed = ("latency_percentiles_ms", "latency_mean_ms", "throughput_samples_per_s", "padding_share", "timed_runs")
        entry["workloads"][row.workload] = {key: cells[key] for key in timed}
    for record in records:
        candidates[record.candidate]["differing_rows"] = differing_rows(record, reference)
    content = {"study": study, "baseline": baseline, "candidates": candidates, "notes": notes(records, baseline)}
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"  # in the order of params.yaml


def metrics(records: Sequence[Record], baseline: str) -> dict[str, Any]:
    """The few numbers by which experiments are compared, by candidate; what was not measured is left out.

    `latency_ratio` is a candidate's median latency over the baseline's on the same workload: below 1 is faster.
    """
    by_row = {(row.candidate, row.workload): row for row in rows(records, baseline)}
    found: dict[str, Any] = {}
    for (candidate, workload), row in by_row.items():
        entry = found.setdefault(candidate, {})
        if row.accuracy is not None:
            entry["accuracy"] = row.accuracy
        if row.labels_differing is not None:
            entry["labels_differing"] = row.labels_differing
        reference = by_row.get((baseline, workload))
        if row.latency_p50_ms is not None and reference is not None and reference.latency_p50_ms:
            entry.setdefault("latency_ratio", {})[workload] = round(row.latency_p50_ms / reference.latency_p50_ms, 4)
    for record in records:
        if record.artifact is not None:
            found[record.candidate]["artifact"] = artifact_digest(record.artifact.files_sha256)
    return found


def artifact_digest(files_sha256: Mapping[str, str]) -> str:
    """Twelve hexadecimal digits that are equal for equal weights and graphs."""
    own = sorted(digest for name, digest in files_sha256.items() if name.startswith("model."))
    return hashlib.sha256("\n".join(own).encode()).hexdigest()[:12]


def _check_jobs(jobs: Sequence[str]) -> None:
    """Check that the records are the ones that their jobs wrote: a record edited by hand has no place in a table."""
    for path in jobs:
        job = read_job_record(path)
        for file, digest in job.outputs.items():
            if sha256(file) != digest:
                raise ArtifactError(
                    asked=f"report {file}",
                    happened=f"{file} is not the record that was measured: altered since (its job's record is {path})",
                    spoiled="every table that would hold it; nothing was written",
                    fix="temper sync: takes the measured record from DVC's cache, or lets it be measured anew",
                )


def write_summary(*, study: str, baseline: str, records: Sequence[str], jobs: Sequence[str], folder: str) -> None:
    """Write summary.md, summary.csv, summary.json and metrics.json.

    Args:
        study: name of the study.
        baseline: candidate whose predicted labels the others are held against.
        records: paths of the records, in the order of the table.
        jobs: paths of the job records of the measurements, which hold the records' digests.
        folder: where the summary goes.

    Raises:
        ArtifactError: a record is not of this schema version, or was altered since it was measured.
    """
    _check_jobs(jobs)
    read = [read_record(path) for path in records]
    with staged_folder(folder) as scratch:
        write_text(scratch / "summary.md", markdown(study, read, baseline))
        write_text(scratch / "summary.csv", _csv(rows(read, baseline)))
        write_text(scratch / "summary.json", _json(study, read, baseline))
        write_text(scratch / "metrics.json", canonical_json(metrics(read, baseline)))


def print_summary(folder: str) -> None:
    """Print the table of a report's folder on standard output."""
    from rich.console import Console
    from rich.table import Table

    content = json.loads((Path(folder) / "summary.json").read_text(encoding="utf-8"))
    workloads = list(dict.fromkeys(name for entry in content["candidates"].values() for name in entry["workloads"]))
    shown = Table(title=content["study"], title_justify="left")
    shown.add_column("candidate", no_wrap=True)
    for column in ("MiB", "accuracy %", f"labels ≠ {content['baseline']}"):
        shown.add_column(column, justify="right")
    for workload in workloads:
        for column in ("p50 ms", "p95 ms"):
            shown.add_column(f"{workload} {column}", justify="right")
    for name, entry in content["candidates"].items():
        cells = [
            name,
            _number(entry["size_mib"], 2),
            _number(None if entry["accuracy"] is None else 100 * entry["accuracy"], 2),
            ABSENT if entry["labels_differing"] is None else str(entry["labels_differing"]),
        ]
        for workload in workloads:
            percentiles = entry["workloads"].get(workload, {}).get("latency_percentiles_ms") or {}
            cells += [_milliseconds(percentiles.get("50")), _milliseconds(percentiles.get("95"))]
        shown.add_row(*cells)
    console = Console(width=None if sys.stdout.isatty() else 140)
    console.print(shown)
    for note in content["notes"]:
        console.print(f"· {note}", highlight=False)
