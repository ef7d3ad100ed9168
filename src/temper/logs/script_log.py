"""A rule's output into its log, its errors in four parts on the terminal, and no traceback for what a user can cause."""

import contextlib
import errno
import os
import re
import signal
import sys
import textwrap
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from temper.environment.memory import limit_words, memory_reason
from temper.environment.missing_module import missing_module
from temper.errors import NoMemoryError, PipelineError, StorageError

CHANGES_NO_RESULT = "it says where a job's words go"
_STORAGE = {
    errno.ENOSPC: "free some space (docs/troubleshooting.md lists what may go)",
    errno.EDQUOT: "free some of your quota",
    errno.EROFS: "mount the file system writable, or run in another folder with --directory",
    errno.EACCES: "give yourself write permission there, or run in another folder with --directory",
    errno.EPERM: "give yourself write permission there, or run in another folder with --directory",
}

CLEAR_LINE = "\r\x1b[K"  # to the line's beginning, and what stands on it is gone
OWN_WORK = "own work"  # how the last line of a log begins
WIDTH = 79  # columns of a terminal that a line takes at most: one that wrapped could not be overwritten

TRIED = "TEMPER_TRIES"  # set where a job that cannot be done is no fault: its error goes to its log, its run says so in a line
TERMINAL = "TEMPER_TERMINAL"  # the number of the terminal's stream, for the processes that a job starts
_terminal_fd = 2  # `log_to` keeps the real one here once it has redirected the process's output


def terminal_number() -> int:
    """File descriptor of the stream a person looks at; a child process inherits it where it is passed on."""
    return int(os.environ.get(TERMINAL, _terminal_fd))


@contextmanager
def terminal() -> Iterator[TextIO]:
    """The stream a person looks at, also while this process's output goes to a log.

    The line on which it says what is at work (temper/logs/job_lines.py) makes room for what is written.
    """
    with open(os.dup(terminal_number()), "w", encoding="utf-8", errors="replace") as stream:
        if stream.isatty():
            stream.write(CLEAR_LINE)
        yield stream


def say_passing(line: str) -> None:
    """Say what a job does or waits for: on a terminal the next line takes its place, in a pipe it stays; the log has it too."""
    print(line, flush=True)
    with terminal() as stream:
        if stream.isatty():
            stream.write(line if len(line) <= WIDTH else f"{line[: WIDTH - 1]}…")
        else:
            stream.write(f"{line}\n")


def say_lasting(line: str) -> None:
    """Say what a person should have read when the run is over: a line that stays, wrapped on a terminal, and in the log."""
    print(line, flush=True)
    with terminal() as stream:
        lines = textwrap.wrap(line, WIDTH, subsequent_indent="  ") if stream.isatty() else [line]
        stream.writelines(f"{part}\n" for part in lines)


def storage_error(error: Exception, asked: str) -> StorageError | None:
    """The four-part form of a full or unwritable disk; None for any other error."""
    if not isinstance(error, OSError):  # compiled libraries name the number in their text only
        number = re.search(r"\(os error (\d+)\)", str(error))
        error = OSError(int(number[1]), os.strerror(int(number[1]))) if number else OSError()
    fix = _STORAGE.get(error.errno or 0)
    if fix is None:
        return None
    return StorageError(
        asked=asked,
        happened=f"{error.strerror}{f': {error.filename}' if error.filename else ''}",
        affected="this job only; what it had begun to write was removed",
        fix=f"{fix}, then run the same command again: it goes on where it stopped",
    )


def own_work_s(logs: Sequence[str]) -> float | None:
    """How long a job worked, by the log that it left last; None where there is none, or it does not say."""
    for log in logs:
        if Path(log).is_file():
            text = Path(log).read_text(encoding="utf-8", errors="replace")
            found = re.findall(rf"^{OWN_WORK}: ([\d.]+) s$", text, re.M)
            if found:
                return float(found[-1])
    return None


def memory_error(error: Exception, asked: str) -> NoMemoryError | None:
    """The four-part form of memory that ran out; None for any other error."""
    reason = memory_reason(error)
    if reason is None:
        return None
    return NoMemoryError(
        asked=asked,
        happened="; ".join(filter(None, [f"memory ran out: {reason.strip()}", limit_words()])),
        affected="this job only; what it had begun to write was removed",
        fix="a higher limit, nothing beside it (--cores 1), or a machine with more memory; then run the same command "
        "again: it goes on where it stopped. Training, calibration and a search take less with a smaller batch in params.yaml",
    )


