"""A command that is told to end cleans up behind itself first."""

import contextlib
import signal
from collections.abc import Iterator
from typing import Any


class Ended(KeyboardInterrupt):
    """SIGTERM, as Ctrl-C would have been."""


@contextlib.contextmanager
def cleaning_up() -> Iterator[None]:
    """Inside, SIGTERM raises `Ended`, so that what stands half-written is removed; Python by itself would just end."""

    def end(*_: Any) -> None:
        raise Ended

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
