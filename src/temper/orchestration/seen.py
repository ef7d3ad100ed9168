"""Digests of files as they were read last, beside what the disk said of each then: a file of which it says the same is not read.

The disk's words are size, time of the bytes, time of the file's entry (which no program can set back) and its number. Two
folders that were exchanged, or bytes written under an old time, change one of them.
"""

import os
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from temper.artifacts.manifest import canonical_json, sha256, write_text
from temper.reading.json_file import read_object

CHANGES_NO_RESULT = "it says which files a plan has to read again"
FOLDER = ".snakemake/temper/seen"  # this folder's own memory, never shared
_TICK_NS = 50_000_000


def _of_disk(path: str) -> list[int]:
    """Empty of a file that was written a moment ago: a second write in the same tick of the disk's clock would not show."""
    found = os.stat(path)
    if abs(time.time_ns() - found.st_ctime_ns) < _TICK_NS:
        return []
    return [found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino]


def _file(rule: str, row: str) -> Path:
    return Path(FOLDER, rule, f"{row or '_'}.json")


def _read(rule: str, row: str) -> dict[str, list[str | int]]:
    try:
        content = read_object(_file(rule, row))
        return {file: found for file, found in content.items() if isinstance(found, list) and found}
    except (OSError, ValueError):
        return {}


def _write(rule: str, row: str, found: Mapping[str, list[str | int]]) -> None:
    if Path(FOLDER).parents[1].is_dir():
        with suppress(OSError):  # on a disk that takes nothing more every file is read each time
            write_text(_file(rule, row), canonical_json(dict(found)))


def digests(rule: str, row: str, files: Iterable[str]) -> dict[str, str]:
    """SHA-256 of files that a job has written, by path; those are read of which the disk says something new.

    Raises:
        OSError: one of them cannot be read.
    """
    before = _read(rule, row)
    now: dict[str, list[str | int]] = {}
    for file in files:
        disk = _of_disk(file)
        known = before.get(file, [])
        now[file] = known if disk and known[1:] == disk else [sha256(file), *disk]
    if now != {file: before.get(file) for file in now}:
        _write(rule, row, {**before, **now})
    return {file: str(found[0]) for file, found in now.items()}


def note(rule: str, row: str, known: Mapping[str, str]) -> None:
    """Note files whose digests are known, by path: nobody has to read them for that."""
    _write(rule, row, {file: [digest, *_of_disk(file)] for file, digest in known.items()})
