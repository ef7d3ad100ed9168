"""A report on the terminal: the choice, a table for each workload, at most five notes, and where the rest stands."""

import dataclasses
import re
import shutil
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from temper.reading.typed import as_typed, temper_command, typed_for, typed_study
from temper.report.formats import ABSENT, centre, milliseconds, speed_up

if TYPE_CHECKING:
    from temper.report.summary import Summary, SummaryCandidate, SummaryWorkload

WIDTH = 80  # where the output has no edge of its own
NOTE_LINES = 2  # of one note; whole in summary.md
LEAST_NOTES = 2  # that are there however long the tables are
HEIGHT = 28  # lines that a report of few candidates takes at most: a screen of 40, less what the run itself says
IN_THE_TABLE = "Disturbed and left out: "  # a part of a choice's sentence that the verdicts and the first note show
ROWS = 10  # candidates in one table; the fastest ones where there are more
OUT_OF_MEMORY = "out of memory"  # how such a reason begins
NOTHING = "none"  # the null backend's word for its library: no candidate, it shows what measuring costs


def study_of(folder: Path) -> Path:
    """The study's folder of a report's: artifacts/report, or artifacts/report/<machine> of a study on several machines."""
    return folder.parents[1 if folder.name == "report" else 2]


def reports_in(study: Path) -> list[Path]:
    """The folders of a study's reports: one, or one for each machine that its candidates are measured on; none yet."""
    from temper.report.finished import places, report_folder
    from temper.study.resolve import load_resolved

    params = study / "params.yaml"
    named = places(load_resolved(params)) if params.is_file() else ("",)
    found = (study / report_folder(place) for place in named)
    return [folder for folder in found if (folder / "summary.json").is_file()]


def print_summaries(study: Path) -> None:
    """Print the reports of a study on standard output: of several machines one after the other, never in one table."""
    for number, folder in enumerate(reports_in(study)):
        if folder.name != "report" or number:
            print(f"{chr(10) if number else ''}On {folder.name}:")
        print_summary(folder)


def print_summary(folder: Path) -> None:
    """Print a report on standard output.

    Args:
        folder: artifacts/report of a study.
    """
    from temper.report.summary import read_summary

    content = read_summary(folder / "summary.json")
    study = study_of(folder)
    which = "" if folder.name == "report" else f" --machine {folder.name}"
    with typed_study(typed_for(study)):
        content = _as_typed(content)
        rest = (_shown(folder / "summary.md"), temper_command("report") + which)
        print("\n".join(report_lines(content, rest, columns_here(), _beside(study))))


def _as_typed(content: "Summary") -> "Summary":
    """With the commands that a person types."""
    choices, notes = (tuple(map(as_typed, lines)) for lines in (content.choices, content.first_notes))
    return dataclasses.replace(content, choices=choices, first_notes=notes)


def print_filed(folder: Path) -> None:
    """Print the report of a filed study, which is computed, for none is filed: all of it as Markdown where this is no terminal.

    Args:
        folder: results/<machine>/<study>.
    """
    from temper.report.decide.decision import decide
    from temper.report.filed import read_filed_study, summary_of
    from temper.report.summary import summary

    edge = columns_here()
    if edge is None:
        print(summary_of(folder), end="")
        return
    study = read_filed_study(folder)
    content = _as_typed(summary(study.records, study.compared, decide(study.records, study.compared)))
    print("\n".join(report_lines(content, ("the same behind a pipe", f"temper report --filed {folder}"), edge)))


def columns_here() -> int | None:
    """Columns of the terminal; None where standard output is none."""
    return shutil.get_terminal_size((WIDTH, 24)).columns if sys.stdout.isatty() else None


