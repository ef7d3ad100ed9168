"""Cells that did not hold, taken once more when all else of the study is measured.

A cell is one candidate on one workload. It holds where the baseline beside the candidate has the latency that it has beside
itself; ratios of two candidates are only comparable where both were held against the same baseline. What a busy machine left
unmeasured is tried again, too.
"""

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from temper.artifacts.manifest import canonical_json, write_text
from temper.environment import plugins
from temper.environment.devices import gpu_indices
from temper.environment.machine import measuring_machine
from temper.errors import ArtifactError, Unavailable
from temper.logs.script_log import say_passing
from temper.measurement.isolated import OutOfMemory
from temper.measurement.measure import describe_artifact
from temper.measurement.processes import Json, Processes
from temper.measurement.record import LatencyRatio, NotMeasured, Record, Workload
from temper.measurement.record_file import read_record
from temper.measurement.remeasurements import SCHEMA_VERSION, Remeasured, Remeasurements, baseline_level_ms
from temper.measurement.workload import alone_of, workload_of


def _levels(records: Sequence[Record], name: str) -> dict[str, float]:
    """The baseline's level beside each candidate on one workload."""
    found = {}
    for record in records:
        workload = record.workloads.get(name)
        level = baseline_level_ms(workload) if isinstance(workload, Workload) else None
        if level is not None:
            found[record.candidate] = level
    return found


def _is_busy(record: Record, name: str) -> bool:
    workload = record.workloads.get(name)
    return isinstance(workload, NotMeasured) and workload.cause == "busy"


def reference_does_not_hold(records: Sequence[Record], baseline: str, name: str, margin: float) -> str | None:
    """Why the baseline's level beside itself is no reference for a workload; None where it is one.

    It is none where it was not measured for want of a quiet machine, where the baseline took another time than itself, or where
    most of the others agree on another level: then it was this one measurement that was disturbed.
    """
    own = next((record for record in records if record.candidate == baseline), None)
    if own is None:
        return None
    if _is_busy(own, name):
        return "the machine was busy"
    workload = own.workloads.get(name)
    ratio = workload.ratio if isinstance(workload, Workload) else None
    if isinstance(ratio, LatencyRatio) and abs(ratio.ratio - 1) > margin:
        return f"the baseline took {ratio.ratio:.3f} times as long as itself"
    levels = _levels(records, name)
    reference = levels.pop(baseline, None)
    if reference is None or len(levels) < 3:
        return None
    middle = statistics.median(levels.values())
    agree = sum(abs(level / middle - 1) <= margin for level in levels.values())
    if abs(reference / middle - 1) <= margin or agree <= len(levels) / 2:
        return None
    return f"beside itself the baseline took {reference:.4g} ms, beside most candidates {middle:.4g} ms"


def cells_to_retake(records: Sequence[Record], baseline: str, name: str, margin: float) -> dict[str, str]:
    """Candidates whose cell of a workload does not hold, and why; the baseline itself is not among them.

    Args:
        records: of all candidates, that of the baseline with a level that holds.
        baseline: the candidate that is the baseline itself.
        name: of the workload.
        margin: `analysis.latency_margin`.
    """
    found = {record.candidate: "the machine was busy" for record in records if _is_busy(record, name)}
    levels = _levels(records, name)
    reference = levels.get(baseline)
    if reference is not None:
        for candidate, level in levels.items():
            if abs(level / reference - 1) > margin:
                found[candidate] = f"beside it the baseline took {level:.4g} ms, beside itself {reference:.4g} ms"
    found.pop(baseline, None)
    return found


def _check_artifact(record: Record, loads: str, folder: Path, files_sha256: Mapping[str, str]) -> None:
    """Check that what is about to be timed again is what the record was taken of.

    Raises:
        ArtifactError: it is not.
    """
    if describe_artifact(loads, folder).files_sha256 != files_sha256:
        raise ArtifactError(
            asked=f"measure {record.candidate} once more",
            happened=f"{folder} holds other files than its record was taken of",
            affected="the report; nothing was written",
            fix="temper sync, then the same command again",
        )


