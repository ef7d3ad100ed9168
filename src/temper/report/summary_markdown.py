"""artifacts/report/summary.md: the choice, the whole table, every note."""

from collections.abc import Sequence

from temper.measurement.record import Record
from temper.report.choices import choices
from temper.report.decide.agreement import HEADER as AGREEMENT_HEADER
from temper.report.decide.agreement import agreement_cells
from temper.report.decide.compared import ComparedStudy
from temper.report.decide.decided import Decision
from temper.report.formats import ABSENT, centre, in_order, judged_by, milliseconds, number, points, ratio
from temper.report.notes import notes
from temper.report.serving import real_length_cells, real_lengths_markdown
from temper.report.tables import Row, rows

WORKLOAD_COLUMNS = ("p50 ms", "p95 ms", "×", "verdict", "samples/s")


def table(all_rows: Sequence[Row], judged: str = "accuracy") -> tuple[list[str], list[list[str]]]:
    """Header and cells: one line per candidate, its workloads side by side; × is the latency over the baseline's."""
    workloads = in_order(row.workload for row in all_rows)
    header = [
        "candidate",
        "library",
        "artifact",
        "executed products",
        "size MiB",
        f"{judged} %",
        "difference, points",
        "flips",
        judged,
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
                milliseconds(centre(row) if row else None),
                milliseconds(percentiles.get("95")),
                ratio(row),
                (row.latency_verdict if row else None) or ABSENT,
                number(row.throughput_samples_per_s if row else None, 0),
            ]
        lines.append(cells)
    return header, lines


def _machine_line(records: Sequence[Record]) -> str:
    seen = {(r.machine["cpu"], r.machine["cores_usable"], *(gpu["name"] for gpu in r.gpus)) for r in records}
    return "; ".join(f"{cpu}, {cores} cores{''.join(f', {gpu}' for gpu in gpus)}" for cpu, cores, *gpus in sorted(seen))


def _markdown_table(header: Sequence[str], lines: Sequence[Sequence[str]]) -> list[str]:
    words = ("candidate", "library", "artifact", "products", "accuracy", "verdict", "file", "runtimes")
    page = ["| " + " | ".join(header) + " |"]
    page.append("| " + " | ".join("---" if name.endswith(words) else "---:" for name in header) + " |")
    return page + ["| " + " | ".join(cells) + " |" for cells in lines]


def results_markdown(all_rows: Sequence[Row], *, without: Sequence[str] = (), judged: str = "accuracy") -> str:
    """The table as Markdown, without the columns whose names end so."""
    header, lines = table(all_rows, judged)
    kept = [at for at, name in enumerate(header) if not name.endswith(tuple(without))]
    return (
        "\n".join(_markdown_table([header[at] for at in kept], [[cells[at] for at in kept] for cells in lines])) + "\n"
    )


def agreement_markdown(comparison: ComparedStudy) -> str:
    """How far runtimes of one ONNX file agree, as a Markdown table."""
    return "\n".join(_markdown_table(AGREEMENT_HEADER, agreement_cells(comparison.agreement))) + "\n"


def markdown(records: Sequence[Record], comparison: ComparedStudy, decision: Decision) -> str:
    """The summary as a Markdown page."""
    page = [f"# {comparison.study}", "", f"Measured on {_machine_line(records)}.", ""]
    page += [f"Which to serve, within {decision.accuracy_budget_points:g} points of {decision.baseline}:", ""]
    page += [*(f"- {sentence}" for sentence in choices(decision)), ""]
    page += [results_markdown(rows(records, comparison), judged=judged_by(comparison))]
    if comparison.agreement:
        page += ["One file on several runtimes:", "", agreement_markdown(comparison)]
    if real_length_cells(rows(records, comparison)):
        page += ["Every test sentence at its own length:", "", real_lengths_markdown(rows(records, comparison))]
    page += ["What the tables cannot show:", ""]
    page += [*(f"- {note.text}" for note in notes(records, comparison, decision)), ""]
    return "\n".join(page)
