"""What a finished study says of its candidates: the report and the records it was made from, as their jobs left them."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from temper.artifacts.manifest import read_document, sha256
from temper.errors import ArtifactError, ConfigError, DataError
from temper.measurement.record import Accuracy, LatencyRatio, Record, Workload
from temper.measurement.record_file import read_record
from temper.measurement.remeasurements import Remeasurements, read_remeasurements, settled
from temper.orchestration.job_record import JobRecord, read_job_record, record_path
from temper.orchestration.jobs import run_command
from temper.report.decide.compared import ComparedStudy
from temper.report.decide.compared_accuracy import ComparedAccuracy, Missing
from temper.report.decide.compared_workload import ComparedWorkload
from temper.report.decide.decided import SCHEMA_VERSION, Decision
from temper.report.decide.evidence import DISTURBED
from temper.report.decide.paired_accuracy import metric_of
from temper.report.read_back import made_from
from temper.report.summary import Summary
from temper.statistics.ratio import Ratio, verdict
from temper.study.resolve import load_resolved

REPORT = "artifacts/report"
Json = dict[str, Any]


def record_file(candidate: str) -> str:
    """Path of a candidate's record, from the study's folder."""
    return f"artifacts/measurements/{candidate}.json"


def places(params: Mapping[str, Any]) -> tuple[str, ...]:
    """Machines that a study has a report for each; ('',) where one report holds all its candidates.

    Args:
        params: its params.yaml, in the complete form.
    """
    rows = params.get("candidates", {})
    named = tuple(dict.fromkeys(row.get("machine") or "" for row in rows.values()))
    return named if len(named) > 1 else ("",)


def report_folder(place: str) -> str:
    """The folder of a report, from the study's."""
    return f"{REPORT}/{place}".rstrip("/")


def again_file(place: str) -> str:
    """The cells that were taken once more, for a report."""
    return f"artifacts/remeasurements/{place}.json" if place else "artifacts/remeasurements.json"


def _place(asked: str, params: Mapping[str, Any], machine: str | None, candidate: str | None) -> str:
    """Which report is meant.

    Raises:
        ConfigError: there are several, and nothing says which one; or the study has no such machine.
    """
    known = places(params)
    rows = params.get("candidates", {})
    meant = machine
    if machine is None and known != ("",) and candidate in rows:
        meant = rows[candidate].get("machine")
    named = {row.get("machine") for row in rows.values()} - {None}
    if meant is None and known == ("",):
        return ""
    if meant in known or (known == ("",) and meant in named):
        return "" if known == ("",) else str(meant)
    raise ConfigError(
        asked=asked,
        happened=f"no candidate is measured on the machine {meant}" if meant else "it has a choice for each machine",
        affected="nothing",
        fix=f"name one with --machine: {', '.join(sorted(named))}"
        if named
        else "leave --machine out: params.yaml names no machine",
    )


def _check_bytes(file: str, digest: str | None) -> None:
    """A file is the one that the report's job read or wrote."""
    if digest is None or not Path(file).is_file() or sha256(file) != digest:
        raise ArtifactError(
            asked=f"take {file} as the study's last report has it",
            happened="it is not there"
            if not Path(file).is_file()
            else "it is another file: altered or made anew since",
            affected="this answer: what is said of the artifact might be another's",
            fix=f"{run_command()}: makes it anew"
            if not Path(file).is_file()
            else f"finish the study ({run_command()}), or temper sync, which puts back what was altered",
        )


def _follows(cell: ComparedWorkload | None, ratio: LatencyRatio, margin: float) -> bool:
    """Whether a cell of the comparison is what a ratio gives."""
    if cell is None or not isinstance(cell.ratio, LatencyRatio):
        return False
    same = (cell.ratio.ratio, cell.ratio.low, cell.ratio.high) == (ratio.ratio, ratio.low, ratio.high)
    return same and cell.verdict in (DISTURBED, verdict(Ratio(ratio.ratio, ratio.low, ratio.high), margin))


def _other_figures(said: ComparedAccuracy | Missing, answers: Accuracy) -> Iterator[str]:
    """What is said of answers and is not what they give, by name."""
    if isinstance(said, Missing) or said.accuracy != answers.answers.accuracy:
        yield "accuracy"
    if isinstance(said, ComparedAccuracy) and (metric := said.metric) is not None:
        found, given = said.metric_value, metric_of(answers, metric)
        if found is None or given is None or not math.isclose(found, given, rel_tol=1e-9):  # sums of another order
            yield metric


