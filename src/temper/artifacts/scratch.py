"""Files and folders that stand for a moment beside what is being made, and what is known of those that a kill has left.

A leftover is known twice: by a name that only Temper gives, and by a note of this very path in the study's own memory. A file of
somebody's that only looks like one stays.
"""

import contextlib
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

CHANGES_NO_RESULT = "what it names has another name, or is gone, when a job has ended"
NOTES = Path(".snakemake/temper/scratch")  # in the folder of a study: one file for each that is there at this moment
_NAME = re.compile(r"\.(?P<name>.+)\.temper-(?P<key>[a-z0-9_]{8})")
_TRIES = 100  # for a name that is free
Made = TypeVar("Made")


def _note(name: str) -> Path | None:
    """Note a path; None where this process stands in no study that Snakemake runs in, or cannot write there."""
    match = _NAME.fullmatch(os.path.basename(name))
    if match is None or not NOTES.parents[1].is_dir():
        return None
    note = NOTES.absolute() / match["key"]  # wherever the process stands when it is removed
    with contextlib.suppress(OSError):
        note.parent.mkdir(parents=True, exist_ok=True)
        note.write_text(os.path.abspath(name), encoding="utf-8")
        return note
    return None


def _made(path: Path, make: Callable[[str], Made]) -> tuple[str, Made, Path | None]:
    """A new name beside `path`, what `make` makes by it, and its note.

    The note comes first: a kill between the two leaves a note of nothing, and not what nobody knows.
    """
    for _ in range(_TRIES):
        name = str(path.parent / f".{path.name}.temper-{secrets.token_hex(4)}")
        if os.path.lexists(name):
            continue
        note = _note(name)
        try:
            return name, make(name), note
        except OSError as error:
            if note is not None:
                note.unlink(missing_ok=True)
            if not isinstance(error, FileExistsError):
                raise
    raise FileExistsError(f"no free name beside {path}")


@contextlib.contextmanager
def scratch_file(path: Path) -> Iterator[tuple[int, Path]]:
    """An empty file beside `path`: its open descriptor, and its name; gone at the end where it did not take another name."""
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    name, descriptor, note = _made(path, lambda name: os.open(name, flags, 0o600))
    try:
        yield descriptor, Path(name)
    finally:
        Path(name).unlink(missing_ok=True)
        if note is not None:
            note.unlink(missing_ok=True)


@contextlib.contextmanager
def scratch_folder(folder: Path) -> Iterator[Path]:
    """An empty folder beside `folder`; gone at the end, with what is left in it."""
    name, _, note = _made(folder, lambda name: os.mkdir(name, 0o700))
    try:
        yield Path(name)
    finally:
        shutil.rmtree(name)
        if note is not None:
            note.unlink(missing_ok=True)


def is_scratch(path: Path) -> bool:
    """Whether this is what a job of the study in the working directory left when it was killed, or is making now."""
    match = _NAME.fullmatch(path.name)
    if match is None:
        return False
    try:
        return (NOTES / match["key"]).read_text(encoding="utf-8") == os.path.abspath(path)
    except (OSError, ValueError):
        return False


def leftovers() -> list[Path]:
    """What is noted and there, as paths from the working directory. Notes of what is gone are removed."""
    found = []
    for note in sorted(NOTES.glob("*")) if NOTES.is_dir() else []:
        try:
            path = Path(os.path.relpath(note.read_text(encoding="utf-8")))
        except (OSError, ValueError):
            continue
        if os.path.lexists(path):
            found += [path] if is_scratch(path) else []
        else:
            note.unlink(missing_ok=True)
    return found


def remove(path: Path) -> None:
    """Remove a leftover and its note."""
    match = _NAME.fullmatch(path.name)
    assert match is not None  # of what `leftovers` names
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
    if not os.path.lexists(path):
        (NOTES / match["key"]).unlink(missing_ok=True)
