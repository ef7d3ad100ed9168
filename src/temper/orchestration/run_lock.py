"""Who works in this folder: a run says so while it lasts, so that a second one can name the first."""

import atexit
import contextlib
import json
import os
import select
import socket
import sys
import threading
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from temper.artifacts import scratch
from temper.artifacts.manifest import canonical_json, write_text
from temper.errors import BusyError
from temper.measurement.patience import RUN

CHANGES_NO_RESULT = "it says who works in a folder"
HOLDER = Path(".snakemake/temper/running.json")
# a file for each run that plans, and may lock the folder before it is its holder
STARTING = Path(".snakemake/temper/starting")
LOCKS = Path(".snakemake/locks")  # Snakemake's own


def _started(pid: int) -> str | None:
    """When a process of this machine began, in the kernel's clock ticks; None if it has ended or cannot be asked."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return None if fields[0] in "ZX" else fields[19]  # a zombie has ended; only its parent has not asked yet
    except (OSError, IndexError):
        return None


def _lives(note: Mapping[str, Any]) -> bool:
    """Whether the process of a note of this machine is still the one that wrote it."""
    pid = int(note["pid"])
    if note["started"] is not None and _started(pid) == note["started"]:
        return True
    if Path(f"/proc/{pid}").exists() or note["started"] is None:
        return False
    try:  # where each user sees his own processes only (hidepid)
        os.kill(pid, 0)
    except PermissionError:
        return True
    except OSError:
        pass
    return False


BESIDE = "TEMPER_BESIDE"  # folders of studies that are run together with one, in a path's form


def hold(adoptable: Iterable[str] = (), *, share: bool = False) -> None:
    """Note that this process works here.

    Args:
        adoptable: 'rule/row' of the jobs that may put back what they made last time; none of a run that is told to force jobs.
        share: whether jobs may take what studies that are run together with this one (BESIDE) have made of the same.
    """
    content = {
        **_own(),
        "adoptable": list(adoptable),
        "beside": [folder for folder in os.environ.get(BESIDE, "").split(os.pathsep) if folder and share],
    }
    write_text(HOLDER, canonical_json(content))
    _begun().unlink(missing_ok=True)
    os.environ[RUN] = _words(content)  # its jobs inherit it


def _program(path: str) -> str:
    """Who runs: `temper run` has Snakemake in its own process, under its own name or as python -m temper.cli."""
    called = Path(path)
    return "temper" if called.name == "temper" or called.parts[-3:] == ("temper", "cli", "__main__.py") else "snakemake"


def _own() -> dict[str, Any]:
    return {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "started": _started(os.getpid()),
        "since": time.strftime("%Y-%m-%d %H:%M:%S"),
        "command": " ".join([_program(sys.argv[0]), *sys.argv[1:]]),
    }


def _begun() -> Path:
    return STARTING.absolute() / str(os.getpid())


def begin() -> None:
    """Note that this process is about to work here: Snakemake locks the folder before `hold` can be called.

    A kill between the two would leave a lock of which nobody knows whose it is.
    """
    write_text(_begun(), canonical_json(_own()))
    atexit.register(_begun().unlink, missing_ok=True)


def _words(note: Mapping[str, Any]) -> str:
    """A run as its jobs know it."""
    return f"{note['host']} {note['pid']} {note['started']} {note['since']}"


def _job_of(run: str) -> int | None:
    """A process that belongs to a run of this machine and still works; None where there is none, or nobody can be asked."""
    wanted = f"{RUN}={run}".encode()
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if int(place.name) != os.getpid() and wanted in (place / "environ").read_bytes().split(b"\0"):
                return int(place.name) if _started(int(place.name)) is not None else None
        except OSError:  # another user's, or it has just ended
            continue
    return None


def _starting() -> dict[Path, dict[str, Any]]:
    """Notes of runs that have begun and hold nothing yet, but this one's."""
    found = {}
    for path in STARTING.glob("[0-9]*"):
        note = _read(path)
        if note is not None and path.name != str(os.getpid()):
            found[path] = note
    return found


def _read(path: Path) -> dict[str, Any] | None:
    try:
        note: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return note if {"host", "started", "since", "command"} <= note.keys() and int(note["pid"]) > 0 else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _dead(note: Mapping[str, Any]) -> bool:
    """Whether it is certain that the process of a note has ended."""
    return note["host"] == socket.gethostname() and note["started"] is not None and not _lives(note)


