"""One of several processes that take a server's requests: rows are encoded here, and answered by the process that started it."""

import asyncio
import contextlib
import itertools
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .batching import TooMany, Values
from .described import Package
from .engine import Lost
from .errors import PackageError
from .http import application
from .listening import http_server
from .metrics import Requests
from .options import KEY
from .service import Limits, Service, log
from .wire import framed, receive

COUNTS_S = 0.2  # between what is told of requests
UP, ROWS, GONE, COUNTS, METRICS = "up", "rows", "gone", "counts", "metrics"  # what this process says
STATE, ANSWERS = "state", "answers"  # what it is told
LOST, MANY, FAILED = "lost", "many", "failed"  # instead of logits


@dataclass
class _Asked:
    done: "asyncio.Future[npt.NDArray[np.float32]]"
    count: int
    rows: dict[int, npt.NDArray[np.float32]] = field(default_factory=dict)


def _error(why: Sequence[Any]) -> Exception:
    kind, *facts = why
    if kind == MANY:
        return TooMany(*facts)
    if kind == FAILED:
        asked, happened, affected, fix = facts
        return PackageError(asked=asked, happened=happened, affected=affected, fix=fix)
    return Lost()


class Remote:
    """The model behind another process; attributes as of `service.Answering`.

    Rows of all requests that came in one turn of the event loop go out in one message.
    """

    def __init__(self, most_waiting: int, ended: Callable[[], None]) -> None:
        """Wait for `run`.

        Args:
            most_waiting: rows that may wait there.
            ended: is called when the other process has gone.
        """
        self.ready, self.most_waiting = False, most_waiting
        self.failure: str | None = None
        self.requests = Requests()
        self._ended, self._numbers = ended, itertools.count()
        self._asked: dict[int, _Asked] = {}
        self._texts: dict[int, asyncio.Future[bytes]] = {}
        self._out: list[tuple[int, Values, Sequence[int]]] = []
        self._writer: asyncio.StreamWriter | None = None

    def _send(self, *message: Any) -> None:
        if self._writer is not None:
            self._writer.writelines(framed(message))

    async def run(self, own: socket.socket) -> None:
        """Hand answers over until the other process ends, or this task is cancelled."""
        reader, self._writer = await asyncio.open_connection(sock=own)
        self._send(UP)
        counting = asyncio.create_task(self._tell())
        try:
            while True:
                self._take(await receive(reader))
        except (EOFError, OSError):
            self.ready = False
            for asked in self._asked.values():
                if not asked.done.done():
                    asked.done.set_exception(Lost())
            self._ended()
        finally:
            counting.cancel()
            self._writer.close()

    async def _tell(self) -> None:
        while True:
            await asyncio.sleep(COUNTS_S)
            self._counts()

    def _counts(self) -> None:
        if self.requests.statuses:
            self._send(COUNTS, self.requests)
            self.requests = Requests()

    def _take(self, message: Sequence[Any]) -> None:
        kind, *facts = message
        if kind == STATE:
            self.ready, self.failure = facts
        elif kind == METRICS:
            number, text = facts
            self._texts.pop(number).set_result(text)
        else:
            for number, rows, found in facts[0]:
                self._answered(number, rows, found)

    def _answered(self, number: int, rows: Sequence[int] | None, found: Any) -> None:
        asked = self._asked.get(number)
        if asked is None or asked.done.done():
            return
        if rows is None:
            asked.done.set_exception(_error(found))
            return
        asked.rows.update(zip(rows, found, strict=True))
        if len(asked.rows) == asked.count:
            asked.done.set_result(np.stack([asked.rows[row] for row in range(asked.count)]))

    async def submit(self, values: Values, lengths: Sequence[int]) -> npt.NDArray[np.float32]:
        """Logits of encoded rows; as of `Batcher.submit`.

        Raises:
            TooMany: too many rows wait there.
            Lost: the model's process ended before it answered.
            PackageError: the call failed.
        """
        if not self.ready:
            raise Lost
        loop, number = asyncio.get_running_loop(), next(self._numbers)
        asked = self._asked[number] = _Asked(loop.create_future(), len(lengths))
        if not self._out:
            loop.call_soon(self._flush)
        self._out.append((number, values, lengths))
        try:
            return await asked.done
        finally:
            del self._asked[number]
            if asked.done.cancelled():
                self._send(GONE, [number])

    def _flush(self) -> None:
        out, self._out = self._out, []
        first = out[0][1]
        if next(iter(first.values()))[0].ndim == 1:  # of texts: tokens end to end, one array for an input
            values: Any = {name: np.concatenate([row for _, own, _ in out for row in own[name]]) for name in first}
        else:
            values = {name: [row for _, own, _ in out for row in own[name]] for name in first}
        self._send(ROWS, [(number, list(lengths)) for number, _, lengths in out], values)

    async def metrics_text(self) -> bytes:
        """What /metrics answers, from the process that has all counts."""
        number = next(self._numbers)
        future = self._texts[number] = asyncio.get_running_loop().create_future()
        self._counts()
        self._send(METRICS, number)
        return await asyncio.wait_for(future, 5)


def main(descriptor: int, listening: int, settings: dict[str, Any]) -> None:
    """Take requests until SIGTERM, or until the process behind the pipe has gone.

    Args:
        descriptor: of the pipe's end.
        listening: of a socket that listens.
        settings: folder, body_bytes, rows, timeout_s, most_waiting, say.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that started this one
    package = Package(Path(settings["folder"]), verify_model=False)
    limits = Limits(settings["body_bytes"], settings["rows"], settings["timeout_s"])
    own = socket.socket(fileno=descriptor)

    def ended() -> None:
        server.should_exit = True

    remote = Remote(settings["most_waiting"], ended)
    app = application(Service(package, remote, limits, key=os.environ.get(KEY) or None, say=settings["say"]))

    @contextlib.asynccontextmanager
    async def lifespan(_: Any) -> AsyncIterator[None]:
        running = asyncio.create_task(remote.run(own))
        yield
        running.cancel()

    server = http_server(app, lifespan)
    server.run(sockets=[socket.socket(fileno=listening)])


if __name__ == "__main__":
    try:
        main(int(sys.argv[1]), int(sys.argv[2]), json.loads(sys.argv[3]))
    except PackageError as failure:
        log("process not started", why=f"{failure.asked}: {failure.happened}; {failure.fix}")
        sys.exit(1)
