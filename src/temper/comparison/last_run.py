"""An earlier state that a report is held against: an experiment, a commit, a folder; without a name the last committed run."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from temper.artifacts.manifest import read_document
from temper.comparison.changes import changes
from temper.comparison.experiments import Experiment, read_experiment, read_experiments
from temper.comparison.revisions import LOCK, Revision, Store, git, revisions
from temper.errors import ExperimentError, PipelineError
from temper.measurement.record import Record
from temper.measurement.remeasurements import settled_record
from temper.reading.bounded import decoded
from temper.reading.json_file import parse_json
from temper.report.decide.decided import Decision, read_decision
from temper.report.decide.decision import decide
from temper.report.filed import read_filed_study
from temper.report.finished import REPORT, Finished, again_file
from temper.report.page.material import Changes
from temper.study.resolve import load_resolved, spelt_out

MEASUREMENTS = "artifacts/measurements/"
LOOKED_AT = 20  # commits of dvc.lock: where none of them has other records, there is no last run
State = tuple[Experiment, Decision | None]  # a state of the study and its decision


def _filed(folder: Path) -> State:
    study = read_filed_study(folder)
    records = {record.candidate: record for record in study.records}
    name = "/".join(folder.resolve().parts[-2:])
    return Experiment(name, study.params, records, study.compared.as_json(), None), decide(
        study.records, study.compared
    )


def _of_folder(folder: Path) -> State:
    """A filed folder, or another study's with its artifacts."""
    if (folder / "records.json").is_file():
        return _filed(folder)
    report = folder / REPORT
    if not (folder / "params.yaml").is_file() or not (report / "comparison.json").is_file():
        raise ExperimentError(
            asked=f"hold this report against {folder}",
            happened="it holds neither filed records (records.json) nor a study with a report",
            affected="nothing was written",
            fix="name results/<machine>/<study>, or a study's folder that was run to its end",
        )
    compared = read_document(report / "comparison.json")
    decision = read_decision(report / "decision.json")
    again = folder / again_file("")
    records = {name: settled_record(folder / MEASUREMENTS / f"{name}.json", again) for name in compared["candidates"]}
    return Experiment(folder.name, load_resolved(folder / "params.yaml"), records, compared, None), decision


def _of_name(name: str) -> State:
    """An experiment or a commit."""
    (found,) = read_experiments([name])
    if found.error is not None:
        raise ExperimentError(
            asked=f"hold this report against {name}",
            happened=found.error,
            affected="nothing was written",
            fix="dvc pull or dvc fetch brings what a remote has of it; temper experiments lists others",
        )
    (revision,) = revisions([name])
    return found, _decision(revision, Store())


def _decision(revision: Revision, store: Store) -> Decision | None:
    file = f"{REPORT}/decision.json"
    content = store.file(revision, file, store.outputs(revision).get(file))
    try:
        return None if content is None else Decision.from_json(parse_json(decoded(content)))
    except ValueError as error:
        raise ExperimentError(
            asked=f"hold this report against {revision.name}",
            happened=f"{file} of it is no decision: {str(error)[:300]}",
            affected="nothing was written",
            fix="name another experiment or commit; temper experiments lists them",
        ) from None


def _last_committed() -> State | None:
    """The newest committed state of the study in the working directory whose measurements are not those that lie here."""
    here = {
        path.as_posix(): hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
        for path in Path(MEASUREMENTS).glob("*.json")
    }
    listed = git("log", f"-{LOOKED_AT}", "--format=%H", "--", LOCK) or ""
    store = Store()
    for commit in listed.split():
        revision = Revision(f"commit {commit[:7]}", commit)
        theirs = {path: md5 for path, md5 in store.outputs(revision).items() if path.startswith(MEASUREMENTS)}
        if theirs and theirs != here:
            found = read_experiment(revision, store, {})
            return None if found.error is not None else (found, _decision(revision, store))
    return None


def _spelt_out(state: Experiment) -> Experiment:
    """With its settings in the words of studies; as they stand where they were written for other code."""
    try:
        return replace(state, params=spelt_out(state.params))
    except (PipelineError, KeyError, TypeError, AttributeError):
        return state


def _held(now: State, then: State) -> Changes:
    margins = [float(state[0].compared.get("analysis", {}).get("latency_margin", 0.0)) for state in (now, then)]
    return changes(_spelt_out(now[0]), _spelt_out(then[0]), (now[1], then[1]), max(margins))


def changes_against(finished: Finished, records: Sequence[Record], against: Path | str | None) -> Changes | None:
    """What is another in the study of the working directory than in an earlier state of it.

    Args:
        finished: its report.
        records: of all candidates, cells that were taken again in place.
        against: a folder, or a name of git's or DVC's; None: the last committed run, None where there is none.

    Raises:
        ExperimentError: there is no such state, or it has no results here.
    """
    if finished.place and against is None:
        return None  # of a study on several machines DVC keeps a report for each, and which one an older state had is not asked
    then = _of_folder(against) if isinstance(against, Path) else _of_name(against) if against else _last_committed()
    if then is None:
        return None
    own = Experiment(
        "now", finished.params, {each.candidate: each for each in records}, finished.comparison.as_json(), None
    )
    return _held((own, finished.decision), then)


def filed_changes(folder: Path, against: Path | str) -> Changes:
    """The same of a filed study."""
    return _held(_filed(folder), _of_folder(against) if isinstance(against, Path) else _of_name(against))