def clear_after_a_kill(asked: str) -> list[str]:
    """Remove what a killed run left that would keep the next one out: Snakemake's lock, and half-written files.

    Only where that is certain: the processes of all notes were of this machine and have ended, none of their jobs works any more,
    and nobody has locked the folder who left no note.

    Returns:
        What was done, in words.

    Raises:
        BusyError: a job of the killed run still works, or another run has just begun.
    """
    held, starting = _read(HOLDER), _starting()
    notes = [note for note in (held, *starting.values()) if note is not None]
    try:
        locks = list(LOCKS.glob("*.lock"))
        unknown = not starting and any(lock.stat().st_mtime_ns > HOLDER.stat().st_mtime_ns for lock in locks)
    except OSError:
        return []
    if locks and starting:
        for note in starting.values():
            if note["host"] == socket.gethostname() and _lives(note):
                raise _busy(asked, note)
    if not notes or unknown or not all(map(_dead, notes)):
        return []
    pid = _job_of(_words(held)) if held is not None and locks else None
    if held is not None and pid is not None:
        raise BusyError(
            asked=asked,
            happened=f"the run of {held['since']} was killed, and process {pid}, a job of it, still works in this folder",
            affected="nothing: no job was started",
            fix=f"wait until it has ended, or kill {pid}; then the same command again",
        )
    for path in starting:
        path.unlink(missing_ok=True)
    if not locks:
        return []
    for lock in locks:
        lock.unlink(missing_ok=True)
    release()
    left = _remove_leftovers()
    also = f", and {left} half-written files" if left else ""
    since = max(str(note["since"]) for note in notes)
    return [f"the run of {since} was killed: its lock was removed{also}"]


def end_with_the_run() -> None:
    """Let this job end as soon as the run that it belongs to has ended: a killed run leaves nobody who would want it (Linux)."""
    run = os.environ.get(RUN, "").split(" ")
    if len(run) < 3 or run[0] != socket.gethostname() or not hasattr(os, "pidfd_open"):
        return
    try:
        main = os.pidfd_open(int(run[1]))
    except (OSError, ValueError):
        return
    if _started(int(run[1])) != run[2]:
        os.close(main)
        return

    def wait() -> None:
        select.select([main], [], [])
        print("the run that this job belongs to has ended: so does the job", flush=True)
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def may_adopt(rule: str, row: str) -> bool:
    """Whether the run that works here lets this job of its own put back what it made last time."""
    try:
        return f"{rule}/{row}" in json.loads(HOLDER.read_text(encoding="utf-8"))["adoptable"]
    except (OSError, ValueError, KeyError, TypeError):
        return False


def beside() -> list[Path]:
    """Folders of the studies that the run which works here may take from; none where it was not told to."""
    try:
        return [Path(folder) for folder in json.loads(HOLDER.read_text(encoding="utf-8"))["beside"]]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def release() -> None:
    """Remove the note."""
    HOLDER.unlink(missing_ok=True)


def _remove_leftovers() -> int:
    """Remove what jobs that are no more have left half-written in the study; how many there were."""
    left = [path for path in scratch.leftovers() if ".." not in path.parts]
    for path in left:
        scratch.remove(path)
    return len(left)


def let_go() -> None:
    """Work here no more; until this process ends it is one that has begun, for Snakemake takes its lock away only then.

    The jobs have ended: what one left that was killed alone is removed.
    """
    with contextlib.suppress(OSError):
        _remove_leftovers()
    begin()
    release()


def forget_all() -> None:
    """Remove the notes of all runs, also of those that only began."""
    release()
    for path in _starting():
        path.unlink(missing_ok=True)


def holder() -> dict[str, Any] | None:
    """The run that works here, or None. A note whose process has ended (a kill, a power cut) does not count.

    Whether a process of another machine still lives cannot be asked from here: its note counts.
    """
    note = _read(HOLDER)
    if note is None or int(note["pid"]) == os.getpid():
        return None
    return note if note["host"] != socket.gethostname() or _lives(note) else None


def _busy(asked: str, note: Mapping[str, Any]) -> BusyError:
    return BusyError(
        asked=asked,
        happened=f"process {note['pid']} on {note['host']} works in this folder since {note['since']}: {note['command']}",
        affected="nothing: no job was started",
        fix="wait until it has ended, or stop it (Ctrl-C in its terminal); if that machine is gone: temper sync --force",
    )


def check_free(asked: str) -> None:
    """Refuse to start where another run works.

    Raises:
        BusyError: with its process, its command and since when.
    """
    note = holder()
    if note is not None:
        raise _busy(asked, note)