def report_lines(
    content: "Summary", rest: tuple[str, str], edge: int | None, beside: Iterable[tuple[str, list[list[str]]]] = ()
) -> list[str]:
    """The lines of a report.

    Args:
        content: what is shown of the study.
        rest: where the rest stands, and the command that shows it as a page.
        edge: columns of the terminal; None where there is no edge: text is wrapped at `WIDTH` then, and tables are whole.
        beside: title and lines, the header first, of tables below those of the candidates.
    """
    lines = [*_choices(content, edge or WIDTH), ""]
    for workload in _workloads(content):
        if table := _table(content, workload, edge):
            lines += [*table, ""]
    lines = [*lines[:-1], *_below(content, edge or WIDTH)]
    for title, other in beside:
        lines += ["", title, *aligned(other, words=len(other[0]), edge=edge)]
    return [*lines, "", *_notes(content, rest, edge or WIDTH, HEIGHT - len(lines) - 1)]


def _wrapped(text: str, width: int, mark: str) -> list[str]:
    """Lines of a text; a unit stays with its number."""
    text = re.sub(r"(\d) (%|×|ms)", "\\1\N{NO-BREAK SPACE}\\2", text)
    lines = textwrap.wrap(text, width, initial_indent=mark, subsequent_indent=" " * len(mark), break_on_hyphens=False)
    return [line.replace("\N{NO-BREAK SPACE}", " ") for line in lines]


def _choices(content: "Summary", width: int) -> list[str]:
    """What to serve; what is said of several workloads in the same words is said once."""
    found: list[str] = []
    said: set[str] = set()
    for sentence in content.choices:
        parts = [
            part
            for part in re.split(r"(?<=[.;]) ", sentence)
            if part.rstrip(".;") not in said and not part.startswith(IN_THE_TABLE)
        ]
        said.update(part.rstrip(".;") for part in parts)
        found += _wrapped(" ".join(parts).rstrip(".;"), width, "")
    return found


def _workloads(content: "Summary") -> list[str]:
    return list(dict.fromkeys(name for entry in content.candidates.values() for name in entry.workloads))


def _timed(content: "Summary", workload: str) -> "dict[str, SummaryWorkload]":
    """Latencies by candidate; the null backend is none."""
    return {
        name: own
        for name, entry in content.candidates.items()
        if (own := entry.workloads.get(workload)) and own.latency_p50_ms is not None and entry.library != NOTHING
    }


def _table(content: "Summary", workload: str, edge: int | None) -> list[str]:
    """The candidates of a workload against the baseline, in the order of params.yaml; nothing where none was measured."""
    timed = {name: own for name, own in _timed(content, workload).items() if name != content.baseline}
    if not timed:
        return []
    shown = sorted(timed, key=lambda name: timed[name].latency_ratio or float("inf"))[:ROWS]
    latency = "mean ms" if any(own.real_lengths for own in timed.values()) else "p50 ms"
    lines = [[workload, "ran in", "× [95 %]", latency, content.judged_by, "verdict"]]
    for name, own in timed.items():
        if name not in shown:
            continue
        entry = content.candidates[name]
        lines.append(
            [
                name,
                _precisions(entry.executed_products),
                _speed(own),
                milliseconds(centre(own)),
                _accuracy(entry),
                own.latency_verdict or ABSENT,
            ]
        )
    more = len(timed) - len(shown)
    return aligned(lines, words=2, edge=edge) + ([f"and {more} slower"] if more else [])


def _speed(own: "SummaryWorkload") -> str:
    ratio = (own.latency_ratio, own.latency_ratio_low, own.latency_ratio_high)
    return (
        ABSENT if ratio[0] is None or ratio[1] is None or ratio[2] is None else speed_up(ratio[0], ratio[1], ratio[2])
    )


def _precisions(executed: str | None) -> str:
    """'10 INT8, 8 FP32' as 'INT8+FP32', most first."""
    counted = [each.rpartition(" ")[2] for each in (executed or "").split(", ") if each[:1].isdigit()]
    return "+".join(counted) or ABSENT


def _accuracy(entry: "SummaryCandidate") -> str:
    """Points gained or lost, and labels that differ: '−0.40 (8)'."""
    points = entry.accuracy_difference_points
    return ABSENT if points is None else f"{points:+.2f}".replace("-", "−") + f" ({entry.labels_differing or 0:,})"


