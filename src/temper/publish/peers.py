"""Candidates held against one another, from the ratios that each was timed to the baseline with."""

from collections.abc import Iterable, Sequence

from temper.errors import ArtifactError
from temper.report.decide.compared_accuracy import Missing
from temper.report.decide.evidence import DISTURBED, relative_latency
from temper.report.filed import FiledStudy
from temper.report.markdown_table import markdown_table
from temper.statistics.ratio import Ratio

HEADER = ("workload", "fastest peer", "candidate", "× the peer's latency")


def _ratios(study: FiledStudy, workload: str) -> dict[str, float | None]:
    """Ratio to the baseline of every candidate that was measured on a workload and computes something; its own is 1.

    None where the ratio does not hold: the candidate stands in the table as disturbed, and nothing is counted from it. The
    baseline is among them where it was not measured either: others could be held against it all the same.
    """
    found: dict[str, float | None] = {}
    for name, compared in study.compared.candidates.items():
        cell = compared.workloads.get(workload)
        if cell is not None and cell.is_measured and not isinstance(compared.accuracy, Missing):
            found[name] = cell.taken.ratio if cell.holds else None
    return found | ({study.baseline: 1.0} if found.get(study.baseline) is not None else {})


def _over(study: FiledStudy, workload: str, own: str, other: str, digits: int) -> str:
    """One candidate's latency over another's, or the word that says why it is not told."""
    ratios = _ratios(study, workload)
    if own not in ratios or other not in ratios:
        return "–"
    if ratios[own] is None or ratios[other] is None:
        return DISTURBED
    return _shown(relative_latency(study.compared, workload, own, other), digits)


def _shown(ratio: Ratio, digits: int) -> str:
    return f"{ratio.ratio:.{digits}f} [{ratio.low:.{digits}f}, {ratio.high:.{digits}f}]"


def _check_names(study: FiledStudy, names: Iterable[str]) -> None:
    """Raise ArtifactError where one is no candidate of the study."""
    unknown = sorted(set(names) - {record.candidate for record in study.records})
    if unknown:
        raise ArtifactError(
            asked=f"hold candidates of {study.folder} against one another",
            happened=f"it has no candidate {', '.join(unknown)}",
            affected="the page; it was not changed",
            fix="name candidates of its params.yaml in the mark",
        )


def peers_markdown(
    study: FiledStudy, peers: Sequence[str], over: str | None = None, *, fastest_alone: bool = False
) -> str:
    """A Markdown table: on each workload every other candidate against the fastest of the peers that ran it, fastest first.

    A candidate was timed in turns with the baseline, so where the baseline is the fastest peer, that is the ratio itself;
    any other two are compared through it (`relative_latency`). What does not hold is no peer, comes last, and has
    the word 'disturbed' in the place of figures.

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
            affected="the page; it was not changed",
            fix="name them: <!-- peers of FOLDER for CANDIDATE CANDIDATE over CANDIDATE -->",
        )
    _check_names(study, (*peers, *([over] if over else [])))
    lines = []
    for workload in study.params["workloads"]:
        ratios = _ratios(study, workload)
        held = {name: ratio for name, ratio in ratios.items() if ratio is not None}
        known = {name: held[name] for name in peers if name in held}
        if not known:
            lost = [peer for peer in peers if peer in ratios]  # measured, and none of them holds
            lines += [[workload, DISTURBED, *("–",) * 3]] if lost else []
            continue
        best = min(known, key=lambda name: known[name])
        others = sorted(held.keys() - known.keys(), key=lambda name: held[name])
        shown = others[:1] if fastest_alone else sorted([best, *others], key=lambda name: held[name])
        last = [] if fastest_alone else [name for name, ratio in ratios.items() if ratio is None]
        for name in (*shown, *last):
            beside = "1" if name == best else _over(study, workload, name, best, 3)
            times = _over(study, workload, study.baseline if over is None else over, name, 2)
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
    split = [pair.split("/") for pair in pairs]
    if not split or any(len(pair) != 2 for pair in split):
        raise ArtifactError(
            asked=f"write the table of pairs of {study.folder}",
            happened=f"'{' '.join(pairs)}' are no pairs",
            affected="the page; it was not changed",
            fix="write each as CANDIDATE/CANDIDATE in the mark",
        )
    _check_names(study, (name for pair in split for name in pair))
    workloads = list(study.params["workloads"])
    lines = [[own, other, *(_over(study, workload, own, other, 3) for workload in workloads)] for own, other in split]
    return markdown_table(("candidate", "beside", *(f"{workload} ×" for workload in workloads)), lines, 2)
