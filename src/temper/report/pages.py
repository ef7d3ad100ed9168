"""Tables in the documentation, written from committed records and from nothing else."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from temper.errors import ArtifactError
from temper.load_test.record import read_load_test
from temper.measurement.record import Record, read_record
from temper.report.comparison import compare_records
from temper.report.load_tests import load_test_markdown
from temper.report.render import agreement_markdown, results_markdown
from temper.report.tables import rows

_MARKED = re.compile(
    r"(<!-- (?P<what>table|load tests|calibration study|agreement) of (?P<folder>\S+)(?: for (?P<only>[^>]+?))? -->\n)"
    r".*?(?P<end><!-- end of table -->)",
    re.DOTALL,
)


def _compared(folder: Path) -> tuple[list[Record], dict[str, Any]]:
    """The records of a folder results/<machine>/<study>/, in the order of its params.yaml, and what is made of them.

    Raises:
        ArtifactError: the folder holds no params.yaml, or a record is missing or of another schema version.
    """
    params = folder / "params.yaml"
    if not params.is_file():
        raise ArtifactError(
            asked=f"write the table of {folder}",
            happened=f"{params} does not exist",
            spoiled="the page; it was not changed",
            fix="file the study's records there first (results/README.md)",
        )
    study = yaml.safe_load(params.read_text(encoding="utf-8"))
    records = [read_record(folder / "measurements" / f"{name}.json") for name in study["candidates"]]
    baseline = study["baseline"]
    same = next(
        name for name, row in study["candidates"].items() if all(row[key] == value for key, value in baseline.items())
    )
    return records, compare_records(records, same, study["analysis"], study["engines"])


def results_table(folder: Path, workloads: Sequence[str] | None = None) -> str:
    """The Markdown table of a folder results/<machine>/<study>/, candidates in the order of its params.yaml.

    Args:
        folder: what `temper results` filed.
        workloads: only these; all where it is None.
    """
    records, compared = _compared(folder)
    shown = [row for row in rows(records, compared) if workloads is None or row.workload in workloads]
    return results_markdown(shown, without=("library", "p95 ms", "size MiB", "samples/s"))


def agreement_table(folder: Path) -> str:
    """The Markdown table of how far runtimes of one ONNX file agree, from the records of results/<machine>/<study>/."""
    return agreement_markdown(_compared(folder)[1]["agreement"])


def load_tests_table(folder: Path) -> str:
    """The Markdown table of the load tests in a folder results/<machine>/<study>/."""
    return load_test_markdown([read_load_test(path) for path in sorted((folder / "load_tests").glob("*.json"))])


def calibration_table(folder: Path) -> str:
    """Accuracy in per cent and labels that differ from the baseline's, samples side by side, from a calibration study.

    Args:
        folder: results/<machine>/<study>/, whose comparison/comparison.json `temper calibration-study` wrote.
    """
    rows = json.loads((folder / "comparison" / "comparison.json").read_text(encoding="utf-8"))["rows"]
    method, samples = (next(key for key in rows[0]["changed"] if key.endswith(end)) for end in (".method", ".samples"))
    cells = {
        (row["changed"][method], row["candidate"], row["changed"][samples]): (
            f"{100 * row['accuracy']:.2f} ({row['labels_differing']})"
        )
        for row in rows
        if row["accuracy"] is not None
    }
    counts = sorted({count for *_, count in cells})
    page = ["| method | candidate | " + " | ".join(f"{count} samples" for count in counts) + " |"]
    page.append("| --- | --- |" + " ---: |" * len(counts))
    for own in dict.fromkeys(key[:2] for key in cells):  # the file's order: best first
        page.append("| " + " | ".join([*own, *(cells.get((*own, count), "–") for count in counts)]) + " |")
    return "\n".join(page) + "\n"


def filled(page: str, root: Path) -> str:
    """A page with every marked table written anew from the folder its mark names, relative to `root`.

    `<!-- table of FOLDER -->`, `<!-- table of FOLDER for WORKLOAD WORKLOAD -->`, `<!-- load tests of FOLDER -->`,
    `<!-- agreement of FOLDER -->` and `<!-- calibration study of FOLDER -->` end with `<!-- end of table -->`.
    """

    def written(mark: re.Match[str]) -> str:
        folder = root / mark["folder"]
        if mark["what"] == "table":
            return results_table(folder, mark["only"].split() if mark["only"] else None)
        return {"load tests": load_tests_table, "agreement": agreement_table, "calibration study": calibration_table}[
            mark["what"]
        ](folder)

    return _MARKED.sub(lambda mark: mark[1] + written(mark) + mark["end"], page)
