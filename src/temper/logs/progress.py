"""How far a long loop is, on the terminal, while the rule's own output goes to its log."""

import time
from collections.abc import Callable, Iterable, Iterator
from typing import TextIO, TypeVar

from temper.logs.script_log import CLEAR_LINE, terminal

CHANGES_NO_RESULT = "it counts on the terminal"
Item = TypeVar("Item")
REDRAWN_S = 0.1  # how often the line on a terminal is written anew
SILENCE_S = 30.0  # how often a pipe gets a line


def progress(
    items: Iterable[Item],
    *,
    total: int,
    description: str,
    done: int = 0,
    beside: Callable[[], str] = str,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Item]:
    """Yield the items while a line on the terminal counts them: '3,120 of 12,500 (25 %), about 40 s left'.

    The line is overwritten and gone at the end. Where the terminal is a file or pipe, a line is left every half minute.

    Args:
        items: what is looped over.
        total: how many there are, those that were done before included.
        description: what it does.
        done: how many were done before, of which `items` has none.
        beside: what else is said, such as the loss; asked when a line is written.
        clock: seconds, from any moment on.
    """
    with terminal() as stream:
        overwrites = stream.isatty()
        began = said = clock()
        if overwrites:
            _draw(stream, _line(description, done, total, "", None))
        for number, item in enumerate(items, start=done + 1):
            yield item
            now = clock()
            if now - said < (REDRAWN_S if overwrites else SILENCE_S):
                continue
            said, line = now, _line(description, number, total, beside(), (now - began) / (number - done))
            if overwrites:
                _draw(stream, line)
            else:
                print(line, file=stream, flush=True)
        if overwrites:
            _draw(stream, "")


def _draw(stream: TextIO, line: str) -> None:
    stream.write(f"{CLEAR_LINE}{line}")
    stream.flush()


def _line(description: str, number: int, total: int, beside: str, each_s: float | None) -> str:
    left = "" if each_s is None or number >= total else f", about {duration(each_s * (total - number))} left"
    more = f", {beside}" if beside else ""
    return f"{description}: {number:,} of {total:,} ({100 * number // max(total, 1)} %){more}{left}"


def duration(seconds: float) -> str:
    """'8 s', '1 min 52 s', '2 h 5 min'."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
