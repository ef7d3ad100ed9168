"""What serving sentences of real lengths takes: throughput and padding by candidate, and the lengths engines are built for."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from temper.lengths.buckets.record import read_buckets
from temper.report.markdown_table import markdown_table
from temper.report.tables import Row

ABSENT = "–"
NOTHING = "none"  # the null backend's word for its library
REAL_LENGTHS_HEADER = (
    "candidate",
    "artifact",
    "workload",
    "sentences/s, one by one",
    "saturated",
    "padding in the inputs, %",
    "computed, %",
)
BUCKETS_HEADER = ("buckets", "lengths", "profiles", "padding, %", "cost × none padded")


def _percent(share: float | None) -> str:
    return ABSENT if share is None else f"{100 * share:.1f}"


def _rate(per_s: float | None) -> str:
    return ABSENT if per_s is None else f"{per_s:,.0f}"


def real_length_cells(rows: Iterable[Row]) -> list[list[str]]:
    """Cells by `REAL_LENGTHS_HEADER`: a line per workload of real lengths and candidate, workload by workload.

    Throughput is in sentences per second: one call after the other, and with the best number of callers. Left out are the null
    backend, which computes nothing, and candidates that were not measured: the table of results names them with the reason.
    """
    real = [row for row in rows if row.real_lengths is not None and row.library != NOTHING]
    order = list(dict.fromkeys(row.workload for row in real))
    return [
        [
            row.candidate,
            row.loads,
            row.workload,
            _rate(row.sequential_samples_per_s),
            _rate(row.throughput_samples_per_s),
            _percent(row.padding_share),
            _percent(row.computed_padding_share),
        ]
        for row in sorted(real, key=lambda row: order.index(row.workload))
    ]


def real_lengths_markdown(rows: Iterable[Row]) -> str:
    """The same as a Markdown table."""
    return markdown_table(REAL_LENGTHS_HEADER, real_length_cells(rows), 3)


def padding_notes(rows: Iterable[Row]) -> list[str]:
    """Where a candidate computes more padding than its inputs hold: its engine has few shapes."""
    return [
        f"{row.candidate}, {row.workload}: {_percent(row.computed_padding_share)} % of the tokens it computes are padding, "
        f"{_percent(row.padding_share)} % of those it is given"
        for row in rows
        if row.computed_padding_share is not None
        and row.padding_share is not None
        and row.computed_padding_share > row.padding_share + 0.005
    ]


def bucket_cells(files: Sequence[Path]) -> list[list[str]]:
    """Cells by `BUCKETS_HEADER`: for each row of `buckets:` the best lengths of every number of profiles, and the limits.

    'every length' has one for each rounded length that occurs, 'no padding' is what no choice of lengths reaches.

    Args:
        files: artifacts/buckets/<row>.json.

    Raises:
        ArtifactError: one of them was altered since it was written.
    """
    lines: list[list[str]] = []
    for file in files:
        buckets = read_buckets(file)

        def cells(profiles: str, choice: dict[str, Any], limits: str, name: str = file.stem) -> list[str]:
            return [name, limits, profiles, _percent(choice["padding_share"]), f"{choice['relative_cost']:.3f}"]

        for budget in buckets["budgets"]:
            chosen = ", chosen" if budget is buckets["budgets"][-1] else ""
            lines.append(cells(str(budget["profiles"]), budget, ", ".join(map(str, budget["limits"])) + chosen))
        every = buckets["every_length"]
        rounding = f"every multiple of {buckets['row']['multiple_of']} that occurs"
        lines.append(cells(str(len(every["limits"])), every, rounding))
        lines.append(cells(ABSENT, {"padding_share": 0.0, "relative_cost": 1.0}, "no padding"))
    return lines


def buckets_markdown(folder: Path) -> str:
    """The same as a Markdown table, of all rows of a folder results/<machine>/<study>/."""
    return markdown_table(BUCKETS_HEADER, bucket_cells(sorted((folder / "buckets").glob("*.json"))), 2)