@dataclass(frozen=True)
class Finished:
    """The report of the study in the working directory.

    decision, comparison, summary: what the report's files of these names say.
    params: its params.yaml.
    job: the record of the job that wrote the report.
    place: the machine that the report is of, where the study has one for each; else ''.
    """

    decision: Decision
    comparison: ComparedStudy
    summary: Summary
    params: Json
    job: JobRecord
    place: str = ""

    @property
    def candidates(self) -> list[str]:
        """Names of all candidates, in the report's order."""
        return list(self.summary.candidates)

    def record(self, candidate: str) -> Record:
        """A candidate's record, its cells that were taken once more in the place of the first ones.

        Raises:
            ArtifactError: it is not the one that the report was made from, or the report says other figures of it.
        """
        _check_bytes(record_file(candidate), self.job.inputs.get(record_file(candidate)))
        (record,) = settled([read_record(record_file(candidate))], self.remeasurements())
        self._check_figures(record)
        return record

    def remeasurements(self) -> Remeasurements | None:
        """The cells that were taken once more; None in a report that was made without."""
        file = again_file(self.place)
        return read_remeasurements(file) if file in self.job.inputs else None

    def _check_figures(self, record: Record) -> None:
        """Ratios, verdicts, the accuracy and what else answers are judged by are in the report as the record gives them.

        Raises:
            ArtifactError: they are not.
        """
        said = self.comparison.candidates[record.candidate]
        wrong = [
            name
            for name, workload in record.workloads.items()
            if isinstance(workload, Workload)
            and isinstance(workload.ratio, LatencyRatio)
            and not _follows(said.workloads.get(name), workload.ratio, self.comparison.margin)
        ]
        if isinstance(record.accuracy, Accuracy):
            wrong += _other_figures(said.accuracy, record.accuracy)
        if wrong:
            raise ArtifactError(
                asked=f"take what the report says of {record.candidate}",
                happened=f"its record gives other figures: {', '.join(wrong)}",
                affected="this answer: the choice might be another's",
                fix="temper run --again report, in the study's folder: makes the report anew from the records",
            )

    def batch_size(self, workload: str) -> int:
        """Rows of one call of a workload."""
        try:
            return int(self.params["workloads"][workload]["batch_size"])
        except KeyError:
            raise ConfigError(
                asked=f"read how many rows a call of the workload {workload} has",
                happened="params.yaml has no such workload any more: it was changed after the last report",
                affected="nothing",
                fix=f"finish the study ({run_command()}), or take the change back",
            ) from None


def _check_version(name: str, version: int | None) -> None:
    """Raise ArtifactError where the report was made by other rules: they may have chosen what these would not."""
    if version != SCHEMA_VERSION:
        raise ArtifactError(
            asked=f"take the choice of {REPORT}/{name}.json",
            happened=f"its schema version is {version}, and this Temper's is {SCHEMA_VERSION}: other rules made the choice",
            affected="nothing was written",
            fix=f"{run_command()}: makes the report anew; what is current is not measured again",
        )


def _document(name: str, folder: str, job: JobRecord) -> Json:
    """The content of one of the report's files, which its job wrote."""
    file = f"{folder}/{name}.json"
    _check_bytes(file, job.outputs.get(file))
    return read_document(file)


def read_finished(
    asked: str = "predict with the artifact that the study's decision chose",
    machine: str | None = None,
    candidate: str | None = None,
) -> Finished:
    """Read the report of the study in the working directory.

    Args:
        asked: what it is read for, in an error's words.
        machine: whose report is meant, where the study has several; None: that of the candidate.
        candidate: one that is asked for; None: any.

    Raises:
        ConfigError: there are several reports, and neither says which one.
        DataError: there is none.
        ArtifactError: it was altered since its job wrote it, or other rules than this version's made it.
    """
    params = load_resolved("params.yaml") if Path("params.yaml").is_file() else {}
    place = _place(asked, params, machine, candidate)
    folder = report_folder(place)
    if not Path(folder, "decision.json").is_file():
        raise DataError(
            asked=asked,
            happened=f"{folder}/decision.json does not exist: the study has not been run to its end",
            affected="nothing",
            fix=f"run it first: {run_command()}; -C names another study's folder",
        )
    job = read_job_record(record_path("report", place))
    content = {name: _document(name, folder, job) for name in ("decision", "comparison", "summary")}
    for name in ("decision", "comparison"):
        _check_version(name, content[name].get("schema_version"))
    return Finished(
        made_from(content["decision"], Decision.from_json, f"{folder}/decision.json"),
        made_from(content["comparison"], ComparedStudy.from_json, f"{folder}/comparison.json"),
        made_from(content["summary"], Summary.from_json, f"{folder}/summary.json"),
        params=params,
        job=job,
        place=place,
    )
