"""Each kind of table that a page may hold, made from a filed study or a folder of results/."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from temper.artifacts.manifest import read_document
from temper.errors import ArtifactError
from temper.load_test.record import read_load_test
from temper.publish.resources import resources_markdown
from temper.reading.typed import as_typed
from temper.report.decide.decision import decide
from temper.report.filed import FiledStudy
from temper.report.load_tests import load_test_markdown
from temper.report.observe.observations import observations_part
from temper.report.serving import real_lengths_markdown
from temper.report.summary import summary
from temper.report.summary_markdown import agreement_markdown, results_markdown
from temper.report.tables import Row, rows
from temper.report.terminal import WIDTH as TERMINAL_WIDTH
from temper.report.terminal import report_lines


def filed_rows(study: FiledStudy) -> list[Row]:
    """Rows of a study's records; a product that was executed was executed, though the latency was withdrawn."""
    pairs = zip(rows(study.records, study.compared), rows(study.measured, study.compared), strict=True)
    return [replace(row, executed_products=measured.executed_products) for row, measured in pairs]


def withdrawn_note(study: FiledStudy, shown: Sequence[Row], workloads: Sequence[str]) -> str:
    """A paragraph for what a table lacks, since it was withdrawn; '' where it lacks nothing."""
    candidates = list(dict.fromkeys(row.candidate for row in shown))
    notes = [note for entry in study.withdrawn if (note := entry.note(candidates, workloads)) is not None]
    return "\n" + "\n".join(notes) + "\n" if notes else ""


def results_table(study: FiledStudy, workloads: Sequence[str] | None = None) -> str:
    """The Markdown table of what `temper results` filed, candidates in the order of its params.yaml.

    Args:
        study: a filed study.
        workloads: only these; all where it is None.

    Raises:
        ArtifactError: its records have no such workload.
    """
    timed = dict.fromkeys(name for record in study.records for name in record.workloads)
    unknown = [name for name in workloads or () if name not in timed]
    if unknown:
        raise ArtifactError(
            asked=f"write the table of {study.folder} for {' '.join(unknown)}",
            happened=f"its records have the workloads {', '.join(timed)}",
            affected="the page; it was not changed",
            fix="correct the mark",
        )
    shown = [row for row in filed_rows(study) if workloads is None or row.workload in workloads]
    table = results_markdown(shown, without=("library", "p95 ms", "size MiB", "samples/s"))
    return table + withdrawn_note(study, shown, list(timed) if workloads is None else workloads)


def labels_table(study: FiledStudy) -> str:
    """The Markdown table without latencies: what was executed, accuracy, flips and verdicts."""
    shown = filed_rows(study)
    table = results_markdown(shown, without=("library", "size MiB", "samples/s", " ms", "×", " verdict"))
    return table + withdrawn_note(study, shown, ())


def agreement_table(study: FiledStudy) -> str:
    """The Markdown table of how far runtimes of one ONNX file agree, from a study's records."""
    return agreement_markdown(study.compared)


def real_lengths_table(study: FiledStudy) -> str:
    """The Markdown table of throughput and padding on workloads of real lengths, from a study's records."""
    return real_lengths_markdown(rows(study.records, study.compared))


def resources_table(study: FiledStudy) -> str:
    """The Markdown table of sizes, peaks of memory and throughput, from a study's records."""
    return resources_markdown(rows(study.records, study.compared))


def observations_of(study: FiledStudy) -> str:
    """What the rules find in a study's records, each line with the records it rests on."""
    return observations_part(study.records, study.compared, decide(study.records, study.compared)) + "\n"


def terminal_block(study: FiledStudy, workload: str | None = None) -> str:
    """What `temper run` prints of a study, from its records, as a block of text.

    Args:
        study: a filed study.
        workload: only its choice and its table; all where it is None.
    """
    content = summary(study.records, study.compared, decide(study.records, study.compared))
    content = content if workload is None else content.on(workload)
    content = replace(  # as a terminal has them
        content, choices=tuple(map(as_typed, content.choices)), first_notes=tuple(map(as_typed, content.first_notes))
    )
    return "\n".join(
        ["```text", *report_lines(content, ("artifacts/report/summary.md", "temper report"), TERMINAL_WIDTH), "```", ""]
    )


def load_tests_table(folder: Path) -> str:
    """The Markdown table of the load tests in a folder results/<machine>/<study>/."""
    return load_test_markdown([read_load_test(path) for path in sorted((folder / "load_tests").glob("*.json"))])


def calibration_table(folder: Path) -> str:
    """Accuracy in per cent and labels that differ from the baseline's, samples side by side, from a calibration study.

    Args:
        folder: results/<machine>/<study>/, whose comparison/comparison.json `temper calibration-study` wrote.
    """
    rows = read_document(folder / "comparison" / "comparison.json")["rows"]
    method, samples = (next(key for key in rows[0]["changed"] if key.endswith(end)) for end in (".method", ".samples"))
    cells = {
        (
            changed[method],
            row["candidate"],
            changed[samples],
        ): f"{100 * row['accuracy']:.2f} ({row['labels_differing']})"
        for row in rows
        for changed in row.get("changed_by_experiment", {"": row["changed"]}).values()  # identical ones share a row
        if row["accuracy"] is not None
    }
    counts = sorted({count for *_, count in cells})
    page = ["| method | candidate | " + " | ".join(f"{count} samples" for count in counts) + " |"]
    page.append("| --- | --- |" + " ---: |" * len(counts))
    for own in dict.fromkeys(key[:2] for key in cells):  # the file's order
        page.append("| " + " | ".join([*own, *(cells.get((*own, count), "–") for count in counts)]) + " |")
    return "\n".join(page) + "\n"
