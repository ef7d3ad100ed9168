"""Candidates held against one another, from the ratios that each was timed to the baseline with."""

from collections.abc import Iterable, Sequence

from temper.errors import ArtifactError
from temper.measurement.record import LatencyRatio
from temper.report.filed import FiledStudy
from temper.report.markdown_table import markdown_table
from temper.statistics.ratio import Ratio, quotient

HEADER = ("workload", "fastest peer", "candidate", "× the peer's latency")
SAME = Ratio(1.0, 1.0, 1.0)


def _ratios(study: FiledStudy, workload: str) -> dict[str, Ratio]:
    """Ratio to the baseline of every candidate that was measured on a workload and computes something; its own is 1."""
    found = {}
    for record in study.records:
        cell = record.workloads.get(workload)
        ratio = None if cell is None or cell.status != "measured" else cell.ratio
        if isinstance(ratio, LatencyRatio) and record.accuracy is not None and record.accuracy.status == "measured":
            found[record.candidate] = Ratio(ratio.ratio, ratio.low, ratio.high)
    return found | {study.baseline: SAME}


def _shown(ratio: Ratio, digits: int) -> str:
    return f"{ratio.ratio:.{digits}f} [{ratio.low:.{digits}f}, {ratio.high:.{digits}f}]"


def _check_names(study: FiledStudy, names: Iterable[str]) -> None:
    """Raise ArtifactError where one is no candidate of the study."""
    unknown = sorted(set(names) - {record.candidate for record in study.records})
    if unknown:
        raise ArtifactError(
            asked=f"hold candidates of {study.folder} against one another",
            happened=f"it has no candidate {', '.join(unknown)}",
            spoiled="the page; it was not changed",
            fix="name candidates of its params.yaml in the mark",
        )


def peers_markdown(
    study: FiledStudy, peers: Sequence[str], over: str | None = None, *, fastest_alone: bool = False
) -> str:
    """A Markdown table: on each workload every other candidate against the fastest of the peers that ran it, fastest first.

    A candidate was timed in turns with the baseline, so where the baseline is the fastest peer, that is the ratio itself;
    any other two are compared through it (`quotient`).

    Args:
        study: the filed study.
        peers: names of candidates.
        over: the candidate that the last column counts from; the baseline where it is None.
        fastest_alone: of the others, only the fastest on each workload.

    Raises:
        ArtifactError: there are no peers, or one of them is no candidate of the study.
    """
    if not peers:
        raise ArtifactError(
            asked=f"hold the candidates of {study.folder} against their fastest peer",
            happened="the mark names no peers",
            spoiled="the page; it was not changed",
            fix="name them: <!-- peers of FOLDER for CANDIDATE CANDIDATE over CANDIDATE -->",
        )
    _check_names(study, (*peers, *([over] if over else [])))
    lines = []
    for workload in study.params["workloads"]:
        ratios = _ratios(study, workload)
        known = {name: ratios[name] for name in peers if name in ratios}
        if not known:
            continue
        best = min(known, key=lambda name: known[name].ratio)
        slow = SAME if over is None else ratios.get(over)
        others = sorted(ratios.keys() - known.keys(), key=lambda name: ratios[name].ratio)
        shown = others[:1] if fastest_alone else sorted([best, *others], key=lambda name: ratios[name].ratio)
        for name in shown:
            beside = "1" if name == best else _shown(quotient(ratios[name], known[best]), 3)
            times = "–" if slow is None else _shown(quotient(slow, ratios[name]), 2)
            lines.append([workload, best, name, beside, times])
    return markdown_table((*HEADER, f"times faster than {over or 'the baseline'}"), lines, 3)


def pairs_markdown(study: FiledStudy, pairs: Sequence[str]) -> str:
    """A Markdown table: the latency of each pair's first candidate over its second's, on every workload that both ran.

    Args:
        study: the filed study.
        pairs: `CANDIDATE/CANDIDATE`, as in `rtx-tanh/rtx-op23`.

    Raises:
        ArtifactError: one is no pair, or names no candidate of the study.
    """
    split = [tuple(pair.split("/")) for pair in pairs]
    if not split or any(len(pair) != 2 for pair in split):
        raise ArtifactError(
            asked=f"write the table of pairs of {study.folder}",
            happened=f"'{' '.join(pairs)}' are no pairs",
            spoiled="the page; it was not changed",
            fix="write each as CANDIDATE/CANDIDATE in the mark",
        )
    _check_names(study, (name for pair in split for name in pair))
    ratios = {workload: _ratios(study, workload) for workload in study.params["workloads"]}
    lines = [
        [
            *pair,
            *(
                _shown(quotient(at[pair[0]], at[pair[1]]), 3) if all(name in at for name in pair) else "–"
                for at in ratios.values()
            ),
        ]
        for pair in split
    ]
    return markdown_table(("candidate", "beside", *(f"{workload} ×" for workload in ratios)), lines, 2)
