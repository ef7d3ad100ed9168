"""The machine's lock for measurements: two that run at once would time each other.

A scheduler may place two jobs on one node, and two people may work on one machine; neither run knows of the other. The lock is
the system's own (flock), so that it ends with the process that holds it, however that ends.
"""

import contextlib
import getpass
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from temper.logs.script_log import say_passing

FOLDER = "TEMPER_LOCK_FOLDER"  # another folder for the lock: containers that share a machine name one that they share
_NAME = "temper-measuring.lock"
_LOOK_AGAIN_S = 0.5
_SAY_AFTER_S, _SAY_AGAIN_S = 2.0, 60.0


def lock_path() -> Path:
    """Where the lock lies: TEMPER_LOCK_FOLDER; else memory that all users of this machine share; else the temporary folder."""
    shared = Path("/dev/shm")
    return Path(os.environ.get(FOLDER) or (shared if shared.is_dir() else tempfile.gettempdir())) / _NAME


def _open(path: Path) -> IO[str] | None:
    """The lock's file, for every user of the machine to read and write; None where it can be neither opened nor made."""
    with contextlib.suppress(FileExistsError, OSError):
        made = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666)
        os.fchmod(made, 0o666)  # whatever the umask: a second user would meet a closed door
        os.close(made)
    try:
        # without O_CREAT: Linux refuses that to a second user in a sticky folder (fs.protected_regular)
        return os.fdopen(os.open(path, os.O_RDWR | os.O_NOFOLLOW), "r+", encoding="utf-8")
    except OSError:
        return None


def _holder(file: IO[str]) -> str:
    """Who measures, in words."""
    try:
        file.seek(0)
        note = json.loads(file.read())
        return f"{note['what']} (process {note['pid']} of {note['user']})"
    except (OSError, ValueError, KeyError, TypeError):
        return "another measurement"


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # no entry of that number: containers
        return f"user {os.getuid()}"


@contextlib.contextmanager
def machine_to_itself(
    what: str, *, say: Callable[[str], None] = say_passing, sleep: Callable[[float], None] = time.sleep
) -> Iterator[None]:
    """Hold the machine's lock while something is timed; wait for it where another measurement has it.

    On a system without flock, and where the lock's folder cannot be written, nothing is held, and the log says so: then the
    watch over other processes is what is left (temper/measurement/watch.py).

    Args:
        what: is timed, for whoever waits: 'ort-int8 of sst2'.
        say: tells the person at the terminal for whom it waits.
        sleep: waits so many seconds.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        print("this system has no flock: no lock keeps two measurements apart", flush=True)
        yield
        return
    file = _open(lock_path())
    if file is None:
        print(f"{lock_path()} cannot be opened: no lock keeps two measurements apart", flush=True)
        yield
        return
    with file:
        waited_s, say_at_s = 0.0, _SAY_AFTER_S
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if waited_s >= say_at_s:
                    say(f"{what}: waiting for {_holder(file)} to end measuring on this machine")
                    say_at_s += _SAY_AGAIN_S
                sleep(_LOOK_AGAIN_S)
                waited_s += _LOOK_AGAIN_S
        file.seek(0)
        file.truncate()
        file.write(json.dumps({"what": what, "pid": os.getpid(), "user": _user()}))
        file.flush()
        try:
            yield
        finally:
            file.seek(0)
            file.truncate()
            file.flush()
            fcntl.flock(file, fcntl.LOCK_UN)
