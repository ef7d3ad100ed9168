"""Short forms for pages that are read: six columns, a choice in a sentence, a claim beside what was measured, one figure."""

from collections.abc import Mapping, Sequence

from temper.errors import ArtifactError, ConfigError
from temper.report.choices import choices
from temper.report.decide.decision import decide
from temper.report.decide.evidence import DISTURBED
from temper.report.filed import FiledStudy
from temper.report.formats import ABSENT, in_order, milliseconds, speed_up
from temper.report.markdown_table import markdown_table
from temper.report.reported import Reported, ReportedSpeedUp, claim_of, held_against
from temper.report.tables import Row, rows

NOTHING = "none"  # the null backend's library: no candidate, it shows what measuring costs


def _of(study: FiledStudy, workload: str) -> list[Row]:
    """The candidates of a workload, the fastest first, those that were not measured last.

    Raises:
        ArtifactError: its records have no such workload.
    """
    every = rows(study.records, study.compared)
    own = [row for row in every if row.workload == workload and row.library != NOTHING]
    if not own:
        raise ArtifactError(
            asked=f"write the table of {study.folder} for {workload}",
            happened=f"its records have the workloads {', '.join(in_order(row.workload for row in every))}",
            affected="the page; it was not changed",
            fix="correct the mark",
        )
    return sorted(own, key=lambda row: (row.reason is not None, row.latency_ratio or float("inf")))


def _ran_in(row: Row) -> str:
    """'10 INT8, 8 FP32' as 'INT8+FP32', most first."""
    return (
        "+".join(each.rpartition(" ")[2] for each in row.executed_products.split(", "))
        if row.executed_products
        else ABSENT
    )


def _speed(row: Row) -> str:
    ratio = (row.latency_ratio, row.latency_ratio_low, row.latency_ratio_high)
    return (
        ABSENT if ratio[0] is None or ratio[1] is None or ratio[2] is None else speed_up(ratio[0], ratio[1], ratio[2])
    )


def _accuracy(row: Row) -> str:
    points = row.accuracy_difference_points
    if points is None:
        return ABSENT
    return f"{points:+.2f}".replace("-", "−") + f" ({row.labels_differing or 0:,})"


def _verdict(row: Row) -> str:
    budget = {"within": "within budget", "beyond": "beyond budget", "undecided": "budget undecided"}
    words = [row.latency_verdict, budget.get(row.accuracy_verdict or "")]
    return ", ".join(word for word in words if word) or ABSENT


def short_table(study: FiledStudy, workload: str, candidates: Sequence[str] = ()) -> str:
    """The six columns of the report's page as Markdown, the fastest first, and below them what was not measured.

    Args:
        study: a filed study.
        workload: its name.
        candidates: only these; all where there are none.

    Raises:
        ArtifactError: its records have no such workload or candidate.
    """
    every = _of(study, workload)
    if unknown := [name for name in candidates if name not in {row.candidate for row in every}]:
        raise ArtifactError(
            asked=f"write the table of {study.folder} for {', '.join(unknown)}",
            happened=f"its records at {workload} are of {', '.join(row.candidate for row in every)}",
            affected="the page; it was not changed",
            fix="correct the mark",
        )
    shown = [row for row in every if not candidates or row.candidate in candidates]
    measured = [row for row in shown if row.reason is None]
    baseline = study.compared.baseline
    latency = "mean ms" if any(row.real_lengths for row in measured) else "p50 ms"
    header = (workload, "ran in", f"× as fast as {baseline} [95 %]", latency, "accuracy, points (flips)", "verdict")
    lines = []
    for row in measured:
        name = f"**{row.candidate}**" if row.candidate == _chosen(study, workload) else row.candidate
        centre = row.latency_mean_ms if row.real_lengths else row.latency_p50_ms
        cells = [_speed(row), milliseconds(centre), _accuracy(row)]
        lines.append([name, _ran_in(row), *cells, "baseline" if row.candidate == baseline else _verdict(row)])
    missing: dict[str, list[str]] = {}
    for row in shown:
        if row.reason is not None:
            missing.setdefault(row.reason, []).append(row.candidate)
    below = [f"Not measured: {', '.join(names)}: {reason}." for reason, names in missing.items()]
    return markdown_table(header, lines, 2) + "".join(f"\n{line}\n" for line in below)


def _chosen(study: FiledStudy, workload: str) -> str | None:
    return decide(study.records, study.compared).of(workload).chosen


def choices_list(study: FiledStudy) -> str:
    """A line for each workload: what to serve, or that nothing can be chosen."""
    found = dict(sentence.split(": ", 1) for sentence in choices(decide(study.records, study.compared)))
    return "".join(f"- **{workload}**: {found[workload]}.\n" for workload in in_order(found))


def _span(claim: ReportedSpeedUp, found: Mapping[str, tuple[float, float, float, str]]) -> str:
    """What was measured: the figure with its interval of one workload, or the smallest and the largest of several."""
    if len(found) == 1:
        own, low, high, _ = next(iter(found.values()))
        return f"{own:.2f} × [{low:.2f}, {high:.2f}]"
    ordered = sorted(found, key=lambda name: found[name][0])
    ends = [f"{found[name][0]:.2f} × ({name})" for name in (ordered[0], ordered[-1])]
    return " to ".join(ends)


def claims_table(study: FiledStudy, reported: Reported) -> str:
    """A line for each claim of a write-up: what it reports, what was measured here, and at how many workloads it holds.

    Raises:
        ConfigError: the claims name no candidate of these records.
    """
    lines, known = [], False
    for claim in reported.speed_ups:
        cells = held_against(study, claim)
        known = known or any(cell not in (ABSENT, "no record") for cell in cells.values())
        found = {name: cell for name, cell in cells.items() if not isinstance(cell, str)}
        counted: dict[str, list[str]] = {}
        for name, cell in cells.items():
            if cell != ABSENT:
                counted.setdefault(cell if isinstance(cell, str) else cell[3], []).append(name)
        several = len([name for name, cell in cells.items() if cell != ABSENT]) > 1
        verdict = ", ".join(f"{word} at {len(names)}" if several else word for word, names in counted.items())
        lines.append([claim.title, claim_of(claim), _span(claim, found) if found else ABSENT, verdict or ABSENT])
    if not known:
        raise ConfigError(
            asked=f"hold the claims of {reported.source} against {study.folder}",
            happened="none of their candidates has a record there",
            affected="the page; it was not changed",
            fix="name the folder of the study that the claims are of",
        )
    return markdown_table(("claim", "original", "here", "verdict"), lines, 1)


def speed_words(study: FiledStudy, candidate: str, workload: str) -> str:
    """'3.55 × [3.47, 3.61]': how many times as fast as the baseline a candidate answers; for a sentence.

    Raises:
        ArtifactError: there is no such figure, or it is disturbed and nothing may rest on it.
    """
    row = next((row for row in _of(study, workload) if row.candidate == candidate), None)
    said = ABSENT if row is None else _speed(row)
    if row is None or said == ABSENT or row.latency_verdict == DISTURBED:
        raise ArtifactError(
            asked=f"write how fast {candidate} is at {workload}, from {study.folder}",
            happened="it has no record there" if row is None else row.reason or "the figure is disturbed",
            affected="the page; it was not changed",
            fix="name another candidate or workload in the mark",
        )
    own, _, spread = said.partition(" ")
    return f"{own} × {spread}"
