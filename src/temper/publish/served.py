"""The table of what serving a package costs, from what benchmarks/serving.py wrote."""

from pathlib import Path
from typing import Any

from temper.artifacts.manifest import read_document
from temper.report.markdown_table import markdown_table

SIDES = {
    "in_process": "the model in the client's process",
    "served": "`package_runtime serve`",
    "one_row_a_call": "the same, one row a call",
    "one_request_at_a_time": "one request at a time: the model called in a handler",
    "mlserver": "MLServer, calls of as many rows",
    "litserve": "LitServe, batches of the same rows",
}
HEADER = (
    "package",
    "who answers",
    "rows/s",
    "× in process",
    "p50 ms",
    "at the bound",
    "×",
)


def _number(value: Any, digits: int) -> str:
    return "–" if value is None else f"{value:,.{digits}f}"


def served_table(folder: Path) -> str:
    """A line for each side of each file of a folder.

    Args:
        folder: with the figures of benchmarks/serving.py, a file for a package.

    Raises:
        ArtifactError: a file is none of them.
    """
    lines = []
    for file in sorted(folder.glob("served-*.json")):
        figures = read_document(file)
        bare = figures["in_process"]["batched_per_s"]
        for side in (name for name in SIDES if name in figures):
            own = figures[side]
            rate = own.get("batched_per_s", own.get("closed_loop_per_s"))
            bound = 1.0 if side == "in_process" and "rate_at_bound_per_s" in own else own.get("rate_at_bound_ratio")
            lines.append(
                (
                    figures["candidate"],
                    SIDES[side],
                    _number(rate, 0),
                    _number(rate / bare, 2),
                    _number(own["single_p50_ms"], 2),
                    _number(own.get("rate_at_bound_per_s"), 0),
                    _number(bound, 2),
                )
            )
    return markdown_table(HEADER, lines, 2)
