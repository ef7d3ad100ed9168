"""Candidates held against the fastest of some others, from the ratios that each was timed to the baseline with."""

from collections.abc import Iterable, Sequence

from temper.errors import ArtifactError
from temper.measurement.record import LatencyRatio, Record
from temper.report.filed import FiledStudy
from temper.report.markdown_table import markdown_table
from temper.statistics.ratio import Ratio, quotient

HEADER = ("workload", "fastest peer", "candidate", "× the peer's latency")
SAME = Ratio(1.0, 1.0, 1.0)


def _ratios(records: Iterable[Record], workload: str) -> dict[str, Ratio]:
    """Ratio to the baseline of every candidate that was measured on a workload and computes something."""
    found = {}
    for record in records:
        cell = record.workloads.get(workload)
        ratio = None if cell is None or cell.status != "measured" else cell.ratio
        if isinstance(ratio, LatencyRatio) and record.accuracy is not None and record.accuracy.status == "measured":
            found[record.candidate] = Ratio(ratio.ratio, ratio.low, ratio.high)
    return found


def _shown(ratio: Ratio, digits: int) -> str:
    return f"{ratio.ratio:.{digits}f} [{ratio.low:.{digits}f}, {ratio.high:.{digits}f}]"


def peers_markdown(study: FiledStudy, peers: Sequence[str], over: str | None = None) -> str:
    """A Markdown table: on each workload every other candidate against the fastest of the peers that ran it, fastest first.

    A candidate was timed in turns with the baseline, so where the baseline is the fastest peer, that is the ratio itself;
    any other two are compared through it (`quotient`).

    Args:
        study: the filed study.
        peers: names of candidates.
        over: the candidate that the last column counts from; the baseline where it is None.

    Raises:
        ArtifactError: one of them is no candidate of the study.
    """
    unknown = sorted({*peers, *([over] if over else [])} - {record.candidate for record in study.records})
    if unknown:
        raise ArtifactError(
            asked=f"hold the candidates of {study.folder} against {', '.join(peers)}",
            happened=f"it has no candidate {', '.join(unknown)}",
            spoiled="the page; it was not changed",
            fix="name candidates of its params.yaml in the mark",
        )
    baseline, lines = study.params["baseline"], []
    itself = {
        name
        for name, row in study.params["candidates"].items()
        if all(row[key] == value for key, value in baseline.items())
    }
    for workload in study.params["workloads"]:
        ratios = _ratios(study.records, workload) | {
            name: SAME for name in itself
        }  # to itself there is nothing to measure
        known = {name: ratios[name] for name in peers if name in ratios}
        if not known:
            continue
        best = min(known, key=lambda name: known[name].ratio)
        slow = SAME if over is None else ratios.get(over)
        for name in sorted(ratios.keys() - (itself - {best}), key=lambda name: ratios[name].ratio):
            if name in known and name != best:
                continue
            beside = "1" if name == best else _shown(quotient(ratios[name], known[best]), 3)
            times = "–" if slow is None else _shown(quotient(slow, ratios[name]), 2)
            lines.append([workload, best, name, beside, times])
    return markdown_table((*HEADER, f"times faster than {over or 'the baseline'}"), lines, 3)
