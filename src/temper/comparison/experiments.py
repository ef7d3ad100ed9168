"""Experiments of DVC as one table, best first: what differs in params.yaml, accuracy, labels, latency ratios."""

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from temper.artifact import canonical_json, write_text
from temper.errors import ExperimentError
from temper.tracking.dvc import ask_dvc

PARAMS, METRICS = "params.yaml", "artifacts/report/metrics.json"
FOLDER = "artifacts/comparison"
WORKSPACE = "workspace"


@dataclass(frozen=True)
class Experiment:
    """One experiment, or the workspace, or a commit. `error` is None where it ended well."""

    name: str
    params: Mapping[str, Any]  # of params.yaml, dotted keys
    metrics: Mapping[str, Mapping[str, Any]]  # by candidate
    error: str | None


@dataclass(frozen=True)
class Row:
    """One candidate of one experiment. None where it was not measured."""

    experiment: str
    candidate: str
    changed: Mapping[str, Any]  # the keys of params.yaml that are not the same in all experiments
    accuracy: float | None  # 0–1, test split
    labels_differing: int | None  # from the baseline's predictions
    accuracy_verdict: str | None  # against the accuracy budget
    latency_ratio: Mapping[str, float]  # over the baseline's, taken in turns, by workload
    latency_verdict: Mapping[str, str]  # by workload


