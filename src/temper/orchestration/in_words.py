"""What Snakemake says by itself of a full disk, and of a job that a signal ended, in four parts."""

import errno
import logging
import os
import re
import signal
import sys

from temper.environment.memory import limit_words
from temper.errors import EndedError, NoMemoryError, PipelineError
from temper.logs.script_log import storage_error
from temper.measurement.memory_kills import memory_kills

ALOUD = (
    "TEMPER_SAYS_ALOUD"  # where Snakemake is told to be quiet of everything: a job that is killed says nothing itself
)
_ENDED = re.compile(  # by itself, or as the shell around it counts it
    r"\nCommand '.*' (?:died with <Signals\.(?P<name>SIG\w+): \d+>|returned non-zero exit status (?P<code>1[2-9]\d))\.",
    re.DOTALL,
)
_SCRIPT = re.compile(r"\.snakemake/scripts/\w+\.(?P<rule>\w+)\.py")
_ON_PURPOSE = ("SIGINT", "SIGTERM", "SIGHUP", "SIGPIPE")  # who sends one knows it
_SAME_AGAIN = "then run the same command again: it goes on where it stopped"
_AFFECTED = "this job only: nothing of it counts as made, and the next run removes what it left"


def _signal(found: "re.Match[str]") -> str | None:
    if found["name"]:
        return found["name"]
    try:
        return signal.Signals(int(found["code"]) - 128).name
    except ValueError:
        return None


def how_it_ended(said: str, kills_before: int | None) -> PipelineError | None:
    """Why a job is no more, by what Snakemake says; None where no signal ended it.

    Args:
        said: Snakemake's words.
        kills_before: what the system's memory killer had counted before the job began.
    """
    found = _ENDED.search(said)
    script = _SCRIPT.search(said)
    name = _signal(found) if found is not None else None
    if script is None or name is None or name in _ON_PURPOSE:
        return None
    asked, limit, kills = f"run rule {script['rule']}", limit_words(), memory_kills()
    if name == "SIGKILL" and kills != kills_before:
        return NoMemoryError(
            asked=asked,
            happened="memory ran out: the system's memory killer ended the job's process (SIGKILL)",
            affected=_AFFECTED,
            fix=f"more memory for it (a higher limit, --cores 1 so that nothing is beside it, another machine), {_SAME_AGAIN}",
        )
    if name == "SIGKILL":
        who = "and no memory killer of the system counts it: a person, a batch system or a memory daemon did it"
        return EndedError(
            asked=asked,
            happened=f"the job's process was killed (SIGKILL), {who if kills is not None else 'and the system does not say why'}",
            affected=_AFFECTED,
            fix=f"see who ends processes here (a limit of the batch system, systemd-oomd, earlyoom), {_SAME_AGAIN}",
        )
    fix = "a higher limit" if limit else "the last lines of its log say where; try another version of the library"
    return EndedError(
        asked=asked,
        happened=f"a library crashed: the job's process ended with signal {name}"
        + (f"; {limit}, and many libraries crash where it is reached" if limit else ""),
        affected=_AFFECTED,
        fix=f"{fix}, {_SAME_AGAIN}",
    )


def _own_lack(said: str) -> NoMemoryError | None:
    """The four parts of memory that ran out in the run's own process; None where Snakemake says something else."""
    if "asked:" in said or not any(words in said for words in ("MemoryError", os.strerror(errno.ENOMEM))):
        return None
    return NoMemoryError(
        asked="run this study",
        happened="; ".join(filter(None, ["memory ran out in the run's own process", limit_words()])),
        affected="no artifact: what jobs had finished is whole, and nothing else counts as made",
        fix=f"a higher limit, or less beside it on this machine, {_SAME_AGAIN}",
    )


_WRAPPED = re.compile(  # what a file of rules raised: Snakemake puts its place before it, and behind
    r'\A(?:Workflow|Rule)\w+ in file [^\n]*, line \d+:\n(?P<error>\w+:\n\s+asked: .*?)(?:\n  File "[^\n]*)*\s*\Z',
    re.DOTALL,
)


def unwrapped(said: str) -> str:
    """An error in four parts without Snakemake's words around it; anything else as it is."""
    found = _WRAPPED.match(said)
    return found["error"] if found else said


class _InWords(logging.Filter):
    """Puts Snakemake's words into four parts where it would show a traceback, or a command that died."""

    def __init__(self) -> None:
        super().__init__()
        self._kills = memory_kills()

    def filter(self, record: logging.LogRecord) -> bool:
        said = str(record.msg)
        if getattr(record, "rule_name", None) and "Error" not in said:  # a job is about to start
            self._kills = memory_kills()
        known: PipelineError | None = how_it_ended(said, self._kills) or _own_lack(said)
        if os.strerror(errno.ENOSPC) in said and "asked:" not in said:
            known = storage_error(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), "run this study")
        if known is not None:
            record.msg, record.args = f"{type(known).__name__}:{known}", ()
            if os.environ.get(ALOUD):
                print(record.msg, file=sys.stderr, flush=True)
        elif (error := unwrapped(said)) != said:
            record.msg, record.args = error, ()
        return True


def speak() -> None:
    """Let Snakemake's own messages be in four parts."""
    # Snakemake's own log may lie on a full disk, too: Python would tell of each line it lacks
    logging.raiseExceptions = False
    logger = logging.getLogger("snakemake.logging")
    if not any(isinstance(each, _InWords) for each in logger.filters):
        logger.addFilter(_InWords())
