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
SERVED_HEADER = (
    "through a server",
    "beside",
    "rate per s",
    "share of its rate",
    "added at p50, ms",
    "server, processor ms/row",
    "client",
    "other labels",
)
ABSENT = "–"


def load_test_rows(records: Sequence[LoadTestRecord]) -> list[list[str]]:
    """Cells by `HEADER`, a line per load test.

    The rate is samples per second; in the scenario server the highest rate of arrivals that was VALID under its bound.
    """
    return [_cells(record) for record in records]


def _cells(record: LoadTestRecord) -> list[str]:
    row, result = record.row, record.result
    scenario = f"{row['scenario']} through {row['through']}" if row.get("through") else row["scenario"]
    named = [record.load_test, row["backend"], row["loads"], scenario, row["workload"]]
    if record.status != "measured" or result is None:
        return [*named, f"not measured: {record.reason}", *[ABSENT] * 4]
    run: dict[str, Any] = result["run"]
    rate = _rate(record)
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


def _rate(record: LoadTestRecord) -> float | None:
    """Samples per second; None where none was VALID, or the load test was not measured."""
    result = record.result
    if record.status != "measured" or result is None:
        return None
    found = result["rate_per_s"] if record.row["scenario"] == "server" else result["run"]["samples_per_s"]
    return None if found is None else float(found)


def _bare(record: LoadTestRecord, records: Sequence[LoadTestRecord]) -> LoadTestRecord | None:
    """The load test of the same traffic on the runner itself."""
    same = ("backend", "loads", "workload", "scenario", "latency_bound_ms", "latency_percentile")
    return next(
        (
            other
            for other in records
            if not other.row.get("through") and all(other.row.get(key) == record.row.get(key) for key in same)
        ),
        None,
    )


def _median_ms(record: LoadTestRecord) -> float | None:
    """Of single queries, one after the other."""
    if record.row["scenario"] != "single_stream" or record.status != "measured" or record.result is None:
        return None
    found = record.result["run"]["latency_percentiles_ms"].get("50")
    return None if found is None else float(found)


def served_rows(records: Sequence[LoadTestRecord]) -> list[list[str]]:
    """Cells by `SERVED_HEADER`: what serving costs over the bare runner, a line per load test that goes through a server.

    'beside' is the load test of the same traffic on the runner itself, where there is one.
    """
    lines = []
    for record in records:
        if not record.row.get("through") or record.status != "measured" or record.result is None:
            continue
        served, bare, rate = record.result["served"], _bare(record, records), _rate(record)
        base = None if bare is None else _rate(bare)
        own, other = _median_ms(record), None if bare is None else _median_ms(bare)
        share = ABSENT if rate is None or not base else f"{100 * rate / base:.0f} %"
        lines.append(
            [
                record.load_test,
                ABSENT if bare is None else bare.load_test,
                ABSENT if rate is None else f"{rate:,.1f}",
                share,
                ABSENT if own is None or other is None else f"{own - other:.2f}",
                f"{served['server_processor_ms_per_sample']:.2f}",
                f"{served['client_processor_ms_per_sample']:.2f}",
                f"{served['labels_differing']:,} of {served['samples']:,}",
            ]
        )
    return lines


def load_test_markdown(records: Sequence[LoadTestRecord]) -> str:
    """The table as Markdown, without backend and artifact, which a load test's name says; below it what serving costs where a
    load test goes through a server."""
    shown = [at for at, name in enumerate(HEADER) if name not in ("backend", "artifact")]
    lines = [[cells[at] for at in shown] for cells in load_test_rows(records)]
    page = markdown_table([HEADER[at] for at in shown], lines, 4)
    served = served_rows(records)
    return page + ("\n" + markdown_table(SERVED_HEADER, served, 2) if served else "")