class _Study:
    """All that is needed to take a cell again: the records, and what they do not hold."""

    def __init__(
        self,
        records: Sequence[Record],
        baseline_side: Json,
        workloads: Mapping[str, Mapping[str, Any]],
        artifacts_folder: Path,
        data_folder: str,
    ) -> None:
        self.records = {record.candidate: record for record in records}
        self._baseline_side, self._workloads = baseline_side, workloads
        self._artifacts, self._data_folder = artifacts_folder, data_folder
        self.cells: dict[str, dict[str, Remeasured]] = {}

    def take(self, candidate: str, why: Mapping[str, str]) -> None:
        """Take some workloads of a candidate again, all of them on one loading.

        Args:
            candidate: one that was measured.
            why: by workload, why it is taken again.

        Raises:
            ArtifactError: the artifacts are not those that the record was taken of.
        """
        record = self.records[candidate]
        assert record.artifact is not None  # what has a cell was loaded
        own, other = (self._artifacts / loads for loads in (record.artifact.loads, record.baseline["loads"]))
        _check_artifact(record, record.artifact.loads, own, record.artifact.files_sha256)
        _check_artifact(record, record.baseline["loads"], other, record.baseline["files_sha256"])
        workloads = {name: dict(self._workloads[name]) for name in why}
        found: dict[str, Workload | NotMeasured]
        try:
            taken = Processes(
                {
                    "runner": record.backend["runner"],
                    "artifact": str(own),
                    "options": record.backend["options"],
                    "version": record.backend["library_version"],
                },
                {**self._baseline_side, "artifact": str(other)},
                {
                    "name": candidate,
                    "data_folder": self._data_folder,
                    "workloads": workloads,
                    "measurement": record.measurement,
                    "seed": record.seed,
                },
                gpu_indices(record.backend["gpus"], record.backend["options"]),
                [],
            ).take(alone_of(record, workloads))
            found = {name: workload_of(name, sizes, taken, record.measurement) for name, sizes in workloads.items()}
        except (Unavailable, OutOfMemory) as lacking:
            found = {name: NotMeasured(reason=str(lacking)) for name in workloads}
        for name, workload in found.items():
            self.cells.setdefault(candidate, {})[name] = Remeasured(why=why[name], workload=workload)
        self.records[candidate] = record.model_copy(update={"workloads": {**record.workloads, **found}})


def remeasure(
    *,
    records: Sequence[str],
    baseline: str,
    baseline_backend: Mapping[str, Any],
    baseline_version: str,
    workloads: Mapping[str, Mapping[str, Any]],
    latency_margin: float,
    artifacts_folder: str,
    data_folder: str,
    remeasurements: str,
    source_digest: str,
) -> None:
    """Take every cell once more that does not hold, and write what came of it.

    A workload whose reference (the baseline beside itself) does not hold has that one taken again first. Nothing is taken
    where all holds, and what cannot be timed on this machine is left as it is.

    Args:
        records: paths of the records of all candidates.
        baseline: the candidate that is the baseline itself.
        baseline_backend: the row of `backends:` that it runs on.
        baseline_version: that backend's library, resolved while planning.
        workloads: the section of that name.
        latency_margin: of the section `analysis:`.
        artifacts_folder: holds what the candidates load.
        data_folder: prepared data; only its test split is read.
        remeasurements: where the result goes.
        source_digest: of the code that measures.

    Raises:
        ArtifactError: a record is of another machine, or its artifact is another one by now.
        BackendError, LibraryError: as `temper.measurement.measure.measure`.
    """
    here = measuring_machine()
    side = {
        "runner": baseline_backend["runner"],
        "options": baseline_backend["options"],
        "version": baseline_version,
    }
    taken = _Study([read_record(path) for path in records], side, workloads, Path(artifacts_folder), data_folder)

    def now() -> list[Record]:
        return list(taken.records.values())

    def take(wanted: Mapping[str, Mapping[str, str]]) -> None:
        for candidate, why in wanted.items():
            if {key: taken.records[candidate].machine.get(key) for key in here} != here:
                raise ArtifactError(
                    asked=f"measure {candidate} once more: {next(iter(why.values()))}",
                    happened="its record was taken on another machine, and a latency of this one cannot stand beside it",
                    affected="nothing: no cell was taken",
                    fix="run it on that machine, or measure all candidates here: snakemake --cores 1 --forcerun measure",
                )
            print(f"{candidate}: taken once more: {', '.join(why)}: {next(iter(why.values()))}", flush=True)
            taken.take(candidate, why)

    references = {name: reference_does_not_hold(now(), baseline, name, latency_margin) for name in workloads}
    if why := {name: reason for name, reason in references.items() if reason is not None}:
        take({baseline: why})
    wanted: dict[str, dict[str, str]] = {}
    for name in workloads:
        for candidate, reason in cells_to_retake(now(), baseline, name, latency_margin).items():
            # what computes no logits shows the cost of the harness, and is nobody's choice
            if plugins.load("backends", taken.records[candidate].backend["runner"]).PREDICTS:
                wanted.setdefault(candidate, {})[name] = reason
    if wanted:  # one line on the terminal; the log has the figures
        say_passing(f"taken once more, because their latencies do not hold: {len(wanted)} of {len(records)} candidates")
    take(wanted)
    content = Remeasurements(
        schema_version=SCHEMA_VERSION,
        latency_margin=latency_margin,
        cells=taken.cells,
        source_digest=source_digest,
    )
    write_text(remeasurements, canonical_json(content.model_dump(mode="json")))
    print(f"{sum(map(len, taken.cells.values()))} cells taken once more")
