"""The processes of a run's jobs, and the signal that ends them, where it reached the run alone.

Ctrl-C in a terminal reaches every process of the run; `kill -INT PID`, and what a service manager or a scheduler sends, only
the one. A job takes the first of the two and ignores what follows (temper/logs/script_log.py), so it may get both.
"""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from temper.logs import job_lines

Handler = Callable[[int, Any], None]
_ending: Handler | None = None  # what SIGTERM calls while a run works in this process
_SHELLS = ("sh", "bash", "dash", "zsh")  # what Snakemake starts a job by; it waits for the job
_PAUSE_S = 0.3  # the terminal's own comes first


def _children() -> dict[int, list[tuple[int, str]]]:
    """Process numbers and names by their parent's number; nothing where the system has no /proc."""
    found: dict[int, list[tuple[int, str]]] = {}
    for place in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = place.read_text(errors="replace")
        except OSError:  # it has ended
            continue
        name, _, rest = text.partition("(")[2].rpartition(")")
        found.setdefault(int(rest.split()[1]), []).append((int(place.parent.name), name))
    return found


def job_processes(parent: int) -> list[int]:
    """Numbers of the processes that work for a run: its children, and those of the shells among them.

    Args:
        parent: number of the run's process.
    """
    children = _children()
    found: list[int] = []
    queue = [parent]
    while queue:
        for number, name in children.get(queue.pop(), ()):
            if name in _SHELLS and number in children:
                queue.append(number)
            else:
                found.append(number)
    return found


@contextlib.contextmanager
def ending_by(end: Handler) -> Iterator[None]:
    """Inside, Ctrl-C and SIGTERM call a function, but for those that were ignored before.

    Of a shell's job in the background SIGINT is: that Ctrl-C is meant for another.
    """
    global _ending
    kinds = [kind for kind in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(kind) is not signal.SIG_IGN]
    before = {kind: signal.signal(kind, end) for kind in kinds}
    _ending = end if signal.SIGTERM in kinds else None
    try:
        yield
    finally:
        _ending = None
        for kind, handler in before.items():
            signal.signal(kind, handler)


def listen_again() -> None:
    """Put the function of `ending_by` back in its place: Snakemake's scheduler has one of its own, by which SIGTERM waits for the
    running jobs. Nothing where there is none."""
    if _ending is not None:
        signal.signal(signal.SIGTERM, _ending)


@contextlib.contextmanager
def ended_with_this_run(begun: threading.Event, kind: signal.Signals = signal.SIGTERM) -> Iterator[None]:
    """Inside, every job gets a signal once, as soon as the run itself is being ended.

    Args:
        begun: is set when that begins.
        kind: the signal; a shell's job in the background has SIGINT ignored, and so have its children.
    """
    over = threading.Event()

    def tell() -> None:
        told: set[int] = set()
        begun.wait()
        while not over.wait(_PAUSE_S):
            for number in set(job_processes(os.getpid())) - told:
                told.add(number)
                with contextlib.suppress(OSError):
                    os.kill(number, kind)

    thread = threading.Thread(target=tell, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        begun.set()
        thread.join()


@contextlib.contextmanager
def interrupts() -> Iterator[list[float]]:
    """Ctrl-C or SIGTERM inside: the first ends the run and its jobs, also where it reached this process alone; the second only
    says that it is being ended, the third leaves at once.

    Yields:
        When each came, seconds of the monotonic clock.
    """
    found: list[float] = []
    begun = threading.Event()

    def end(kind: int, _: Any) -> None:
        if kind == signal.SIGTERM and found and time.monotonic() - found[0] < 2:
            return  # of a run of several studies, which hands on what the terminal sent to all
        found.append(time.monotonic())
        begun.set()
        if len(found) == 1:
            if job_lines.shown is not None:
                job_lines.shown.interrupt()
            raise KeyboardInterrupt
        if len(found) == 2:
            os.write(2, b"the jobs are being ended; Ctrl-C once more leaves at once\n")
            return
        os._exit(130)  # the jobs end with their parent

    with ending_by(end), ended_with_this_run(begun):
        yield found