def aligned(lines: Sequence[Sequence[str]], *, words: int, edge: int | None) -> list[str]:
    """Lines in columns, the first `words` of them to the left and the others to the right; the last one to the left.

    A line is never wrapped: columns move together where the terminal is too narrow, then the first is cut, then the line.
    """
    widths, gap = [max(map(len, column)) for column in zip(*lines, strict=True)], 2
    if edge is not None and sum(widths) + gap * (len(widths) - 1) > edge:
        gap = 1
        widths[0] = max(8, min(widths[0], edge - sum(widths[1:]) - len(widths) + 1))
    last = len(widths) - 1
    found = []
    for cells in lines:
        first = cells[0] if len(cells[0]) <= widths[0] else cells[0][: widths[0] - 1] + "…"
        placed = [
            cell.ljust(widths[at]) if at < words or at == last else cell.rjust(widths[at])
            for at, cell in enumerate([first, *cells[1:]])
        ]
        line = (" " * gap).join(placed).rstrip()
        found.append(line if edge is None or len(line) <= edge else f"{line[: edge - 1]}…")
    return found


def _below(content: "Summary", width: int) -> list[str]:
    """How to read the tables, and what is not in them."""
    base = content.baseline
    own = [
        milliseconds(centre(timed[base])) for name in _workloads(content) if base in (timed := _timed(content, name))
    ]
    took = f"{', '.join(own)} ms" if own else "not measured"
    found = _wrapped(f"×: times as fast as {base} ({took}); {content.judged_by}: points (flips)", width, "")
    lost = []
    for reason, names in _not_measured(content).items():
        once_more = temper_command("run", f"--again {names[0].partition(' ')[0]}")
        again = f" (once more: {once_more})" if reason == OUT_OF_MEMORY else ""
        lost.append(f"{', '.join(names)}: {reason}{again}")
    return found + (_wrapped(f"not measured: {'; '.join(lost)}", width, "") if lost else [])


def _not_measured(content: "Summary") -> dict[str, list[str]]:
    """Names by reason; a candidate of which some workloads were measured is named with the others."""
    found: dict[str, list[str]] = {}
    for name, entry in content.candidates.items():
        reasons = {workload: own.reason for workload, own in entry.workloads.items() if own.reason}
        for reason in dict.fromkeys(reasons.values()):
            lost = [workload for workload, own in reasons.items() if own == reason]
            where = "" if len(lost) == len(entry.workloads) else f" ({', '.join(lost)})"
            found.setdefault(reason.partition(": ")[0], []).append(name + where)
    return found


def _notes(content: "Summary", rest: tuple[str, str], width: int, room: int) -> Iterator[str]:
    """The first notes, as many as there is room for (a line at least of each of the first two), and where all are."""
    where, page = f"the rest: {rest[0]} ({len(content.notes)} notes)", f"as a page: {rest[1]}"
    closing = [f"{where}; {page}"] if len(where) + 2 + len(page) <= width else [where, page]
    left = room - len(closing)
    for number, note in enumerate(content.first_notes):
        lines = _wrapped(note, width, "· ")
        due = max(0, LEAST_NOTES - number - 1)  # lines of the notes after this one that are to be there
        most = max(1, min(NOTE_LINES, left - due))
        if len(lines) > most:
            last = lines[most - 1][: width - 1].rstrip(" ,;:(")
            lines = [*lines[: most - 1], f"{last}…"]
        left -= len(lines)
        if number >= LEAST_NOTES and left < 0:
            break
        yield from lines
    yield from closing


def _shown(path: Path) -> str:
    """A path as it is typed from here, where it lies below."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def _beside(study: Path) -> Iterator[tuple[str, list[list[str]]]]:
    """Load tests and sequence lengths; most studies have none, and what reads them takes a second to import."""
    if any((study / "artifacts" / name).is_dir() for name in ("load_tests", "buckets")):
        from temper.report.other_tables import other_tables

        yield from other_tables(study)
