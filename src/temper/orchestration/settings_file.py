"""settings.json: what every job depends on beside the artifacts of others, a digest for each job. DVC's stages read it.

The settings themselves stand in the job records. In settings.json each would be a column of `dvc exp show`, thousands in all.
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from temper.artifacts.manifest import canonical_json, sha256, write_text
from temper.orchestration.jobs import Job
from temper.reading.json_file import read_object

SETTINGS = "settings.json"
_JOBS = "jobs"  # one word in front of all of them, by which `dvc exp show --drop` knows them
_DIGITS = 16


def _digest(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(canonical_json(dict(content)).encode()).hexdigest()[:_DIGITS]


def settings_json(jobs: Sequence[Job]) -> dict[str, Any]:
    """Digests by rule and row: of the job's params, as Snakemake has them, and of the files it reads that no job makes.

    The second (raw data, a checkpoint folder) follows the first after a blank, where a job reads such files.
    """
    made = {output for job in jobs for output in job.outputs}
    content: dict[str, Any] = {}
    for job in jobs:
        outside = {path: sha256(path) for path in job.inputs if path not in made and Path(path).is_file()}
        entry = " ".join((_digest(job.settings), *((_digest(outside),) if outside else ())))
        if job.row:
            content.setdefault(job.rule, {})[job.row] = entry
        else:
            content[job.rule] = entry
    return {_JOBS: content}


def write_settings_json(jobs: Sequence[Job]) -> None:
    """Write it for the study in the working directory."""
    write_text(SETTINGS, canonical_json(settings_json(jobs)))


def is_listed(rule: str, row: str, settings: Mapping[str, Any]) -> bool:
    """Whether settings.json was written for these settings of a job; False where it is not there or cannot be read."""
    try:
        listed = read_object(SETTINGS)[_JOBS][rule]
        return str(listed[row] if row else listed).partition(" ")[0] == _digest(settings)
    except (OSError, ValueError, KeyError, TypeError):
        return False
