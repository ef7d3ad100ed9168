"""Files that a search writes beside a study: its own are replaced, a person's never."""

import hashlib
import os
from pathlib import Path
from typing import Any

from temper.artifacts.manifest import canonical_json, sha256, write_text
from temper.errors import ConfigError
from temper.reading.json_file import read_object

FOLDER = "optimize"
WRITTEN = "written.json"  # beside a search's files: digests of each, as it was written last and before


def write_own(folder: Path, name: str, text: str) -> None:
    """Write a file of a search, in the place of what the last one wrote and of nothing else.

    Args:
        folder: of the study that it lies in.
        name: of the file.
        text: its content.

    Raises:
        ConfigError: what is there is not what a search wrote.
    """
    file, ledger = folder / name, folder / WRITTEN
    try:
        written: dict[str, Any] = read_object(ledger)
    except (OSError, ValueError):
        written = {}
    known, new = list(written.get(name, [])), hashlib.sha256(text.encode()).hexdigest()
    there = os.path.lexists(file)
    now = sha256(file) if file.is_file() and not file.is_symlink() else None
    if there and now not in known:
        raise ConfigError(
            asked=f"write {file}",
            happened="a file is there that no search wrote, or that was changed since",
            affected="nothing: it is as it was, and what was timed is kept",
            fix=f"mv {file} {file}.mine (a folder of your own beside {FOLDER}/ is a better place), then the same command again",
        )
    if now != new:
        # the old one stays named: a kill between the two writes leaves either
        write_text(ledger, canonical_json({**written, name: [new, *([now] if now else [])]}))
        write_text(file, text)
