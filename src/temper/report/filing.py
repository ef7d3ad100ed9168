"""Writing a filed folder: whole or not at all, and never over a file that a person put there."""

import datetime
import hashlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from temper.artifacts.manifest import canonical_json, sha256
from temper.errors import ArtifactError, ConfigError
from temper.reading.json_file import read_object
from temper.report.withdrawn import FILE as WITHDRAWN

LEDGER = "filed.json"  # the day of filing, and the digest of each file that was filed then
FORMAT_VERSION = 1


def filed_files(folder: Path) -> dict[str, str]:
    """SHA-256 of each file that filing wrote, by its path in the folder; none in a folder that was made by hand.

    Raises:
        ArtifactError: filed.json is none.
    """
    content = _ledger(folder)
    return {} if content is None else {str(name): str(digest) for name, digest in content[1].items()}


def filed_on(folder: Path) -> str | None:
    """The day on which the folder was filed, as 'YYYY-MM-DD'; None for one that was made by hand.

    Raises:
        ArtifactError: filed.json is none.
    """
    content = _ledger(folder)
    return None if content is None else content[0]


def _ledger(folder: Path) -> tuple[str, Mapping[str, str]] | None:
    file = folder / LEDGER
    if not file.is_file():
        return None
    try:
        content = read_object(file)
        if content["format_version"] != FORMAT_VERSION:
            raise ValueError("it is of another format version")
        return str(datetime.date.fromisoformat(content["date"])), dict(content["files"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ArtifactError(
            asked=f"say what was filed in {folder}",
            happened=f"{file} does not say it ({type(error).__name__}: {error})",
            affected="nothing was changed",
            fix=f"git checkout -- {file}",
        ) from None


def ledger(files: Mapping[str, bytes], date: str) -> bytes:
    """The text of filed.json for these files, filed on that day."""
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())}
    return canonical_json({"format_version": FORMAT_VERSION, "date": date, "files": digests}).encode()


def _others(goal: Path) -> list[str]:
    """Files of the folder that filing did not write, or that were changed since."""
    known = filed_files(goal) if goal.is_dir() else {}
    found = sorted(path.relative_to(goal).as_posix() for path in goal.rglob("*") if path.is_symlink() or path.is_file())
    return [
        name
        for name in found
        if name != LEDGER and ((goal / name).is_symlink() or sha256(goal / name) != known.get(name))
    ]


def _in_the_way(goal: Path, names: list[str]) -> ConfigError:
    shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    return ConfigError(
        asked=f"file records in {goal}",
        happened=f"files that `temper results` did not write, or that were changed since, have the names of new ones: {shown}",
        affected="nothing was written",
        fix="move them away, or --force, which replaces them",
    )


def write_filed(goal: Path, files: Mapping[str, bytes], *, force: bool = False) -> list[str]:
    """Put these files into a filed folder, in the place of those that were filed there before.

    Args:
        goal: results/<machine>/<study>/.
        files: content by path in the folder.
        force: replace files of the same names that filing did not write, or that were changed since.

    Returns:
        Files of the folder that filing did not write: they stay.

    Raises:
        ConfigError: without `force`, a file is in the way; or withdrawn.yaml would withdraw the new figures, too.
        ArtifactError: the folder's filed.json cannot be read.
    """
    scratch, replaced = (goal.with_name(f".{goal.name}.{what}") for what in ("partial", "replaced"))
    if replaced.exists() and not goal.exists():  # killed between the two renames below
        os.rename(replaced, goal)
    if (goal / WITHDRAWN).exists():
        raise ConfigError(
            asked=f"file records in {goal}",
            happened=f"{WITHDRAWN} withdraws figures of the records that are there; it would withdraw the new ones, too",
            affected="nothing was written",
            fix=f"move {goal / WITHDRAWN} away if the new records take the place of what it withdraws, and run it again",
        )
    others = _others(goal)
    if not force and (met := [name for name in others if name in files]):
        raise _in_the_way(goal, met)
    stay = [name for name in others if name not in files]
    before = filed_files(goal) if goal.is_dir() else {}
    new = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    today = datetime.date.today().isoformat()
    for rest in (scratch, replaced):
        shutil.rmtree(rest, ignore_errors=True)
    written = {**files, LEDGER: ledger(files, (filed_on(goal) if before == new else None) or today)}
    for name, content in written.items():
        (scratch / name).parent.mkdir(parents=True, exist_ok=True)
        (scratch / name).write_bytes(content)
    for name in stay:
        (scratch / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(goal / name, scratch / name, follow_symlinks=False)
    if goal.exists():
        os.rename(goal, replaced)
    os.rename(scratch, goal)
    shutil.rmtree(replaced, ignore_errors=True)
    return stay
