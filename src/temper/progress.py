"""A progress bar on the terminal, while the rule's own output goes to its log."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

from temper.script_log import terminal

Item = TypeVar("Item")


def progress(items: Iterable[Item], *, total: int, description: str) -> Iterator[Item]:
    """Yield the items while a bar on the terminal counts them; ten plain lines where the terminal is a file or pipe."""
    with terminal() as stream:
        if not stream.isatty():
            for number, item in enumerate(items, start=1):
                yield item
                if number * 10 // total != (number - 1) * 10 // total:
                    print(f"{description}: {number}/{total}", file=stream, flush=True)
            return
        from rich.console import Console
        from rich.progress import track

        yield from track(items, description, total=total, console=Console(file=stream))
