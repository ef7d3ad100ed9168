"""A server as a process of a load test: started with a log of its own, ended with it."""

import contextlib
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from temper.errors import LoadTestError
from temper.load_test.summary import SPOILED

READY_S, LOOK_S = 120.0, 0.05
LAST_LINES = 4


@contextlib.contextmanager
def running(
    command: Sequence[str], environment: Mapping[str, str], log: Path, *, end_s: float
) -> Iterator["subprocess.Popen[bytes]"]:
    """The process; when the context is left it is told to end, and killed where it does not within `end_s` seconds."""
    with open(log, "wb") as said:
        process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(end_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def not_ready(log: Path, asked: str) -> LoadTestError:
    """The error of a server that ended, or was not ready in time; with its last words."""
    last = " ".join(" ".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-LAST_LINES:]).split())
    return LoadTestError(
        asked=asked,
        happened=f"the server was not ready within {READY_S:g} s; it last said: {last[:600] or 'nothing'}",
        affected=SPOILED,
        fix="what it said names what is wrong; temper serve starts a package's own server by itself",
    )
