"""Files that have to leave their place and that nobody could make again: moved, not removed, and the person is told where."""

import functools
import os
import shutil
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from temper.errors import ExperimentError
from temper.orchestration.stored import cached, md5, repository

FOLDER = "set_aside"  # in the study's folder; git and DVC leave it alone
SHOWN = 3


@functools.cache
def _now() -> str:
    """When this command first moved a file: what it moves lies together."""
    return time.strftime("%Y-%m-%d-%H%M%S")


def listed(paths: Sequence[str]) -> str:
    """The first paths, and how many more there are."""
    more = f" and {len(paths) - SHOWN} more" if len(paths) > SHOWN else ""
    return ", ".join(paths[:SHOWN]) + more


def set_aside(path: str | Path) -> str:
    """Move a file of the study in the working directory to set_aside/<time>/, under its own path; return that folder."""
    folder = Path(FOLDER, _now())
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    while os.path.lexists(target):
        target = target.with_name(f"{target.name}.again")
    try:
        os.rename(path, target)
    except OSError:  # another file system, as where data/ or artifacts/ is a link to another disk
        shutil.move(path, target)
    return folder.as_posix()


def _is_in_cache(path: str | Path, repo: Any) -> bool:
    return repo is not None and not os.path.islink(path) and cached(repo, md5(path)) is not None


def nowhere_else(paths: Iterable[str], repo: Any) -> list[str]:
    """Those files whose bytes DVC's cache does not hold: what is removed of them is lost."""
    return [path for path in paths if not _is_in_cache(path, repo)]


def put_away(paths: Iterable[str]) -> str:
    """Take files out of their place: remove those that DVC's cache holds byte for byte, set the others aside.

    Returns:
        What was done with them, for the line that names them: 'removed', 'removed (DVC's cache has it)', 'moved to …'.
    """
    there = [path for path in paths if os.path.lexists(path)]
    if not there:
        return "removed"
    try:
        with repository("look into DVC's cache") as repo:
            kept = nowhere_else(there, repo)
    except ExperimentError:  # no repository: nothing is stored
        kept = there
    folder = ""
    for path in there:
        if path in kept:
            folder = set_aside(path)
        else:
            Path(path).unlink()
    return f"moved to {folder}/" if folder else "removed (DVC's cache has it)"
