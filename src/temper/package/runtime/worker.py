"""The process that holds the model while it is served: the one that serves may lose it, and start another.

It takes calls from a pipe, one after the other, and answers each with its logits or with what went wrong.
"""

import signal
import sys
from multiprocessing.connection import Connection
from typing import Any

from .errors import PackageError
from .model import load

READY, FAILED = "ready", "failed"


def main(descriptor: int, folder: str, shapes: list[tuple[int, int]]) -> None:
    """Serve calls until the pipe ends.

    Args:
        descriptor: of the pipe's end.
        folder: of the package.
        shapes: rows and tokens of the calls that warm it up.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that serves: it drains first
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    pipe = Connection(descriptor)
    try:
        model = load(folder)
        for rows, tokens in shapes:
            model.warm_up(rows, tokens)
        model.warm_up_shapes()
    except PackageError as error:
        _send(pipe, FAILED, (error.asked, error.happened, error.affected, error.fix))
        return
    with model:
        there = _send(pipe, READY, None)
        while there:
            try:
                inputs = pipe.recv()
            except (EOFError, OSError):
                return
            try:
                answered: tuple[str, Any] = READY, model.infer(inputs)
            except Exception as error:  # the next call may well succeed
                why = f"{type(error).__name__}: {error}"
                answered = FAILED, ("answer a batch", why, "this batch", "see the log")
            there = _send(pipe, *answered)


def _send(pipe: Connection, kind: str, said: Any) -> bool:
    """Whether the process that serves is there to be told: one that was ended while the model was loaded is not."""
    try:
        pipe.send((kind, said))
    except OSError:
        return False
    return True


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], [(int(pair.split("x")[0]), int(pair.split("x")[1])) for pair in sys.argv[3:]])
