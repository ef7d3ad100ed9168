"""Rows of a comparison: one candidate of one experiment, and one row for what is identical in several."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from temper.comparison.experiments import (
    ABSENT,
    Experiment,
    baseline_key,
    changed_params,
    compared_candidates,
    identity,
    is_measured,
)
from temper.measurement.record import Accuracy, Record, Workload
from temper.report.filed import baseline_of
from temper.statistics.paired_labels import Labels
from temper.tasks.task import task_of


@dataclass(frozen=True)
class Cell:
    """The latency of one workload over the baseline's, below 1 is faster, with a 95 % interval."""

    ratio: float
    low: float
    high: float
    verdict: str | None  # against the baseline
    holds: bool | None  # whether it may be compared with others; None in reports that did not say
    why_not: str | None
    baseline_level_ms: float | None  # the baseline's own latency beside it
    beside: str  # equal where baseline, inputs and machine were the same: only then two ratios have a quotient


@dataclass(frozen=True)
class Row:
    """One candidate of one experiment, or of several in which it is identical. None where it was not measured."""

    candidate: str
    # by experiment, in which it is identical: the keys of params.yaml that are not the same in all that are compared
    changed: Mapping[str, Mapping[str, Any]]
    accuracy: float | None  # 0–1, test split
    predictions: Labels | None  # int64 [rows]
    labels: Labels | None  # the true ones
    baseline: Labels | None  # what its experiment's baseline predicted
    accuracy_verdict: str | None  # against the accuracy budget
    cells: Mapping[str, Cell]  # by workload

    @property
    def experiments(self) -> tuple[str, ...]:
        """Those in which it is identical."""
        return tuple(self.changed)

    @property
    def name(self) -> str:
        """Its experiments' names."""
        return ", ".join(self.changed)

    @property
    def changed_keys(self) -> list[str]:
        """The same of every row of a comparison."""
        return list(next(iter(self.changed.values())))

    def values(self, key: str) -> list[Any]:
        """What a changed key is set to, each once: several where identical experiments set it differently."""
        own = [settings[key] for settings in self.changed.values()]
        return [value for number, value in enumerate(own) if str(value) not in map(str, own[:number])]

    @property
    def labels_differing(self) -> int | None:
        """From the baseline's predictions."""
        if self.predictions is None or self.baseline is None:
            return None
        return int((self.predictions != self.baseline).sum())


def _beside(record: Record, workload: Workload) -> str:
    machine = {key: value for key, value in record.machine.items() if key in ("cpu", "cores_usable")}
    return json.dumps([baseline_key(record), machine, record.gpus, workload.inputs_sha256], sort_keys=True, default=str)


def _cells(record: Record, compared: Mapping[str, Any]) -> dict[str, Cell]:
    found = {}
    for name, own in compared.get("workloads", {}).items():
        timed = record.workloads.get(name)
        if "ratio" in own and isinstance(timed, Workload):
            figures = (own["ratio"], own["low"], own["high"])
            found[name] = Cell(
                *figures,
                verdict=own.get("verdict"),
                holds=own.get("holds"),
                why_not=own.get("why_not"),
                baseline_level_ms=own.get("baseline_level_ms"),
                beside=_beside(record, timed),
            )
    return found


def _labels(record: Record | None) -> tuple[Labels, Labels] | None:
    """Predicted and true labels; None where answers are no labels, which are neither right nor wrong."""
    accuracy = None if record is None else record.accuracy
    if not isinstance(accuracy, Accuracy) or not task_of(accuracy.task).COUNTED:
        return None
    return np.asarray(accuracy.answers.predictions, dtype=np.int64), np.asarray(accuracy.labels, dtype=np.int64)


def candidate_row(
    changed: Mapping[str, Mapping[str, Any]],
    record: Record,
    compared: Mapping[str, Any],
    baseline: Record | None,
) -> Row:
    """A row of the table.

    Args:
        changed: what is shown of the settings of each experiment in which it is identical.
        record: of the candidate.
        compared: its entry in comparison.json's `candidates`.
        baseline: record of the baseline in the same experiment.
    """
    own, other = _labels(record), _labels(baseline)
    same_rows = own is not None and other is not None and np.array_equal(own[1], other[1])
    return Row(
        candidate=record.candidate,
        changed=changed,
        accuracy=record.accuracy.answers.accuracy if isinstance(record.accuracy, Accuracy) else None,
        predictions=own[0] if own else None,
        labels=own[1] if own else None,
        baseline=other[0] if same_rows and other else None,
        accuracy_verdict=compared.get("accuracy", {}).get("against_baseline", {}).get("verdict"),
        cells=_cells(record, compared),
    )


def _baseline(experiment: Experiment) -> Record | None:
    """The record of the baseline itself; None where no candidate is it."""
    try:
        return experiment.records.get(experiment.compared.get("baseline") or baseline_of(experiment.params))
    except (StopIteration, KeyError):
        return None


def rows(experiments: Sequence[Experiment]) -> list[Row]:
    """A row for each candidate and experiment, in their order; identical ones once, with their experiments' names joined."""
    ended = [experiment for experiment in experiments if experiment.error is None]
    keys, settings = changed_params(ended), {each.name: each.settings for each in ended}
    found = []
    for name in compared_candidates(ended):
        if not any(is_measured(experiment, name) for experiment in ended):
            continue
        alike: dict[str, list[Experiment]] = {}
        for experiment in ended:
            if name in experiment.records:
                alike.setdefault(identity(experiment.records[name]), []).append(experiment)
        for members in alike.values():
            first = members[0]
            found.append(
                candidate_row(
                    {each.name: {key: settings[each.name].get(key, ABSENT) for key in keys} for each in members},
                    first.records[name],
                    first.compared.get("candidates", {}).get(name, {}),
                    _baseline(first),
                )
            )
    return found
