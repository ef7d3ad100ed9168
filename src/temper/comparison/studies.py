"""Finished studies beside one another: what each chose on each machine, and how much faster that is than its own baseline there.

Every speed-up is of one machine, against the baseline that was timed in turns there. No figure of two machines, and none of
two models, is put into one ratio: a reader holds choices against each other, not latencies.
"""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import wrap

from markupsafe import Markup

from temper.errors import PipelineError
from temper.measurement.record import Workload
from temper.report.decide.compared_accuracy import Missing
from temper.report.finished import Finished, places, read_finished
from temper.report.formats import ABSENT, in_order, milliseconds, speed_up
from temper.report.page.making import machine_line
from temper.report.page.tables_page import tables_page
from temper.report.tables import median_ms
from temper.report.terminal import aligned, columns_here
from temper.study.resolve import load_resolved

HEADER = (
    "study",
    "machine",
    "workload",
    "choice",
    "verdict",
    "× its baseline [95 %]",
    "baseline ms",
    "choice ms",
    "accuracy %",
)
NO_REPORT = "no report"
_WORDS = 5
NOTES = (
    "Times as fast as the baseline of the same study on the same machine, timed in turns with it. Figures of two machines, or of "
    "two studies, are in no ratio: another model, other data or another machine is another question.",
)


@dataclass(frozen=True)
class Line:
    """What a study chose for a workload on a machine, in words and figures as shown; `why` where it chose nothing."""

    study: str
    machine: str
    workload: str
    choice: str
    verdict: str = ABSENT
    speed: str = ABSENT
    baseline_ms: str = ABSENT
    choice_ms: str = ABSENT
    accuracy: str = ABSENT
    why: str = ""

    def cells(self) -> list[str]:
        """One for each column of HEADER."""
        figures = (self.verdict, self.speed, self.baseline_ms, self.choice_ms, self.accuracy)
        return [self.study, self.machine, self.workload, self.choice, *figures]


def _level(workload: object) -> str:
    if not isinstance(workload, Workload):
        return ABSENT
    return milliseconds(workload.latency_mean_ms if workload.real_lengths else median_ms(workload))


def _line(finished: Finished, study: str, machine: str, workload: str) -> Line:
    decided, compared = finished.decision.workloads[workload], finished.comparison
    name = decided.chosen

    def level(candidate: str) -> str:
        return _level(finished.record(candidate).workloads.get(workload))

    base = level(compared.baseline)
    if name is None:
        return Line(study, machine, workload, "none", baseline_ms=base, why=decided.sentence)
    own = compared.candidates[name]
    cell, accuracy = own.workloads[workload], None if isinstance(own.accuracy, Missing) else own.accuracy.accuracy
    verdict = ", ".join(filter(None, (own.accuracy_verdict, cell.verdict)))
    return Line(
        study,
        machine,
        workload,
        name,
        f"provisional, {verdict}" if decided.provisional else verdict,
        speed_up(cell.taken.ratio, cell.taken.low, cell.taken.high),
        base,
        level(name),
        ABSENT if accuracy is None else f"{100 * accuracy:.2f}",
    )


def lines_of(folder: Path) -> list[Line]:
    """A study's lines, one for each machine and workload; one line with the reason of a study without a report."""
    found = []
    with contextlib.chdir(folder):
        try:
            named = places(load_resolved("params.yaml"))
            for place in named:
                finished = read_finished("show the studies beside one another", place or None)
                records = [finished.record(name) for name in finished.candidates]
                own = records[0].machine.get("name", "")
                machine = ": ".join(filter(None, (own, machine_line(records))))
                found += [_line(finished, folder.name, machine, each) for each in in_order(finished.decision.workloads)]
        except PipelineError as error:
            found.append(Line(folder.name, ABSENT, ABSENT, NO_REPORT, why=error.happened))
    return found


def studies_lines(folders: Sequence[Path]) -> list[Line]:
    """Lines of several studies, in their order."""
    return [line for folder in folders for line in lines_of(folder.resolve())]


def matrix(lines: Sequence[Line]) -> tuple[list[str], list[list[str]]]:
    """Header and cells: a line for each study and workload, a column for each machine, what was chosen there and its speed-up."""
    machines = list(dict.fromkeys(line.machine for line in lines if line.machine != ABSENT))
    rows = dict.fromkeys((line.study, line.workload) for line in lines if line.machine != ABSENT)
    by_place = {(line.study, line.workload, line.machine): line for line in lines}
    cells = []
    for study, workload in rows:
        own = (by_place.get((study, workload, machine)) for machine in machines)
        cells.append([study, workload, *(ABSENT if each is None else f"{each.choice}: {each.speed}" for each in own)])
    return ["study", "workload", *machines], cells


def print_studies(folders: Sequence[Path]) -> None:
    """Print a table of several studies: what each chose where."""
    lines = studies_lines(folders)
    reports = [line for line in lines if line.choice != NO_REPORT]
    edge = columns_here()
    whole = aligned([list(HEADER), *(line.cells() for line in reports)], words=_WORDS, edge=None)
    if edge is None or max(map(len, whole)) <= edge:
        print("\n".join(whole if reports else []), end="\n" if reports else "")
    else:
        print("\n".join(_by_place(reports, edge)))
    reasons: dict[str, list[str]] = {}
    for line in lines:
        if line.why:
            reasons.setdefault(line.why, []).append(line.study)
    for why, studies in reasons.items():
        print(f"{', '.join(studies)}: {why}")


def _by_place(lines: Sequence[Line], edge: int) -> list[str]:
    """Lines for a terminal without room for all columns: a study and its machine, and below them a table of its workloads."""
    found: list[str] = []
    for place in dict.fromkeys((line.study, line.machine) for line in lines):
        own = [line.cells()[2:] for line in lines if (line.study, line.machine) == place]
        found.append(f"{place[0]}, on {place[1]}"[:edge])
        table = aligned([list(HEADER[2:]), *own], words=_WORDS - 2, edge=None)
        found += table if max(map(len, table)) <= edge else [line for cells in own for line in _in_words(cells, edge)]
    return found


def _in_words(cells: Sequence[str], edge: int) -> list[str]:
    """A workload's line where not even a table of the workloads has room."""
    workload, choice, verdict, speed, baseline_ms, choice_ms, accuracy = cells
    figures = (
        (verdict, "{}"),
        (speed, "{}\N{NO-BREAK SPACE}× its baseline"),
        (baseline_ms, "baseline {}\N{NO-BREAK SPACE}ms"),
        (choice_ms, "choice {}\N{NO-BREAK SPACE}ms"),
        (accuracy, "accuracy {}\N{NO-BREAK SPACE}%"),
    )
    said = "; ".join([f"{workload}: {choice}", *(form.format(value) for value, form in figures if value != ABSENT)])
    lines = wrap(said, edge, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False)
    return [line.replace("\N{NO-BREAK SPACE}", " ") for line in lines]


def studies_page(lines: Sequence[Line]) -> str:
    """The page: studies × machines, then every figure."""
    header, cells = matrix(lines)
    without = [f"{line.study}: {line.why}" for line in lines if line.why]
    return tables_page(
        "Studies beside one another",
        said="",
        picture=Markup(""),
        tables=[
            ("What was chosen, and how many times as fast as the baseline there", header, cells, len(header)),
            ("Every figure", HEADER, [line.cells() for line in lines], _WORDS),
        ],
        notes=[*NOTES, *without],
        nothing="",
        lead=f"{len({line.study for line in lines})} studies on {max(len(header) - 2, 0)} machines, from their records.",
    )
