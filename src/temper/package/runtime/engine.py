"""The model's process as the server sees it: started, asked, and started again where it was lost.

Calls go to it and come back on the event loop itself. A thread that waits for a pipe has to have the interpreter's lock twice
in a call, and a busy event loop gives it away every 5 ms only: the model would stand still meanwhile.
"""

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import PackageError
from .packing import Tensors
from .wire import framed, receive
from .worker import READY

RETRY_S = (0.0, 0.5, 1.0, 2.0, 5.0)  # between starts that fail, the last from then on
END_S = 5  # until a process that was told to end is killed


class Lost(Exception):
    """The model's process ended before it answered."""


def _value(message: tuple[str, Any]) -> Any:
    """What a message brings.

    Raises:
        PackageError: that something went wrong.
    """
    state, value = message
    if state != READY:
        asked, happened, affected, fix = value
        raise PackageError(asked=asked, happened=happened, affected=affected, fix=fix)
    return value


class Engine:
    """One process with the model in it. Calls are answered in their order.

    Attributes:
        ready: whether it takes calls.
        starts: how often a process was started.
        failure: why the last start failed; None where it did not.
        changed: is called when `ready` or `failure` have become another.
    """

    def __init__(self, folder: Path, shapes: Sequence[tuple[int, int]], say: Callable[..., None]) -> None:
        """Start nothing yet.

        Args:
            folder: of the package.
            shapes: rows and tokens of the calls that warm it up.
            say: logs an event with its facts.
        """
        self._folder, self._shapes, self._say = folder, list(shapes), say
        self.ready, self.starts = False, 0
        self.failure: str | None = None
        self.changed: Callable[[], None] = lambda: None
        self._waiting: deque[asyncio.Future[npt.NDArray[np.float32]]] = deque()
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    def start(self) -> None:
        """Start it, and wait until it is warm; `attach` makes it take calls.

        Raises:
            PackageError: the package cannot be loaded.
            Lost: it ended before.
        """
        own, theirs = socket.socketpair()
        shapes = [f"{rows}x{tokens}" for rows, tokens in self._shapes]
        command = [sys.executable, "-m", f"{__package__}.worker", str(theirs.fileno()), str(self._folder), *shapes]
        root = Path(__file__).resolve().parents[len(str(__package__).split("."))]
        path = os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH")]))
        with theirs:
            self._process = subprocess.Popen(
                command, pass_fds=[theirs.fileno()], env={**os.environ, "PYTHONPATH": path}, stdin=subprocess.DEVNULL
            )
        self._socket = own
        self.starts += 1
        with Connection(os.dup(own.fileno())) as first:
            try:
                _value(first.recv())
            except (EOFError, OSError):
                raise Lost from None
        self._say("model ready", process=self._process.pid, starts=self.starts)

    async def attach(self) -> None:
        """Take calls on this event loop."""
        assert self._socket is not None
        self._streams = await asyncio.open_connection(sock=self._socket)
        self._socket, self.ready, self.failure = None, True, None
        self.changed()

    async def run(self) -> None:
        """Hand answers over, and start another process where one is lost, for ever."""
        while True:
            assert self._streams is not None
            with contextlib.suppress(EOFError, OSError):
                await self._receive(self._streams[0])
            self.detach()
            code = await asyncio.to_thread(self._end)
            self._say("model lost", code=code)
            await self._restart()

    async def _receive(self, reader: asyncio.StreamReader) -> None:
        while True:
            message = await receive(reader)
            future = self._waiting.popleft()
            if future.done():  # whoever called has gone
                continue
            try:
                future.set_result(_value(message))
            except PackageError as error:
                future.set_exception(error)

    async def _restart(self) -> None:
        for attempt in range(10**9):
            await asyncio.sleep(RETRY_S[min(attempt, len(RETRY_S) - 1)])
            try:
                await asyncio.to_thread(self.start)
                await self.attach()
                return
            except (PackageError, Lost) as error:
                self.failure = error.happened if isinstance(error, PackageError) else "its process ended"
                self.changed()
                self._say("model not started", why=self.failure)
                await asyncio.to_thread(self._end)

    async def call(self, inputs: Tensors) -> npt.NDArray[np.float32]:
        """Logits of one call's padded arrays.

        Raises:
            Lost: its process ended; another one is being started.
            PackageError: the call failed.
        """
        if not self.ready or self._streams is None:
            raise Lost
        future: asyncio.Future[npt.NDArray[np.float32]] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        self._streams[1].writelines(framed(inputs))
        return await future

    def detach(self) -> None:
        """Take no more calls, and let the process end; calls that wait are lost."""
        self.ready = False
        self.changed()
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None
        while self._waiting:
            future = self._waiting.popleft()
            if not future.done():
                future.set_exception(Lost())

    def _end(self) -> int | None:
        """End the process, whose socket is closed; its exit code."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        if self._process is None:
            return None
        try:
            return self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()

    def stop(self) -> None:
        """End it; calls that are under way are to be answered before."""
        self.ready = False
        self._end()
