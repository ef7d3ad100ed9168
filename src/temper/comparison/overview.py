"""Experiments of this commit as a person looks at them first: what each changed, and what was chosen then."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import wrap
from typing import Any

from temper.errors import ExperimentError
from temper.orchestration.dvc import ask_dvc
from temper.orchestration.handed_over import check_committed, commit_command
from temper.report.formats import significant
from temper.report.markdown_table import markdown_table
from temper.report.terminal import aligned, columns_here

PARAMS, METRICS = "params.yaml", "artifacts/report/metrics.json"
HEADER = (
    "experiment",
    "what changed",
    "workload",
    "choice",
    "verdicts",
    "speed-up ×",
    "accuracy %",
    "flips",
    "loses ≤ points",
)
TITLE = "Experiments, and what was chosen"
_WORDS = 5  # columns of words; then numbers


@dataclass(frozen=True)
class State:
    """The workspace, a commit or an experiment of it. `error` is None where it ended well."""

    name: str
    params: Mapping[str, Any]  # of params.yaml, dotted keys
    metrics: Mapping[str, Mapping[str, Any]]  # by quantity and workload
    changed: Mapping[str, Any]  # of params, those that the commit has not, or has otherwise
    error: str | None


def _flat(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flat(inner, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, value


def _content(entry: Mapping[str, Any], section: str, file: str) -> Mapping[str, Any]:
    found = ((entry.get("data") or {}).get(section) or {}).get(file) or {}
    content: Mapping[str, Any] = found.get("data") or {}
    return content


def _state(entry: Mapping[str, Any], prefix: str, before: Mapping[str, Any] | None) -> State:
    params = dict(_flat(_content(entry, "params", prefix + PARAMS)))
    error, revision = entry.get("error"), str(entry["rev"])
    changed = {
        key: params.get(key, "absent")
        for key in (*params, *((before or {}).keys() - params.keys()))
        if before and params and params.get(key, "absent") != before.get(key, "absent")
    }
    return State(
        entry.get("name") or (revision if revision == "workspace" else revision[:7]),
        params,
        _content(entry, "metrics", prefix + METRICS),
        changed,
        None if error is None else " ".join(str(error.get("msg", error)).split()),
    )


def states(text: str, prefix: str) -> list[State]:
    """The workspace, this commit and its experiments, in DVC's order.

    Args:
        text: what `dvc exp show --json` printed.
        prefix: path of the study from its DVC repository, with a final slash; '' where they are one.
    """
    entries = json.loads(text)
    commit = next((entry for entry in entries if entry["rev"] != "workspace"), None)
    before = None if commit is None else dict(_flat(_content(commit, "params", prefix + PARAMS)))
    found = []
    for entry in entries:
        found.append(_state(entry, prefix, before))
        for group in entry.get("experiments") or []:
            found += [_state(revision, prefix, before) for revision in group["revs"][:1]]
    return found


def _number(value: Any, form: str) -> str:
    return form.format(value) if isinstance(value, (int, float)) else "–"


def cells(found: Sequence[State]) -> list[list[str]]:
    """A line for each state and workload, under HEADER."""
    lines = []
    for state in found:
        changed = ", ".join(f"{key}: {value}" for key, value in state.changed.items()) or "–"
        workloads = list(state.metrics.get("choice", {}))
        for number, workload in enumerate(workloads):
            own = {key: values.get(workload) for key, values in state.metrics.items()}
            speed_up, accuracy = own.get("speed_up"), own.get("accuracy")
            lines.append(
                [
                    *((state.name, changed) if number == 0 else ("", "")),
                    workload,
                    str(own["choice"]),
                    own.get("verdict") or "–",
                    "–" if speed_up is None else significant(speed_up),
                    "–" if accuracy is None else f"{100 * accuracy:.2f}",
                    _number(own.get("flips"), "{}"),
                    _number(own.get("loses_at_most_points"), "{:.2f}"),
                ]
            )
        if not workloads:
            lines.append([state.name, changed, "–", state.error or "no results", *["–"] * (len(HEADER) - 4)])
    return lines


def terminal_lines(lines: Sequence[Sequence[str]], edge: int) -> list[str]:
    """A table and below it what each experiment changed; where a terminal has no room for that, a few lines of each.

    Args:
        lines: a line for each experiment and workload, under HEADER.
        edge: columns of the terminal.
    """
    table = aligned([[cells[0], *cells[2:]] for cells in (HEADER, *lines)], words=_WORDS - 1, edge=None)
    if max(map(len, table)) > edge:
        return [TITLE, *(line for cells in lines for line in _below(cells, edge))]
    changed = [(cells[0], cells[1]) for cells in lines if cells[1] not in ("", "–")]
    return [
        TITLE,
        "",
        *table,
        *([""] if changed else []),
        *(each for pair in changed for each in _changed(*pair, edge)),
    ]


def _changed(name: str, what: str, edge: int) -> list[str]:
    return wrap(f"{name} changed {what}", edge, subsequent_indent="  ", break_on_hyphens=False)


def _below(cells: Sequence[str], edge: int) -> list[str]:
    """A line of the table in words: the experiment and what it changed, then each workload's choice."""
    name, changed, workload, choice, verdicts, speed_up, accuracy, flips, loses = cells
    found = ["", *(_changed(name, changed, edge) if changed != "–" else [name])] if name else []
    figures = (
        (verdicts, "{}"),
        (speed_up, "{} × as fast"),
        (accuracy, "accuracy {}\N{NO-BREAK SPACE}%"),
        (flips, "flips {}"),
        (loses, "loses at most {} points"),
    )
    said = "; ".join([choice, *(form.format(value) for value, form in figures if value != "–")])
    said = said if workload == "–" else f"{workload}: {said}"
    lines = wrap(said, edge, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False)
    return [*found, *(line.replace("\N{NO-BREAK SPACE}", " ") for line in lines)]


def _prefix() -> str:
    here = Path.cwd()
    root = next((place for place in (here, *here.parents) if (place / ".dvc").is_dir()), here)
    return "".join(f"{part}/" for part in here.relative_to(root).parts)


def print_experiments() -> None:
    """Print the table of the study in the working directory.

    Raises:
        ExperimentError: DVC cannot list its experiments, or it was never handed to DVC.
    """
    if not Path("dvc.yaml").is_file():
        raise ExperimentError(
            asked="list experiments",
            happened="this study was never handed to DVC (it has no dvc.yaml)",
            affected="nothing",
            fix=f"{commit_command()}, once it is finished, and git commit; then temper experiment, which --help explains",
        )
    check_committed("list experiments")
    text = ask_dvc("exp", "show", "--json", affected="nothing", fix="mend what it names, then again")
    lines, edge = cells(states(text, _prefix())), columns_here()
    if edge is None:
        print(markdown_table(HEADER, lines, _WORDS), end="")
        return
    print("\n".join(terminal_lines(lines, edge)))
