"""What a person changed or put among the artifacts: a job that makes its files anew would remove it, so nobody starts one.

DVC removes a stage's folder before it runs the stage, and Snakemake a job's files, without asking.
"""

import fnmatch
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from temper.artifacts.scratch import is_scratch
from temper.errors import ArtifactError
from temper.orchestration import seen
from temper.orchestration.job_record import FOLDER, read_job_record
from temper.orchestration.set_aside import FOLDER as SET_ASIDE
from temper.orchestration.set_aside import listed
from temper.reading.yaml_file import read_yaml


def edited(records: Iterable[str | Path]) -> list[str]:
    """Outputs of these job records that are there and have other bytes than their record says, whatever their times.

    A file is read where the disk says another thing of it than when it was read last (temper/orchestration/seen.py).
    """
    found = []
    for path in map(Path, records):
        try:
            record = read_job_record(path)
        except ArtifactError:
            continue
        here = {file: digest for file, digest in record.outputs.items() if Path(file).is_file()}
        now = seen.digests(record.rule, record.row, here)
        found += [file for file, digest in here.items() if now[file] != digest]
    return found


def records_here() -> list[Path]:
    """Every job record of the study in the working directory."""
    return sorted(Path(FOLDER).rglob("*.json"))


def check_unedited(asked: str, records: Iterable[str | Path]) -> None:
    """Refuse to start what could write over an edit, or be made of a file that no job of this study wrote.

    Raises:
        ArtifactError: files of these records were changed by hand, or others were put in their places.
    """
    found = edited(records)
    if found:
        raise ArtifactError(
            asked=asked,
            happened=f"changed since its job wrote it: {listed(found)}",
            affected="nothing: no job was started, and none can write over it or be made of it",
            fix=f"temper sync: moves it to {SET_ASIDE}/ and brings back what the job wrote, or has it made anew; then again",
        )


def beside(outputs: Sequence[str]) -> list[str]:
    """Files in folders that DVC keeps as a whole (dvc.yaml) and that no job makes.

    Args:
        outputs: what the jobs of today make; a folder without any of them is no stage's any more, and DVC leaves it alone.
    """
    try:
        stages = read_yaml("dvc.yaml")["stages"].values()
        outs = [out for stage in stages for out in stage.get("do", stage).get("outs", []) if isinstance(out, str)]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []
    patterns = [re.sub(r"\$\{\w+\}", "*", out) for out in outs if not Path(out).suffix]
    made = set(outputs)
    folders = sorted(
        {folder for folder in (Path(path).parent.as_posix() for path in made) for p in patterns if _is_one(folder, p)}
    )
    return [
        path.as_posix()
        for folder in folders
        for path in sorted(Path(folder).rglob("*"))
        if path.is_file() and path.as_posix() not in made and path.name != ".gitignore" and not is_scratch(path)
    ]


def _is_one(folder: str, pattern: str) -> bool:
    return folder.count("/") == pattern.count("/") and fnmatch.fnmatch(folder, pattern)


def check_nothing_beside(asked: str, outputs: Sequence[str]) -> None:
    """Refuse to let DVC run a stage while files of a person lie in folders that it removes.

    Raises:
        ArtifactError: with their paths.
    """
    found = beside(outputs)
    if found:
        raise ArtifactError(
            asked=asked,
            happened=f"not made by a job, in a folder that DVC removes before it makes it anew: {listed(found)}",
            affected="nothing: no stage was started",
            fix="move it out of data/prepared and artifacts/, then the same command again",
        )
