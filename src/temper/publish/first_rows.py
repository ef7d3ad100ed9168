"""Accuracy on the first rows of the test split beside that on all of them: what a smaller test would have shown."""

from collections.abc import Sequence

import numpy as np

from temper.errors import ArtifactError
from temper.measurement.record import Accuracy
from temper.report.filed import FiledStudy
from temper.report.markdown_table import markdown_table
from temper.statistics.paired_labels import Labels, against_budget, flips, paired_difference_interval


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")


def _cells(own: Labels, other: Labels, labels: Labels, budget_points: float) -> list[str]:
    """Accuracy, the paired difference with its 95 % interval, flips and verdict."""
    found = flips(own, other, labels)
    low, high = paired_difference_interval(found.wrong_to_right, found.right_to_wrong, found.rows)
    verdict = against_budget(
        found.wrong_to_right, found.right_to_wrong, found.rows, budget_points=budget_points
    ).verdict
    difference = f"{_signed(100 * found.difference)} [{_signed(100 * low)}, {_signed(100 * high)}]"
    return [f"{100 * float((own == labels).mean()):.2f}", difference, str(found.differing), verdict]


def first_rows_markdown(study: FiledStudy, rows: int, candidates: Sequence[str]) -> str:
    """A Markdown table: candidates by lines, the first rows and all of them side by side.

    Args:
        study: a filed study.
        rows: how many of the test split's rows, from its first.
        candidates: names, in the order of the lines.

    Raises:
        ArtifactError: the split has fewer rows, or a candidate's answers were not measured.
    """
    records = {record.candidate: record for record in study.records}

    def answers(name: str) -> tuple[Labels, Labels]:
        accuracy = records[name].accuracy if name in records else None
        if not isinstance(accuracy, Accuracy) or accuracy.rows < rows:
            raise ArtifactError(
                asked=f"write the accuracy of {name} on the first {rows:,} rows of {study.folder}",
                happened="the folder has no answers of it on as many rows",
                affected="the page; it was not changed",
                fix="name measured candidates of that study in the mark, and no more rows than its test split has",
            )
        return np.asarray(accuracy.answers.predictions), np.asarray(accuracy.labels)

    theirs, labels = answers(study.baseline)
    budget = float(study.params["analysis"]["accuracy_budget_points"])
    lines = []
    for name in candidates:
        own, _ = answers(name)
        parts = (slice(0, rows), slice(None))
        lines.append(
            [name, *(cell for part in parts for cell in _cells(own[part], theirs[part], labels[part], budget))]
        )
    header = ["candidate"]
    for count in (rows, len(labels)):
        header += [f"{count:,} rows: accuracy %", "difference, points", "flips", "verdict"]
    return markdown_table(header, lines, 1)
