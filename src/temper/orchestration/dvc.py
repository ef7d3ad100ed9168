"""DVC as a command: the one of this Python environment, with `temper` on the path of the stages it runs."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from temper.environment import own_process
from temper.errors import ExperimentError

_BRACES = frozenset("{}")
_TORN = "Unable to read RWLock-file"  # DVC's words of a list that cannot be read
_LOOKS, _PAUSE_S = 5, 0.2  # at a list that cannot be read, before it counts as torn


# s3fs asks five times itself, and each time botocore did so too, with a pause that doubles: 40 s for each of some hundred objects
# of a remote that is gone. What a person sets stands.
S3_ATTEMPTS = {"AWS_MAX_ATTEMPTS": "2"}


def environment() -> dict[str, str]:
    """This process's environment with the Python environment's commands first on the path."""
    here = str(Path(sys.executable).parent)
    more = {name: value for name, value in S3_ATTEMPTS.items() if name not in os.environ}
    return own_process.environment(PATH=os.pathsep.join([here, os.environ.get("PATH", "")]), **more)


def dvc(*arguments: str, module: str = "dvc", **options: Any) -> "subprocess.CompletedProcess[str]":
    """Run a DVC command in the working directory and wait for it; its output goes where `options` say.

    Args:
        arguments: its own.
        module: what runs it.
    """
    command = own_process.python_command("-m", module, *arguments)
    return subprocess.run(command, env=environment(), text=True, check=False, **options)


def remove_torn_lock() -> str | None:
    """Remove DVC's list of locked paths where a kill left it cut off: DVC, which does not write it whole, refuses to run.

    The repository is the one around the working directory. A list that is being written at this moment is whole soon after.

    Returns:
        The path that was removed; None where there is no such list, or it can be read.
    """
    here = Path.cwd()
    path = next((at / ".dvc/tmp/rwlock" for at in (here, *here.parents) if (at / ".dvc").is_dir()), None)
    if path is None:
        return None
    for _ in range(_LOOKS):
        try:
            json.loads(path.read_text(encoding="utf-8"))
            return None
        except FileNotFoundError:
            return None
        except ValueError:
            time.sleep(_PAUSE_S)
    path.unlink(missing_ok=True)
    return os.path.relpath(path)


def refuse_braces() -> None:
    """Refuse a cache whose path holds { or }: DVC formats that path in a line of progress, after the jobs, and ends in `'name'`.

    The repository is the one around the working directory.

    Raises:
        ExperimentError: it does.
    """
    if not _BRACES.intersection(str(Path.cwd())):
        return
    cache = dvc("cache", "dir", capture_output=True).stdout.strip()
    if _BRACES.intersection(cache):
        raise ExperimentError(
            asked=f"let DVC run stages, with its cache in {cache}",
            happened="DVC takes { and } in that path for a place to fill in, and would end after the first job that it ran",
            affected="nothing: no job was started",
            fix="move the checkout to a path without { and }; or keep the cache elsewhere: dvc cache dir --local FOLDER",
        )


def last_words(done: "subprocess.CompletedProcess[str]", most: int = 600) -> str:
    """The end of what a command said before it failed; of one that was killed and said nothing, how it ended."""
    said = (done.stderr.strip() or done.stdout.strip())[-most:]
    if said:
        return said
    if done.returncode < 0:
        return f"it was ended by signal {signal.Signals(-done.returncode).name}, without a word"
    return f"it ended with exit code {done.returncode}, without a word"


def ask_dvc(*arguments: str, affected: str, fix: str) -> str:
    """Standard output of a DVC command that has to succeed.

    Raises:
        ExperimentError: with what DVC said, `affected` and `fix`.
    """
    done = dvc(*arguments, capture_output=True)
    if done.returncode != 0 and _TORN in done.stderr and (torn := remove_torn_lock()) is not None:
        print(f"{torn}, which a killed DVC had left cut off, was removed", flush=True)
        done = dvc(*arguments, capture_output=True)
    if done.returncode != 0:
        refuse_braces()
        raise ExperimentError(
            asked=f"dvc {' '.join(arguments)}",
            happened=last_words(done),
            affected=affected,
            fix=fix,
        )
    return done.stdout
