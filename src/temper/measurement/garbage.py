"""Garbage collection left off while calls are timed: it would fall on whichever candidate happens to be running."""

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def no_garbage_collection() -> Iterator[None]:
    """What there is to collect is collected first; afterwards collection is on or off as it was before."""
    was_enabled = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
