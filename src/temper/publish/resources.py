"""What each candidate costs beside its latency: size on disk, memory on the GPU and the host, and throughput."""

from collections.abc import Sequence

from temper.report.markdown_table import markdown_table
from temper.report.tables import Row

ABSENT = "–"
HEADER = ("candidate", "artifact", "size MiB", "GPU peak MiB", "host peak MiB")


def _number(value: float | None, digits: int) -> str:
    return ABSENT if value is None else f"{value:,.{digits}f}"


def resource_cells(rows: Sequence[Row], workloads: Sequence[str]) -> list[list[str]]:
    """A line per candidate: HEADER, then per workload the samples per second with the best number of callers.

    The size is that of the weights with their graph, or of the engine. Peaks are of a process that does nothing else; the
    GPU's is what was in use above what was before.
    """
    lines = []
    for candidate in dict.fromkeys(row.candidate for row in rows):
        own = {row.workload: row for row in rows if row.candidate == candidate}
        first = next(iter(own.values()))
        line = [candidate, first.loads, _number(first.size_mib, 1)]
        line += [_number(first.gpu_peak_mib, 0), _number(first.peak_rss_mib, 0)]
        rates = (own[name].throughput_samples_per_s if name in own else None for name in workloads)
        lines.append([*line, *(_number(rate, 0) for rate in rates)])
    return lines


def resources_markdown(rows: Sequence[Row]) -> str:
    """The same as a Markdown table, workloads in the order of the rows."""
    workloads = list(dict.fromkeys(row.workload for row in rows))
    header = (*HEADER, *(f"{name} samples/s" for name in workloads))
    return markdown_table(header, resource_cells(rows, workloads), 2)
