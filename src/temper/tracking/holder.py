"""Who works in this folder: a run says so while it lasts, so that a second one can name the first."""

import json
import os
import socket
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from temper.artifact import canonical_json, write_text
from temper.errors import BusyError
from temper.measurement.patience import RUN

CHANGES_NO_RESULT = "it says who works in a folder"
HOLDER = Path(".snakemake/temper/running.json")


def _started(pid: int) -> str | None:
    """When a process of this machine began, in the kernel's clock ticks; None if it has ended or cannot be asked."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return None if fields[0] in "ZX" else fields[19]  # a zombie has ended; only its parent has not asked yet
    except (OSError, IndexError):
        return None


def hold(adoptable: Iterable[str] = ()) -> None:
    """Note that this process works here.

    Args:
        adoptable: 'rule/row' of the jobs that may put back what they made last time; none of a run that is told to force jobs.
    """
    content = {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "started": _started(os.getpid()),
        "since": time.strftime("%Y-%m-%d %H:%M:%S"),
        "command": " ".join(["snakemake", *sys.argv[1:]]),
        "adoptable": list(adoptable),
    }
    write_text(HOLDER, canonical_json(content))
    os.environ[RUN] = (
        f"{content['host']} {content['pid']} {content['started']} {content['since']}"  # its jobs inherit it
    )


def may_adopt(rule: str, row: str) -> bool:
    """Whether the run that works here lets this job of its own put back what it made last time."""
    try:
        return f"{rule}/{row}" in json.loads(HOLDER.read_text(encoding="utf-8"))["adoptable"]
    except (OSError, ValueError, KeyError, TypeError):
        return False


def release() -> None:
    """Remove the note."""
    HOLDER.unlink(missing_ok=True)


def holder() -> dict[str, Any] | None:
    """The run that works here, or None. A note whose process has ended (a kill, a power cut) does not count.

    Whether a process of another machine still lives cannot be asked from here: its note counts.
    """
    try:
        note: dict[str, Any] = json.loads(HOLDER.read_text(encoding="utf-8"))
        pid = int(note["pid"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if pid == os.getpid():
        return None
    if note["host"] != socket.gethostname():
        return note
    return note if note["started"] is not None and _started(pid) == note["started"] else None


def check_free(asked: str) -> None:
    """Refuse to start where another run works.

    Raises:
        BusyError: with its process, its command and since when.
    """
    note = holder()
    if note is not None:
        raise BusyError(
            asked=asked,
            happened=f"process {note['pid']} on {note['host']} works in this folder since {note['since']}: {note['command']}",
            spoiled="nothing: no job was started",
            fix="wait until it has ended, or stop it (Ctrl-C in its terminal); if that machine is gone: temper sync --force",
        )
