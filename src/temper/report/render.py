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

import yaml

from temper.artifact import canonical_json, sha256, staged_folder, write_text
from temper.errors import ArtifactError
from temper.load_test.record import LoadTestRecord, read_load_test
from temper.measurement.record import NotMeasured, Record, read_record
from temper.measurement.remeasurements import read_remeasurements, settled
from temper.report.agreement import HEADER as AGREEMENT_HEADER
from temper.report.agreement import agreement_cells
from temper.report.comparison import compare_records
from temper.report.decision import decide
from temper.report.formats import ABSENT, in_order, milliseconds, number, points, ratio
from temper.report.load_tests import HEADER, load_test_rows
from temper.report.observations import observations_markdown
from temper.report.serving import (
    BUCKETS_HEADER,
    bucket_cells,
    padding_notes,
    real_length_cells,
    real_lengths_markdown,
)
from temper.report.summary_table import summary_table_markdown
from temper.report.tables import Row, rows
from temper.tracking.job_record import read_job_record, record_path

WORKLOAD_COLUMNS = ("p50 ms", "p95 ms", "×", "verdict", "samples/s")


def _centre(latency: Mapping[str, Any]) -> float | None:
    """The latency that the ratio is of: the mean where the rows differ in length, else the median."""
    value: float | None = latency["latency_mean_ms" if latency["real_lengths"] else "latency_p50_ms"]
    return value


def table(all_rows: Sequence[Row]) -> tuple[list[str], list[list[str]]]:
    """Header and cells: one line per candidate, its workloads side by side; × is the latency over the baseline's."""
    workloads = in_order(row.workload for row in all_rows)
    header = [
        "candidate",
        "library",
        "artifact",
        "executed products",
        "size MiB",
        "accuracy %",
        "difference, points",
        "flips",
        "accuracy",
    ]
    for workload in workloads:
        real = any(row.real_lengths for row in all_rows if row.workload == workload)
        header += [f"{workload} {column}" for column in ("mean ms" if real else "p50 ms", *WORKLOAD_COLUMNS[1:])]
    lines: list[list[str]] = []
    for candidate in dict.fromkeys(row.candidate for row in all_rows):
        own = {row.workload: row for row in all_rows if row.candidate == candidate}
        first = next(iter(own.values()))
        cells = [
            candidate,
            first.library,
            first.loads,
            first.executed_products or ABSENT,
            number(first.size_mib, 2),
            number(None if first.accuracy is None else 100 * first.accuracy, 2),
            points(first),
            ABSENT if first.labels_differing is None else str(first.labels_differing),
            first.accuracy_verdict or ABSENT,
        ]
        for workload in workloads:
            row = own.get(workload)
            percentiles = (row.latency_percentiles_ms if row else None) or {}
            cells += [
                milliseconds(_centre(asdict(row)) if row else None),
                milliseconds(percentiles.get("95")),
                ratio(row),
                (row.latency_verdict if row else None) or ABSENT,
                number(row.throughput_samples_per_s if row else None, 0),
            ]
        lines.append(cells)
    return header, lines


def notes(records: Sequence[Record], comparison: Mapping[str, Any]) -> list[str]:
    """What the table cannot show: what was not measured and why, noise, disturbances, reasons, rows that were cut."""
    found = [f"{r.candidate}: not measured: {r.reason}" for r in records if r.status == "not measured"]
    for record in records:
        found += _notes_of(record, comparison["candidates"][record.candidate])
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
    found += padding_notes(rows(records, comparison))
    for name, own in comparison["noise"].items():
        if "ratio" in own:
            found.append(
                f"workload {name}: the baseline beside itself is {own['ratio']:.3f} [{own['low']:.3f}, {own['high']:.3f}]; this "
                f"machine could have told a ratio from 1 that is {100 * own['smallest_difference_told']:.1f} % off"
            )
    analysis = comparison["analysis"]
    margin = analysis["latency_margin"]
    found.append(
        f"× is the median latency (the mean for real lengths) over {comparison['baseline']}'s, both timed in turns in one "
        f"process unless said otherwise, with a 95 % bootstrap interval over blocks: win below {1 - margin:g}, loss above "
        f"{1 + margin:g}, tie inside, by the whole interval. samples/s is saturated."
    )
    found.append(
        "difference is the accuracy minus the baseline's on the same rows with a 95 % interval (Tango 1998): within, beyond or "
        f"undecided against a budget of {analysis['accuracy_budget_points']:g} points; flips are labels that differ"
    )
    return found


