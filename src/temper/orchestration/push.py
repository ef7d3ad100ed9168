"""One study's artifacts to a DVC remote: `dvc push`, and what is said where the remote does not take them."""

import signal

from temper.errors import ExperimentError
from temper.orchestration.dvc import dvc
from temper.orchestration.remote_keys import check_no_keys

_AFRESH = "temper.orchestration.dvc_afresh"
_INTERRUPTED = (-signal.SIGINT, 128 + signal.SIGINT, 252)  # the last is DVC's own


def push(*, remote: str | None = None) -> None:
    """Push the study in the working directory.

    Args:
        remote: its name; DVC's default one when None.

    Raises:
        ConfigError: a key stands in a file that git keeps.
        ExperimentError: DVC could not push everything; its own words are on the terminal.
    """
    check_no_keys("push this study")
    # never by a list that a killed push left cut off: it would end well, and the remote would lack what is not on it
    code = dvc("push", *([] if remote is None else ["--remote", remote]), module=_AFRESH).returncode
    if code in _INTERRUPTED:
        raise KeyboardInterrupt
    if code != 0:
        raise ExperimentError(
            asked="push this study",
            happened=f"dvc push ended with exit code {code}; what it said stands above",
            affected="nothing of the study here; the remote lacks some of it, and a pull of what it lacks is refused",
            fix="the same command again when the remote answers: it sends what is not there yet. temper verify-remote reads back "
            "what is there, and sends again what is damaged",
        )
