"""Load tests as a table."""

from collections.abc import Sequence
from typing import Any

from temper.load_test.record import LoadTestRecord
from temper.report.markdown_table import markdown_table

HEADER = (
    "load test",
    "backend",
    "artifact",
    "scenario",
    "workload",
    "result",
    "queries",
    "rate per s",
    "p50 ms",
    "p99 ms",
)
ABSENT = "–"


def load_test_rows(records: Sequence[LoadTestRecord]) -> list[list[str]]:
    """Cells by `HEADER`, a line per load test.

    The rate is samples per second; in the scenario server the highest rate of arrivals that was VALID under its bound.
    """
    return [_cells(record) for record in records]


def _cells(record: LoadTestRecord) -> list[str]:
    row, result = record.row, record.result
    named = [record.load_test, row["backend"], row["loads"], row["scenario"], row["workload"]]
    if record.status != "measured" or result is None:
        return [*named, f"not measured: {record.reason}", *[ABSENT] * 4]
    run: dict[str, Any] = result["run"]
    rate = result["rate_per_s"] if row["scenario"] == "server" else run["samples_per_s"]
    percentiles = run["latency_percentiles_ms"]
    bound = ""
    if row["scenario"] == "server":
        bound = f" (p{row['latency_percentile']:g} ≤ {row['latency_bound_ms']:g} ms)"
    offline = row["scenario"] == "offline"  # its latencies are counted from the start of the test
    return [
        *named,
        ("VALID" if result["valid"] else "INVALID") + bound,
        f"{run['samples']:,}",
        ABSENT if rate is None else f"{rate:,.1f}",
        *(ABSENT if offline or percentiles.get(p) is None else f"{percentiles[p]:.3g}" for p in ("50", "99")),
    ]


def load_test_markdown(records: Sequence[LoadTestRecord]) -> str:
    """The table as Markdown, without backend and artifact, which a load test's name says."""
    shown = [at for at, name in enumerate(HEADER) if name not in ("backend", "artifact")]
    lines = [[cells[at] for at in shown] for cells in load_test_rows(records)]
    return markdown_table([HEADER[at] for at in shown], lines, 4)
