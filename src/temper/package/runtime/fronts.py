"""Several processes that take requests, in front of the one that forms the model's calls.

One Python process answers a few thousand requests a second, whatever the model takes: a GPU waits for it then. Here each of
several has the address's own socket (SO_REUSEPORT: the kernel shares connections out), reads, tokenises and writes; rows come
from all of them into the same calls.
"""

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .batching import Request, TooMany
from .engine import RETRY_S, Lost
from .errors import PackageError
from .front import ANSWERS, COUNTS, FAILED, GONE, LOST, MANY, METRICS, ROWS, STATE, UP
from .listening import BACKLOG, DRAIN_S
from .options import KEY
from .service import Local
from .wire import framed, receive

START_S = 60
MOST = 8  # that are started by themselves
Say = Callable[..., None]


def _why(error: Exception) -> tuple[Any, ...]:
    if isinstance(error, Lost):
        return (LOST,)
    if isinstance(error, TooMany):
        return MANY, error.retry_s
    if isinstance(error, PackageError):
        return FAILED, error.asked, error.happened, error.affected, error.fix
    return FAILED, "answer a batch", f"{type(error).__name__}: {error}", "this batch", "see the log"


class _Front:
    """One process: its requests by their numbers, and what it is told next."""

    def __init__(self, process: "subprocess.Popen[bytes]", writer: asyncio.StreamWriter) -> None:
        self.process, self.writer = process, writer
        self.requests: dict[int, Request] = {}
        self._out: list[tuple[int, list[int] | None, Any]] = []

    def send(self, *message: Any) -> None:
        """Write a message."""
        self.writer.writelines(framed(message))

    def reply(self, number: int, rows: list[int] | None, found: Any) -> None:
        """Tell it logits of rows, or why there are none; with what else comes in this turn of the event loop."""
        if not self._out:
            asyncio.get_running_loop().call_soon(self._flush)
        self._out.append((number, rows, found))

    def _flush(self) -> None:
        out, self._out = self._out, []
        if not self.writer.is_closing():
            self.send(ANSWERS, out)