def _notes_of(record: Record, compared: Mapping[str, Any]) -> list[str]:
    """What is to be said of one candidate."""
    found = [f"{record.candidate}: {warning}" for warning in record.warnings]
    accuracy = record.accuracy
    if isinstance(accuracy, NotMeasured):
        if record.status == "measured":
            found.append(f"{record.candidate}: accuracy not measured: {accuracy.reason}")
    elif accuracy.answers.cut_rows:
        found.append(f"{record.candidate}: {accuracy.answers.cut_rows} test rows were cut to the length it accepts")
    for size, differing in compared["accuracy"].get("labels_differing_by_batch_size", {}).items():
        rows = {0: "no row", 1: "1 row"}.get(differing, f"{differing:,} rows")
        found.append(
            f"{record.candidate}: in batches of {size} it answers {rows} otherwise than in those the table counts"
        )
    needed = compared["accuracy"].get("against_baseline", {}).get("rows_that_would_decide")
    if needed:
        found.append(f"{record.candidate}: accuracy undecided; about {needed:,} test rows would decide")
    for name, timed in compared["workloads"].items():
        if timed.get("why_apart"):
            found.append(f"{record.candidate}, {name}: not timed in turns: {timed['why_apart']}")
        if timed["status"] != "measured" and record.status == "measured":
            lost = isinstance(record.workloads[name], NotMeasured)
            found.append(f"{record.candidate}, {name}: {'not measured' if lost else 'no ratio'}: {timed['reason']}")
        if timed.get("disturbed") and record.backend["runner"] != "null":
            share, slower = (
                f"{100 * abs(timed['disturbance']):.0f} %",
                "slower" if timed["disturbance"] > 0 else "faster",
            )
            found.append(f"{record.candidate}, {name}: beside the baseline it is {share} {slower} than alone")
        if "baseline_moved" in timed:
            moved = timed["baseline_moved"]
            found.append(
                f"{record.candidate}, {name}: the baseline beside it is {100 * abs(moved):.0f} % "
                f"{'slower' if moved > 0 else 'faster'} than beside itself: its ratio is to another baseline than the others'"
            )
        if "not_faster" in timed:
            why = timed["not_faster"]
            found.append(
                f"{record.candidate}, {name}: {why['precision']} takes {why['relative_latency']:.2f} times as long as "
                f"{why['compared_with']}: {why['case']}: {why['evidence']}"
            )
    return found


def _machine_line(records: Sequence[Record]) -> str:
    seen = {(r.machine["cpu"], r.machine["cores_usable"], *(gpu["name"] for gpu in r.gpus)) for r in records}
    return "; ".join(f"{cpu}, {cores} cores{''.join(f', {gpu}' for gpu in gpus)}" for cpu, cores, *gpus in sorted(seen))


def _markdown_table(header: Sequence[str], lines: Sequence[Sequence[str]]) -> list[str]:
    words = ("candidate", "library", "artifact", "products", "accuracy", "verdict", "file", "runtimes")
    page = ["| " + " | ".join(header) + " |"]
    page.append("| " + " | ".join("---" if name.endswith(words) else "---:" for name in header) + " |")
    return page + ["| " + " | ".join(cells) + " |" for cells in lines]


def results_markdown(all_rows: Sequence[Row], *, without: Sequence[str] = ()) -> str:
    """The table as Markdown, without the columns whose names end so."""
    header, lines = table(all_rows)
    kept = [at for at, name in enumerate(header) if not name.endswith(tuple(without))]
    return (
        "\n".join(_markdown_table([header[at] for at in kept], [[cells[at] for at in kept] for cells in lines])) + "\n"
    )


def agreement_markdown(pairs: Sequence[Mapping[str, Any]]) -> str:
    """How far runtimes of one ONNX file agree, as a Markdown table."""
    return "\n".join(_markdown_table(AGREEMENT_HEADER, agreement_cells(pairs))) + "\n"


def _choices(decision: Mapping[str, Any]) -> list[str]:
    """The choice per workload, a line each."""
    found = []
    for name, own in decision["workloads"].items():
        if own["chosen"] is None:
            found.append(f"- {name}: none is within the accuracy budget and measured")
            continue
        also = f"; not told apart from it: {', '.join(own['not_told_apart'])}" if own["not_told_apart"] else ""
        found.append(f"- {name}: **{own['chosen']}**, {own['latency_ratio']:.3f} × the baseline's latency{also}")
    return found


