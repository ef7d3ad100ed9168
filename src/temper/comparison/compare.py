"""`temper compare`: experiments, commits or candidates side by side; a table, its pairs and a plot."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from temper.artifacts.manifest import canonical_json, write_text
from temper.comparison.experiments import FOLDER, Experiment, not_compared, read_experiments
from temper.comparison.figure import write_page
from temper.comparison.pairs import against_baseline
from temper.comparison.revisions import of_earlier_commits
from temper.comparison.rows import Row, rows
from temper.comparison.tables import (
    MOST_PAIRS_SHOWN,
    Comparison,
    accuracy_table,
    comparison_of,
    latency_table,
    markdown,
    pairs_table,
    remarks,
    settings_lines,
)
from temper.errors import ExperimentError
from temper.orchestration.jobs import run_command

_ANY_WIDTH = 10_000  # columns: more than any table has


def _margin(experiments: Sequence[Experiment]) -> float:
    """The largest latency margin of them: what one of them takes for noise is none of another's differences."""
    return max(
        float({**each.params.get("analysis", {}), **each.compared.get("analysis", {})}.get("latency_margin", 0.0))
        for each in experiments
    )


def _row_json(row: Row) -> dict[str, Any]:
    away = against_baseline(row) or (None, None, None)
    return {
        "experiment": row.name,
        "candidate": row.candidate,
        "changed": dict(row.changed[row.experiments[0]]),
        "changed_by_experiment": {name: dict(settings) for name, settings in row.changed.items()},
        "accuracy": row.accuracy,
        "labels_differing": row.labels_differing,
        "accuracy_verdict": row.accuracy_verdict,
        "difference_points": away[0],
        "difference_low_points": away[1],
        "difference_high_points": away[2],
        "latency": {
            name: {key: value for key, value in asdict(cell).items() if key != "beside"}
            for name, cell in row.cells.items()
        },
    }


def content(found: Comparison, notes: Sequence[str]) -> dict[str, Any]:
    """The comparison as JSON. Pairs name their rows by number, from 0, in the order of `rows`."""
    return {
        "rows": [
            _row_json(row) | {"better_than": found.better_than(number), "worse_than": found.worse_than(number)}
            for number, row in enumerate(found.rows)
        ],
        "accuracy_pairs": [asdict(pair) for pair in found.accuracy],
        "latency_pairs": [asdict(pair) for pairs in found.latency.values() for pair in pairs],
        "latency_margin": found.margin,
        "notes": list(notes),
    }


def _print(title: str, found: Comparison, notes: Sequence[str]) -> None:
    from rich.console import Console

    console = Console()
    if console.is_terminal:
        accuracy, settings = accuracy_table(found), settings_lines(found)
        whole = console.measure(terminal_table(title, *accuracy), options=console.options.update(width=_ANY_WIDTH))
        if settings and whole.maximum > console.width:
            accuracy = accuracy_table(found, with_settings=False)  # they stand below it, where they are not broken
        else:
            settings = []
        console.print(terminal_table(title, *accuracy), highlight=False)
        for line in settings:
            console.print(line, highlight=False, markup=False)
        shown = {
            "Latency": latency_table(found),
            "Pairs, by accuracy": pairs_table(found, MOST_PAIRS_SHOWN),
        }
        for name, (header, lines) in shown.items():
            if lines:
                console.print(terminal_table(name, header, lines), highlight=False)
    else:
        console.print(markdown(title, found, (), MOST_PAIRS_SHOWN), highlight=False, soft_wrap=True, markup=False)
    if len(found.accuracy) > MOST_PAIRS_SHOWN:
        left_out = len(found.accuracy) - MOST_PAIRS_SHOWN
        console.print(f"… and {left_out} pairs more: {FOLDER}/comparison.md", highlight=False)
    for note in notes:
        console.print(f"· {note}", highlight=False, soft_wrap=not console.is_terminal, markup=False)


def terminal_table(title: str, header: Sequence[str], lines: Sequence[Sequence[str]]) -> Any:
    """A table for a terminal, words to the left, figures to the right."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    shown = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    words = 1 + max((number for number, name in enumerate(header) if name in ("candidate", "pair")), default=0)
    for number, name in enumerate(header):
        shown.add_column(Text(name), justify="left" if number < words else "right", overflow="fold")
    for cells in lines:
        shown.add_row(*map(Text, cells))
    return shown


def _title(experiments: Sequence[Experiment], found: Sequence[Row]) -> str:
    if len({row.name for row in found}) > 1:
        return "Experiments"
    return f"Candidates of {experiments[0].params.get('study', 'this study')}"


def compare(names: Sequence[str], costs: Mapping[str, Any] | None = None) -> None:
    """Print the table of the named experiments, and write it with its pairs and a plot to artifacts/comparison/.

    Args:
        names: experiments and commits; none: the workspace, this commit and its experiments. Where there is only one state
            of the study, its candidates are compared.
        costs: what to add to comparison.json, and its `notes` to the page: what the experiments cost.

    Raises:
        ExperimentError: a name is unknown, or there is nothing to compare.
    """
    experiments = read_experiments(names)
    found = rows(experiments)
    if len(found) < 2:
        earlier = of_earlier_commits()
        raise ExperimentError(
            asked=f"compare {', '.join(names)}"
            if names
            else "compare the experiments of this commit, or the candidates",
            happened="; ".join(not_compared(experiments))
            or f"there is only one: {found[0].name}, {found[0].candidate}",
            affected="nothing",
            fix=f"finish the study ({run_command()}), or run an experiment "
            "(temper experiment -S 'calibrations.main.method=entropy')"
            + (f"; experiments of earlier commits can be named: {earlier}" if earlier else ""),
        )
    compared = comparison_of(found, _margin([each for each in experiments if each.error is None]))
    title = _title(experiments, found)
    notes = [*remarks(compared), *not_compared(experiments), *(costs or {}).get("notes", [])]
    if not names and title != "Experiments" and (earlier := of_earlier_commits()):
        notes.append(f"No experiment starts from this commit; those of earlier ones can be named: {earlier}.")
    _print(title, compared, notes)
    own = {key: value for key, value in (costs or {}).items() if key != "notes"}
    write_text(f"{FOLDER}/comparison.json", canonical_json(content(compared, notes) | own))
    write_text(f"{FOLDER}/comparison.md", markdown(title, compared, notes))
    write_page(compared, notes, Path(FOLDER) / "comparison.html", title)
    print(f"written: {FOLDER}/comparison.md, .json and .html (a page)")
