"""Files and folders that stand for a moment beside what is being made, and what is known of those that a kill has left.

A leftover is known twice: by a name that only Temper gives, and by a note of this very path in the study's own memory. A file of
somebody's that only looks like one stays.
"""

import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

CHANGES_NO_RESULT = "what it names has another name, or is gone, when a job has ended"
NOTES = Path(".snakemake/temper/scratch")  # in the folder of a study: one file for each that is there at this moment
_NAME = re.compile(r"\.(?P<name>.+)\.temper-(?P<key>[a-z0-9_]{8})")  # the last eight are tempfile's


def _prefix(path: Path) -> str:
    return f".{path.name}.temper-"


def _note(path: str) -> Path | None:
    """Note a path; None where this process stands in no study that Snakemake runs in, or cannot write there."""
    match = _NAME.fullmatch(os.path.basename(path))
    if match is None or not NOTES.parents[1].is_dir():
        return None
    note = NOTES.absolute() / match["key"]  # wherever the process stands when it is removed
    with contextlib.suppress(OSError):
        note.parent.mkdir(parents=True, exist_ok=True)
        note.write_text(os.path.abspath(path), encoding="utf-8")
        return note
    return None


@contextlib.contextmanager
def scratch_file(path: Path) -> Iterator[tuple[int, Path]]:
    """An empty file beside `path`: its open descriptor, and its name; gone at the end where it did not take another name."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=_prefix(path))
    note = _note(name)
    try:
        yield descriptor, Path(name)
    finally:
        Path(name).unlink(missing_ok=True)
        if note is not None:
            note.unlink(missing_ok=True)


@contextlib.contextmanager
def scratch_folder(folder: Path) -> Iterator[Path]:
    """An empty folder beside `folder`; gone at the end, with what is left in it."""
    name = tempfile.mkdtemp(dir=folder.parent, prefix=_prefix(folder))
    note = _note(name)
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