def markdown(records: Sequence[Record], comparison: Mapping[str, Any], decision: Mapping[str, Any]) -> str:
    """The summary as a Markdown page."""
    page = [f"# {comparison['study']}", "", f"Measured on {_machine_line(records)}.", ""]
    page += [results_markdown(rows(records, comparison))]
    page += [f"Fastest within {decision['accuracy_budget_points']:g} points of {decision['baseline']}:", ""]
    page += [*_choices(decision), ""]
    if comparison["agreement"]:
        page += ["One file on several runtimes:", "", agreement_markdown(comparison["agreement"])]
    if real_length_cells(rows(records, comparison)):
        page += ["Every test sentence at its own length:", "", real_lengths_markdown(rows(records, comparison))]
    page += [*(f"- {note}" for note in notes(records, comparison)), ""]
    return "\n".join(page)


def _csv(all_rows: Sequence[Row]) -> str:
    stream = io.StringIO()
    percentiles = sorted({p for row in all_rows for p in row.latency_percentiles_ms or {}}, key=float)
    flat: list[dict[str, Any]] = []
    for row in all_rows:
        cells = asdict(row)
        own = cells.pop("latency_percentiles_ms") or {}
        flat.append({**cells, **{f"latency_p{p}_ms": own.get(p) for p in percentiles}})
    writer = csv.DictWriter(stream, fieldnames=list(flat[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(flat)
    return stream.getvalue()


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
)


def _json(records: Sequence[Record], comparison: Mapping[str, Any], decision: Mapping[str, Any]) -> str:
    candidates: dict[str, Any] = {}
    for row in rows(records, comparison):
        cells = asdict(row)
        own = {key: value for key, value in cells.items() if key not in (*_BY_WORKLOAD, "candidate", "workload")}
        entry = candidates.setdefault(row.candidate, own | {"workloads": {}})
        entry["workloads"][row.workload] = {key: cells[key] for key in _BY_WORKLOAD}
    content = {
        "study": comparison["study"],
        "baseline": comparison["baseline"],
        "candidates": candidates,
        "choices": _choices(decision),
        "notes": notes(records, comparison),
    }
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"  # in the order of params.yaml


def metrics(records: Sequence[Record], comparison: Mapping[str, Any]) -> dict[str, Any]:
    """The few numbers by which experiments are compared, by candidate; what was not measured is left out.

    `latency_ratio` is the latency over the baseline's, taken in turns: below 1 is faster; the verdicts are those of the table.
    """
    found: dict[str, Any] = {}
    for row in rows(records, comparison):
        entry = found.setdefault(row.candidate, {})
        for key in ("accuracy", "labels_differing", "accuracy_difference_points", "accuracy_verdict"):
            if (value := getattr(row, key)) is not None:
                entry[key] = value
        if row.latency_ratio is not None:
            entry.setdefault("latency_ratio", {})[row.workload] = round(row.latency_ratio, 4)
            entry.setdefault("latency_verdict", {})[row.workload] = row.latency_verdict
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
                raise _altered(file, path)


def write_summary(
    *,
    study: str,
    baseline: str,
    analysis: Mapping[str, float],
    engines: Mapping[str, Mapping[str, Any]],
    records: Sequence[str],
    remeasurements: str,
    jobs: Sequence[str],
    folder: str,
) -> None:
    """Write the report's files (temper/report/files.py).

    Args:
        study: name of the study.
        baseline: the candidate that is the baseline itself, which the others are held against.
        analysis: the section of that name: margin and budget.
        engines: the section of that name: which ONNX file each was built from.
        records: paths of the records, in the order of the table.
        remeasurements: path of the cells that were taken once more.
        jobs: paths of the job records of the measurements, which hold the records' digests.
        folder: where the summary goes.

    Raises:
        ArtifactError: a record is not of this schema version, or was altered since it was measured.
    """
    _check_jobs(jobs)
    read = settled([read_record(path) for path in records], read_remeasurements(remeasurements))
    compared = compare_records(read, baseline, analysis, engines)
    decision = decide(read, compared)
    with staged_folder(folder) as scratch:
        write_text(scratch / "summary.md", markdown(read, compared, decision))
        write_text(scratch / "summary.csv", _csv(rows(read, compared)))
        write_text(scratch / "summary.json", _json(read, compared, decision))
        write_text(scratch / "summary_table.md", summary_table_markdown(read, compared))
        write_text(scratch / "engineering_observations.md", observations_markdown(read, compared, decision))
        write_text(scratch / "comparison.json", canonical_json(compared))
        write_text(scratch / "decision.json", canonical_json(decision))
        write_text(scratch / "metrics.json", canonical_json(metrics(read, compared)))
    print(f"{study}: {len(read)} candidates")


def _listed(study: Path, section: str) -> list[str]:
    """Rows of a section of params.yaml."""
    params = study / "params.yaml"
    return list(yaml.safe_load(params.read_text(encoding="utf-8")).get(section, {}) if params.is_file() else {})


def _load_tests(study: Path) -> list[LoadTestRecord]:
    """Records of the load tests that params.yaml lists, as their jobs wrote them; those that were not run are left out."""
    found = []
    for name in _listed(study, "load_tests"):
        record, job = study / f"artifacts/load_tests/{name}.json", study / record_path("load_test", name)
        if record.is_file() and job.is_file():
            if read_job_record(job).outputs.get(f"artifacts/load_tests/{name}.json") != sha256(record):
                raise _altered(record, job)
            found.append(read_load_test(record))
    return found


def _altered(file: str | Path, job: str | Path) -> ArtifactError:
    return ArtifactError(
        asked=f"report {file}",
        happened=f"{file} is not the record that was measured: altered since (its job's record is {job})",
        spoiled="every table that would hold it; nothing was written",
        fix="temper sync: takes the measured record from DVC's cache, or lets it be measured anew",
    )


def print_summary(folder: str) -> None:
    """Print the table of a report's folder on standard output."""
    from rich.console import Console
    from rich.table import Table

    content = json.loads((Path(folder) / "summary.json").read_text(encoding="utf-8"))
    workloads = list(dict.fromkeys(name for entry in content["candidates"].values() for name in entry["workloads"]))
    study = Path(folder).parents[1]
    load_tests = _load_tests(study)
    shown = Table(title=content["study"], title_justify="left")
    shown.add_column("candidate", no_wrap=True)
    for column in ("MiB", "accuracy %", "flips", "budget"):
        shown.add_column(column, justify="right")
    for workload in workloads:
        own = [entry["workloads"].get(workload) for entry in content["candidates"].values()]
        real = any(latency and latency["real_lengths"] for latency in own)
        for column in ("mean ms" if real else "p50 ms", "× [95 %]", ""):
            shown.add_column(f"{workload} {column}".strip() if column else "", justify="right")
    for name, entry in content["candidates"].items():
        cells = [
            name,
            number(entry["size_mib"], 2),
            number(None if entry["accuracy"] is None else 100 * entry["accuracy"], 2),
            ABSENT if entry["labels_differing"] is None else str(entry["labels_differing"]),
            entry["accuracy_verdict"] or ABSENT,
        ]
        for workload in workloads:
            own = entry["workloads"].get(workload)
            if own is None or own["latency_ratio"] is None:
                cells += [milliseconds(_centre(own) if own else None), ABSENT, ABSENT]
                continue
            digits = 2 if own["latency_ratio"] >= 0.1 else 4
            interval = f"{own['latency_ratio_low']:.{digits}f}–{own['latency_ratio_high']:.{digits}f}"
            cells += [milliseconds(_centre(own)), interval, own["latency_verdict"]]
        shown.add_row(*cells)
    console = Console(width=None if sys.stdout.isatty() else 70 + 50 * len(workloads))  # a file has no edge
    console.print(shown)
    files = [study / f"artifacts/buckets/{name}.json" for name in _listed(study, "buckets")]
    buckets = bucket_cells([file for file in files if file.is_file()])
    for title, header, lines in (
        ("MLPerf LoadGen", HEADER, load_test_rows(load_tests)),
        ("sequence lengths to build engines for", BUCKETS_HEADER, buckets),
    ):
        if lines:
            other = Table(title=title, title_justify="left")
            for name in header:
                other.add_column(name)
            for line in lines:
                other.add_row(*line)
            console.print(other)
    console.print("fastest within the accuracy budget:")
    for choice in content["choices"]:
        console.print(choice.replace("**", ""), highlight=False)
    for note in content["notes"]:
        console.print(f"· {note}", highlight=False)
