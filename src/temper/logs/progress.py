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
    items: Iterable[Item], *, total: int, description: str, clock: Callable[[], float] = time.monotonic
) -> Iterator[Item]:
    """Yield the items while a line on the terminal counts them: '3,120 of 12,500 (25 %), about 40 s left'.

    The line is overwritten and gone at the end. Where the terminal is a file or pipe, a line is left every half minute.
    """
    with terminal() as stream:
        overwrites = stream.isatty()
        began = said = clock()
        if overwrites:
            _draw(stream, _line(description, 0, total, 0.0))
        for number, item in enumerate(items, start=1):
            yield item
            now = clock()
            if now - said < (REDRAWN_S if overwrites else SILENCE_S):
                continue
            said, line = now, _line(description, number, total, now - began)
            if overwrites:
                _draw(stream, line)
            else:
                print(line, file=stream, flush=True)
        if overwrites:
            _draw(stream, "")


def _draw(stream: TextIO, line: str) -> None:
    stream.write(f"{CLEAR_LINE}{line}")
    stream.flush()


def _line(description: str, number: int, total: int, seconds: float) -> str:
    left = f", about {seconds / number * (total - number):.0f} s left" if 0 < number < total else ""
    return f"{description}: {number:,} of {total:,} ({100 * number // max(total, 1)} %){left}"
