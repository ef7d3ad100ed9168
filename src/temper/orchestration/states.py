"""What the outputs of a study's jobs are today: current, absent, altered, stale, or made with other versions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from temper.artifacts.manifest import sha256
from temper.errors import ArtifactError
from temper.orchestration.job_record import read_job_record, record_path
from temper.orchestration.jobs import Job

Kind = Literal["current", "absent", "altered", "other versions", "stale"]


@dataclass(frozen=True)
class State:
    """What a job's outputs on disk are, held against the settings of today."""

    kind: Kind
    reason: str

    @property
    def current(self) -> bool:
        return self.kind == "current"


def changed_keys(before: Any, now: Any, prefix: str = "") -> list[str]:
    """Dotted paths at which two nested settings differ, each with 'old → new'."""
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        return [
            line
            for key in dict.fromkeys([*before, *now])
            for line in changed_keys(
                before.get(key, "absent"), now.get(key, "absent"), f"{prefix}.{key}" if prefix else key
            )
        ]
    return [] if before == now else [f"{prefix}: {before} → {now}"]


def own_state(job: Job) -> State:
    """The state of a job's outputs, its producers aside."""
    path = record_path(job.rule, job.row)
    missing = [output for output in job.outputs if not Path(output).is_file()]
    if missing:
        return State("absent", f"{missing[0]} is not there")
    try:
        record = read_job_record(path)
    except ArtifactError as error:
        return State("altered", error.happened)
    for file in job.outputs:
        if file != path and record.outputs.get(file) != sha256(file):
            return State("altered", f"{file} is not the file its job wrote")
    for file in job.inputs:
        if record.inputs.get(file) is None or not Path(file).is_file() or record.inputs[file] != sha256(file):
            return State("stale", f"made from another {file}")
    changed = changed_keys(record.settings, job.settings)
    if not changed:
        return State("current", "")
    if all(line.startswith("versions.") for line in changed):
        return State("other versions", "; ".join(line.removeprefix("versions.") for line in changed))
    return State("stale", "; ".join(changed))


def states(jobs: Sequence[Job]) -> dict[tuple[str, str], State]:
    """State of every job; one that needs another that is not current is not current either."""
    found: dict[tuple[str, str], State] = {}
    for job in jobs:
        own = own_state(job)
        if own.current:
            needed = [key for key in job.needs if not found[key].current]
            if needed:
                kept = all(found[key].kind == "other versions" for key in needed)
                own = State("other versions" if kept else "stale", f"follows {' '.join(needed[0]).strip()}")
        found[job.rule, job.row] = own
    return found