def _into(log: str, rule: str) -> None:
    """Let what this process prints go to its log.

    Raises:
        SystemExit: 1 where there is no room for one, which is said.
    """
    try:
        Path(log).parent.mkdir(parents=True, exist_ok=True)
        with open(log, "w", encoding="utf-8") as stream:
            os.dup2(stream.fileno(), 1)
            os.dup2(stream.fileno(), 2)
    except OSError as error:
        known = storage_error(error, f"run rule {rule}")
        if known is None:
            raise
        print(f"{type(known).__name__} in rule {rule}:{known}", file=sys.stderr, flush=True)
        raise SystemExit(1) from None


@contextmanager
def _ended_once() -> Iterator[None]:
    """Inside, the first SIGINT or SIGTERM raises KeyboardInterrupt, and none after it: a run that is ended may send a second."""
    kinds = [kind for kind in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(kind) is not signal.SIG_IGN]

    def end(*_: object) -> None:
        for kind in kinds:
            signal.signal(kind, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = {kind: signal.signal(kind, end) for kind in kinds}
    try:
        yield
    finally:
        for kind, handler in before.items():
            if signal.getsignal(kind) is end:  # else it was ended: what follows is ignored to the end of the process
                signal.signal(kind, handler)


@contextmanager
def log_to(log: str, rule: str) -> Iterator[None]:
    """Send this process's output (also that of compiled libraries) to `log`, and end it with an exit code on errors.

    Ctrl-C and SIGTERM end it as well, the first that comes: what follows while it cleans up is ignored.
    A progress line for a person still reaches the terminal through `temper.logs.progress`. The last line of a log says how
    long the job's own work took, imports included: what benchmarks/overhead.py holds the wall time against.

    Raises:
        SystemExit: 1 after an error (its message is on the terminal and in the log; of a job that is only tried in the log
            alone), 130 after Ctrl-C.
    """
    global _terminal_fd
    sys.stdout.flush()
    sys.stderr.flush()
    _terminal_fd = os.dup(2)

    def say(message: str) -> None:
        if not os.environ.get(TRIED):
            # a terminal's last line says which job is at work, and ends without a line's end
            os.write(_terminal_fd, f"{CLEAR_LINE if os.isatty(_terminal_fd) else ''}{message}\n".encode())
            if os.path.sameopenfile(2, _terminal_fd):  # there is no log yet
                return
        with contextlib.suppress(OSError):  # a log on a full disk takes nothing more, and the terminal has it
            sys.stderr.flush()
            print(message, file=sys.stderr, flush=True)

    started = time.monotonic()
    try:
        with _ended_once():  # before there is a log: who sees one may end the job
            _into(log, rule)
            yield
        print(f"{OWN_WORK}: {time.monotonic() - started:.3f} s", flush=True)
    except KeyboardInterrupt:
        say(f"{rule}: interrupted; what it had begun to write was removed")
        raise SystemExit(130) from None
    except PipelineError as error:
        # a library's words for memory that ran out, which its caller took for another fault
        told = error if isinstance(error, NoMemoryError) else memory_error(error, error.asked) or error
        say(f"{type(told).__name__} in rule {rule}:{told}")
        raise SystemExit(1) from None
    except Exception as error:
        asked, outputs = f"run rule {rule}", "this job's outputs; they were removed"
        known = storage_error(error, asked) or memory_error(error, asked) or missing_module(error, asked, outputs)
        if known is not None:
            say(f"{type(known).__name__} in rule {rule}:{known}")
        else:
            with contextlib.suppress(OSError):
                traceback.print_exc()
            say(
                f"Unforeseen error in rule {rule}:\n  asked:    run rule {rule}\n"
                f"  happened: {type(error).__name__}: {str(error).strip()[:600]}\n"
                f"  affected: {outputs}\n"
                f"  fix:      the traceback is in {log}; please report it"
            )
        raise SystemExit(1) from None
    finally:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