class Fronts:
    """All of them."""

    def __init__(
        self,
        local: Local,
        address: tuple[Any, ...],
        family: int,
        settings: Mapping[str, Any],
        key: str | None,
        say: Say,
    ) -> None:
        """Start none yet.

        Args:
            local: forms and answers the calls.
            address: that they listen on; it is held by a socket with SO_REUSEPORT.
            family: of it.
            settings: of `front.main`.
            key: that callers have to give.
            say: logs an event with its facts.
        """
        self._local, self._address, self._family = local, address, family
        self._settings, self._say = json.dumps(settings), say
        self._env = {name: value for name, value in os.environ.items() if name != KEY} | ({KEY: key} if key else {})
        root = Path(__file__).resolve().parents[len(str(__package__).split("."))]
        self._env["PYTHONPATH"] = os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH")]))
        self._fronts: dict[int, _Front] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._ending = False

    async def start(self, count: int) -> None:
        """Start so many, and wait until each takes requests.

        Raises:
            PackageError: one ended, or was not ready in time.
        """
        ups = [asyncio.get_running_loop().create_future() for _ in range(count)]
        self._tasks = [asyncio.create_task(self._keep(number, up)) for number, up in enumerate(ups)]
        try:
            async with asyncio.timeout(START_S):
                started = await asyncio.gather(*ups)
        except TimeoutError:
            started = [False]
        if not all(started):
            raise PackageError(
                asked=f"start {count} processes that take requests",
                happened="one ended, or was not ready in time: what it said stands above",
                affected="the server; it was not started",
                fix="start fewer with --processes; 1 takes requests in the server's own process",
            )

    def _started(self) -> tuple["subprocess.Popen[bytes]", socket.socket]:
        own, theirs = socket.socketpair()
        listening = socket.socket(self._family, socket.SOCK_STREAM)
        with theirs, listening:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            listening.bind(self._address)
            listening.listen(BACKLOG)
            descriptors = theirs.fileno(), listening.fileno()
            command = [sys.executable, "-m", f"{__package__}.front", *map(str, descriptors), self._settings]
            process = subprocess.Popen(command, pass_fds=descriptors, env=self._env, stdin=subprocess.DEVNULL)
        return process, own

    async def _keep(self, number: int, up: "asyncio.Future[bool]") -> None:
        """One process, and another where it is lost."""
        attempt = 0
        while True:
            process, own = self._started()
            reader, writer = await asyncio.open_connection(sock=own)
            front = self._fronts[number] = _Front(process, writer)
            with contextlib.suppress(EOFError, OSError):
                while True:
                    message = await receive(reader)
                    if message[0] == UP:
                        self._tell(front)
                        attempt = 0
                        if not up.done():
                            up.set_result(True)
                    else:
                        self._take(front, *message)
            self._local.batcher.drop(list(front.requests.values()))
            writer.close()
            code = await asyncio.to_thread(process.wait)
            if not up.done():
                up.set_result(False)
            if self._ending:
                return
            self._say("process lost", takes="requests", code=code)
            await asyncio.sleep(RETRY_S[min(attempt, len(RETRY_S) - 1)])
            attempt += 1

    def changed(self) -> None:
        """Tell all of them whether the model takes calls."""
        for front in self._fronts.values():
            if not front.writer.is_closing():
                self._tell(front)

    def _tell(self, front: _Front) -> None:
        front.send(STATE, self._local.ready, self._local.failure)

    def _take(self, front: _Front, kind: str, *facts: Any) -> None:
        if kind == ROWS:
            self._rows(front, *facts)
        elif kind == COUNTS:
            self._local.requests.add(facts[0])
        elif kind == METRICS:
            task = asyncio.create_task(self._metrics(front, facts[0]))
            self._tasks.append(task)
            task.add_done_callback(self._tasks.remove)
        elif kind == GONE:
            found = [front.requests.pop(number, None) for number in facts[0]]
            self._local.batcher.drop([request for request in found if request is not None])

    async def _metrics(self, front: _Front, number: int) -> None:
        text = await self._local.metrics_text()
        front.send(METRICS, number, text)

    def _rows(self, front: _Front, asked: Sequence[tuple[int, list[int]]], values: Mapping[str, Any]) -> None:
        ends_to_end = isinstance(next(iter(values.values())), np.ndarray)
        row = token = 0
        for number, lengths in asked:
            own: dict[str, list[Any]] = {name: [] for name in values}
            for length in lengths:
                part = slice(token, token + length)
                for name, whole in values.items():
                    own[name].append(whole[part] if ends_to_end else whole[row])
                row, token = row + 1, token + length
            self._enqueue(front, number, own, lengths)

    def _enqueue(self, front: _Front, number: int, values: dict[str, list[Any]], lengths: list[int]) -> None:
        missing = len(lengths)

        def answered(rows: list[int], logits: Any) -> None:
            nonlocal missing
            missing -= len(rows)
            if not missing:
                front.requests.pop(number, None)
            front.reply(number, rows, logits)

        def failed(error: Exception) -> None:
            front.requests.pop(number, None)
            front.reply(number, None, _why(error))

        request = front.requests[number] = Request(values, answered, failed)
        try:
            self._local.batcher.enqueue(request, lengths)
        except TooMany as error:
            failed(error)

    async def stop(self) -> None:
        """Let each answer what it accepted, and end."""
        self._ending = True
        for front in self._fronts.values():
            with contextlib.suppress(ProcessLookupError):
                front.process.send_signal(signal.SIGTERM)
        if self._tasks:
            _, left = await asyncio.wait(self._tasks, timeout=DRAIN_S + 5)
            for front in self._fronts.values():
                front.process.kill()
            for task in left:
                task.cancel()