def _flat(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flat(inner, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, value


def _experiment(name: str, entry: Mapping[str, Any], prefix: str) -> Experiment:
    data = entry.get("data") or {}

    def content(section: str, file: str) -> Mapping[str, Any]:
        found: Mapping[str, Any] = (data.get(section) or {}).get(prefix + file) or {}
        values: Mapping[str, Any] = found.get("data") or {}
        return values

    error = entry.get("error")
    return Experiment(
        name,
        dict(_flat(content("params", PARAMS))),
        content("metrics", METRICS),
        None if error is None else str(error.get("msg", error)),
    )


def _short(revision: str) -> str:
    return revision if revision == WORKSPACE else revision[:7]


def parse_experiments(text: str, prefix: str) -> list[Experiment]:
    """Experiments from `dvc exp show --json`: the workspace, the commit, and its experiments, in DVC's order.

    Args:
        text: what DVC printed, about every study of the checkout.
        prefix: path of this study from the checkout's root, with a final slash; '' for the root.
    """
    found = []
    for state in json.loads(text):
        found.append(_experiment(state.get("name") or _short(state["rev"]), state, prefix))
        for group in state.get("experiments") or []:
            found += [
                _experiment(revision.get("name") or _short(revision["rev"]), revision, prefix)
                for revision in group["revs"][:1]
            ]
    return found


def read_experiments(names: Sequence[str]) -> list[Experiment]:
    """The named experiments, or all of this commit; those that did not end well among them.

    Raises:
        ExperimentError: DVC cannot list them, or one of the names is none.
    """
    text = ask_dvc(
        "exp", "show", "--json", spoiled="nothing", fix="run it where a study with dvc.yaml lies in a git checkout"
    )
    prefix = subprocess.run(
        ["git", "rev-parse", "--show-prefix"], capture_output=True, text=True, check=False
    ).stdout.strip()
    every = parse_experiments(text, prefix)
    if not names:
        return every
    unknown = sorted(set(names) - {experiment.name for experiment in every})
    if unknown:
        raise ExperimentError(
            asked=f"compare {', '.join(names)}",
            happened=f"no experiment of this commit is called {', '.join(unknown)}",
            spoiled="nothing",
            fix=f"name some of: {', '.join(experiment.name for experiment in every)}",
        )
    return [experiment for experiment in every if experiment.name in names]


def changed_params(experiments: Sequence[Experiment]) -> list[str]:
    """Keys of params.yaml that are not the same in all experiments, in the file's order."""
    keys = dict.fromkeys(key for experiment in experiments for key in experiment.params)
    return [key for key in keys if len({str(experiment.params.get(key, "absent")) for experiment in experiments}) > 1]


def compared_candidates(experiments: Sequence[Experiment]) -> list[str]:
    """Candidates whose artifact is not the same in all experiments; all of them where every artifact is.

    The others were not touched by what was changed: their rows would differ by nothing but the clock.
    """
    names = list(dict.fromkeys(name for experiment in experiments for name in experiment.metrics))

    def artifacts(name: str) -> set[Any]:
        return {experiment.metrics[name].get("artifact") for experiment in experiments if name in experiment.metrics}

    return [name for name in names if len(artifacts(name)) > 1] or names


def _is_measured(experiment: Experiment, candidate: str) -> bool:
    found = experiment.metrics.get(candidate, {})
    return found.get("accuracy") is not None or bool(found.get("latency_ratio"))


def rows(experiments: Sequence[Experiment]) -> list[Row]:
    """Rows of the table, best first: by accuracy, then by labels that differ, then by the mean latency ratio."""
    ended = [experiment for experiment in experiments if experiment.metrics]
    changed = changed_params(ended)
    candidates = [
        name for name in compared_candidates(ended) if any(_is_measured(experiment, name) for experiment in ended)
    ]
    found = [
        Row(
            experiment=experiment.name,
            candidate=name,
            changed={key: experiment.params.get(key, "absent") for key in changed},
            accuracy=experiment.metrics[name].get("accuracy"),
            labels_differing=experiment.metrics[name].get("labels_differing"),
            accuracy_verdict=experiment.metrics[name].get("accuracy_verdict"),
            latency_ratio=experiment.metrics[name].get("latency_ratio", {}),
            latency_verdict=experiment.metrics[name].get("latency_verdict", {}),
        )
        for experiment in ended
        for name in candidates
        if name in experiment.metrics
    ]

    def order(row: Row) -> tuple[float, float, float]:
        ratios = list(row.latency_ratio.values())
        return (
            -(row.accuracy if row.accuracy is not None else -1.0),
            row.labels_differing if row.labels_differing is not None else float("inf"),
            sum(ratios) / len(ratios) if ratios else float("inf"),
        )

    return sorted(found, key=order)


def notes(experiments: Sequence[Experiment]) -> list[str]:
    """What the table cannot show."""
    found = [f"{experiment.name}: not measured: {experiment.error}" for experiment in experiments if experiment.error]
    found += [
        f"{experiment.name}: not measured: it has no results yet"
        for experiment in experiments
        if not experiment.error and not experiment.metrics
    ]
    ended = [experiment for experiment in experiments if experiment.metrics]
    found += [
        f"{name}: not measured in any of them (artifacts/report/summary.md has the reason)"
        for name in compared_candidates(ended)
        if not any(_is_measured(experiment, name) for experiment in ended)
    ]
    found.append(
        "latency × is the latency over the baseline's, taken in turns with it: below 1 is faster. Verdicts are by 95 % "
        "intervals, each against the baseline; two experiments' accuracies differ for certain only where their verdicts do "
        "(artifacts/report/comparison.json of each has the intervals)."
    )
    return found


def table(found: Sequence[Row]) -> tuple[list[str], list[list[str]]]:
    """Header and cells."""
    changed = list(found[0].changed) if found else []
    workloads = list(dict.fromkeys(name for row in found for name in row.latency_ratio))
    header = [
        "experiment",
        *changed,
        "candidate",
        "accuracy %",
        "labels ≠ baseline",
        "accuracy verdict",
        *(f"{name} latency ×" for name in workloads),
    ]
    lines = [
        [
            row.experiment,
            *(str(row.changed[key]) for key in changed),
            row.candidate,
            "–" if row.accuracy is None else f"{100 * row.accuracy:.2f}",
            "–" if row.labels_differing is None else str(row.labels_differing),
            row.accuracy_verdict or "–",
            *(
                f"{row.latency_ratio[name]:.3f} {row.latency_verdict.get(name, '')}".strip()
                if name in row.latency_ratio
                else "–"
                for name in workloads
            ),
        ]
        for row in found
    ]
    return header, lines


def markdown(found: Sequence[Row], remarks: Sequence[str]) -> str:
    """The table as a Markdown page."""
    header, lines = table(found)
    page = [
        "# Experiments, best first",
        "",
        "| " + " | ".join(header) + " |",
        "| " + " | ".join(["---"] * len(header)) + " |",
    ]
    page += ["| " + " | ".join(cells) + " |" for cells in lines]
    return "\n".join([*page, "", *(f"- {remark}" for remark in remarks), ""])


def compare(names: Sequence[str], folder: str = FOLDER) -> None:
    """Print the table of the named experiments (all, where none is named), and write it with a plot below `folder`.

    Raises:
        ExperimentError: there is nothing to compare.
    """
    from rich.console import Console
    from rich.table import Table

    from temper.comparison.figure import write_figure

    experiments = read_experiments(names)
    found, remarks = rows(experiments), notes(experiments)
    if not found:
        raise ExperimentError(
            asked="compare experiments",
            happened="none of them has results (artifacts/report/metrics.json)",
            spoiled="nothing",
            fix="dvc exp run -S 'calibrations.main.method=entropy', or make calibration-study",
        )
    header, lines = table(found)
    shown = Table(title="experiments, best first", title_justify="left")
    for number, name in enumerate(header):
        shown.add_column(name, justify="left" if number < len(header) - 2 else "right", overflow="fold")
    for cells in lines:
        shown.add_row(*cells)
    console = Console()
    console.print(
        shown if console.is_terminal else markdown(found, ()), highlight=False, soft_wrap=not console.is_terminal
    )
    for remark in remarks:
        console.print(f"· {remark}", highlight=False, soft_wrap=True)
    content = {
        "rows": [
            dict(
                row.__dict__,
                changed=dict(row.changed),
                latency_ratio=dict(row.latency_ratio),
                latency_verdict=dict(row.latency_verdict),
            )
            for row in found
        ],
        "notes": remarks,
    }
    write_text(f"{folder}/comparison.json", canonical_json(content))
    write_text(f"{folder}/comparison.md", markdown(found, remarks))
    write_figure(found, Path(folder) / "comparison.html")
    console.print(
        f"written: {folder}/comparison.md, .json and .html (the plot; opens without a network)", highlight=False
    )
