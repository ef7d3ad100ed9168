"""What each job made last, kept under a second name: Snakemake removes a job's outputs before its script starts.

A job that is planned because a file it reads was made anew finds its outputs of last time here, and puts them back where
settings, code and inputs are the same (early cut-off). The names are hard links: they cost no space until the job makes other
files. Where links are impossible (artifacts/ on another file system) they are copies. Nothing here is trusted: a file
counts where its digest is the one of the job record.
"""

import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from temper.artifacts.manifest import sha256

CHANGES_NO_RESULT = "it puts files back whose digests are held against the job record"
FOLDER = ".snakemake/temper/made-files"  # this folder's own memory, never shared


def kept_folder(rule: str, row: str) -> Path:
    """Where the files of a job are kept, each under its own path."""
    return Path(FOLDER, rule, row or "_")


def _give_name(source: Path, target: Path) -> None:
    """A second name for a file, or a copy; a target that is there is replaced."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def keep(rule: str, row: str, paths: Iterable[str]) -> None:
    """Keep what a job has made, in the place of what it made before. A full disk keeps nothing, and is no error."""
    folder = kept_folder(rule, row)
    shutil.rmtree(folder, ignore_errors=True)
    try:
        for path in paths:
            _give_name(Path(path), folder / path)
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        print(f"not kept for the next run: {error}", flush=True)


def whole(jobs: Mapping[str, Iterable[str]]) -> list[str]:
    """'rule/row' of the jobs of which all that is kept still lies in its own place too.

    Who deletes an artifact wants it made anew, and gets no old one back.

    Args:
        jobs: rule to rows.
    """
    found = []
    for rule, row in ((rule, row) for rule, rows in jobs.items() for row in rows):
        folder = kept_folder(rule, row)
        files = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
        if files and all(path.is_file() for path in files):
            found.append(f"{rule}/{row}")
    return found


def put_back(rule: str, row: str, digests: Mapping[str, str]) -> bool:
    """Give a job its kept files back, as of now; whether that was done: all of them or none.

    Args:
        digests: SHA-256 of each file, by path. In this order they come back, the last one as the youngest.
    """
    folder = kept_folder(rule, row)
    if any(not (folder / path).is_file() or sha256(folder / path) != digest for path, digest in digests.items()):
        return False
    for path in digests:
        _give_name(folder / path, Path(path))
        os.utime(path)
    return True
