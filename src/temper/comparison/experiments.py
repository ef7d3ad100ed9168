"""Experiments as they are compared: settings, records and the report's figures of each."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from temper.comparison.revisions import Revision, Store, revisions
from temper.environment import plugins
from temper.measurement.recomputed import disagreement
from temper.measurement.record import Accuracy, Record, Workload
from temper.reading.bounded import decoded
from temper.reading.json_file import parse_json

COMPARED = "artifacts/report/comparison.json"
FOLDER = "artifacts/comparison"
ABSENT = "absent"


@dataclass(frozen=True)
class Experiment:
    """One experiment, or the workspace, or a commit. `error` is None where it can be compared."""

    name: str
    params: Mapping[str, Any]  # params.yaml
    records: Mapping[str, Record]  # by candidate
    compared: Mapping[str, Any]  # its comparison.json; {} where there is none
    error: str | None

    @property
    def settings(self) -> dict[str, Any]:
        """params.yaml with dotted keys."""
        return dict(_flat(self.params))


def _flat(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flat(inner, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, value


def read_experiment(revision: Revision, store: Store, known: dict[str, Record]) -> Experiment:
    """An experiment's settings, its records and what its report says of them.

    Args:
        revision: which state of the study.
        store: where its files are asked for.
        known: records that were read before, by MD5: most are the same in all experiments.
    """
    params, outputs = store.params(revision), store.outputs(revision)
    records: dict[str, Record] = {}
    error = None
    for name in params.get("candidates", {}):
        path = f"artifacts/measurements/{name}.json"
        md5 = outputs.get(path)
        if md5 is not None and md5 in known:
            records[name] = known[md5]
            continue
        if revision.commit is not None and md5 is None:
            continue  # its stage has not run
        content = store.file(revision, path, md5)
        if content is None:
            if revision.commit is None:
                continue
            error = f"{path} of it is neither in DVC's cache nor in its remote"
            break
        try:
            records[name] = Record.model_validate(parse_json(decoded(content)))
        except ValueError:  # of which pydantic's is one
            error = f"{path} of it is no record of this version of Temper"
            break
        said = disagreement(records[name])
        if said is not None:
            error = f"{path} of it has figures that are not those of its raw values: {said}"
            break
        if md5 is not None:
            known[md5] = records[name]
    content = store.file(revision, COMPARED, outputs.get(COMPARED)) if records and error is None else None
    compared: Mapping[str, Any] = {}
    try:
        compared = {} if content is None else dict(parse_json(decoded(content)))
    except (TypeError, ValueError) as broken:
        error = f"{COMPARED} of it is no report of this version of Temper ({broken})"
    if error is None and not records:
        error = (
            "it has no results (no measurement of it is handed to DVC)" if revision.commit else "it has no results yet"
        )
    return Experiment(revision.name, params, records, compared, error)


def read_experiments(names: Sequence[str]) -> list[Experiment]:
    """The named experiments and commits; without names the workspace, this commit and its experiments.

    Raises:
        ExperimentError: a name is unknown, or means several.
    """
    store, known = Store(), dict[str, Record]()
    return [read_experiment(revision, store, known) for revision in revisions(names)]


def changed_params(experiments: Sequence[Experiment]) -> list[str]:
    """Keys of params.yaml that are not the same in all experiments, in the file's order."""
    settings = [experiment.settings for experiment in experiments]
    keys = dict.fromkeys(key for own in settings for key in own)
    return [key for key in keys if len({str(own.get(key, ABSENT)) for own in settings}) > 1]


def baseline_key(record: Record) -> dict[str, Any]:
    """What a record was held against: the same for two records whose ratios are to the same baseline."""
    return {key: record.baseline.get(key) for key in ("backend", "loads", "library_version", "files_sha256")}


def identity(record: Record) -> str:
    """Equal for two measurements of the same thing: only the clock can tell them apart."""
    answered = record.accuracy.answers.predictions if isinstance(record.accuracy, Accuracy) else None
    timed = {
        name: (own.batch_size, own.sequence_length, own.real_lengths, own.inputs_sha256)
        for name, own in record.workloads.items()
        if isinstance(own, Workload)
    }
    artifact = None if record.artifact is None else record.artifact.files_sha256
    content = [record.status, artifact, answered, record.backend, timed, baseline_key(record)]
    return json.dumps(content, sort_keys=True, default=str)


def compared_candidates(experiments: Sequence[Experiment]) -> list[str]:
    """Candidates that are not identical in all experiments; all of them where every one is.

    The others were not touched by what was changed: their rows would differ by nothing but the clock.
    """
    names = list(dict.fromkeys(name for experiment in experiments for name in experiment.records))

    def identities(name: str) -> set[str]:
        return {identity(each.records[name]) for each in experiments if name in each.records}

    return [name for name in names if len(identities(name)) > 1] or names


def is_measured(experiment: Experiment, candidate: str) -> bool:
    """Whether a candidate has figures in an experiment that say something of a model: the harness's own have not."""
    record = experiment.records.get(candidate)
    return (
        record is not None
        and record.status == "measured"
        and bool(plugins.load("backends", record.backend["runner"]).PREDICTS)
    )


def not_compared(experiments: Sequence[Experiment]) -> list[str]:
    """What has no row, and why."""
    found = [f"{each.name}: not compared: {each.error}" for each in experiments if each.error]
    ended = [each for each in experiments if each.error is None]
    found += [
        f"{name}: not measured in any of them ({next(each.records[name].reason for each in ended if name in each.records)})"
        for name in compared_candidates(ended)
        if all(each.records[name].status != "measured" for each in ended if name in each.records)
    ]
    return found
