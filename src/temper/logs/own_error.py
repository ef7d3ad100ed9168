"""What stands at the end of a job's log where the job has said itself why it failed."""

import re
from collections.abc import Sequence
from pathlib import Path

# as `log_to` writes it, and nobody else; what libraries say while the process ends comes behind it
_ERROR = re.compile(
    r"^[A-Z]\w*(?: error)? in rule \w+:\n *asked: .*\n(?:.*\n)*? *happened: +(?P<happened>.+)$", re.MULTILINE
)
INTERRUPTED = "interrupted"  # what happened to a job that its run ended
_INTERRUPTED = re.compile(r"^\w+: interrupted; ", re.MULTILINE)
_TAIL = (
    50_000  # letters at the end of a log among which the error stands: four parts of 1,200 at most, and what is behind
)


def happened(logs: Sequence[str | Path], since: float = 0.0) -> str | None:
    """What happened, by the error in four parts at the end of a log.

    Args:
        logs: of one job.
        since: when it began, seconds of time.time(): an older log is of a job before it.

    Returns:
        The first line of that part; None where the job was ended before it could say anything.
    """
    for log in map(Path, logs):
        try:
            if log.stat().st_mtime < since:
                continue
            text = log.read_text(encoding="utf-8", errors="replace")[-_TAIL:]
        except OSError:
            continue
        found = list(_ERROR.finditer(text))
        if found:
            return found[-1]["happened"].strip()
        if _INTERRUPTED.search(text):
            return INTERRUPTED
    return None
