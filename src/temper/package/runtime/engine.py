"""The model's process as the server sees it: started, asked, and started again where it was lost."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import PackageError
from .packing import Tensors
from .worker import READY

RETRY_S = (0.0, 0.5, 1.0, 2.0, 5.0)  # between starts that fail, the last from then on


class Lost(Exception):
    """The model's process ended before it answered."""


class Engine:
    """One process with the model in it. Threads may call it at the same time: their calls are answered in their order.

    Attributes:
        ready: whether it takes calls.
        starts: how often a process was started.
        failure: why the last start failed; None where it did not.
    """

    def __init__(
        self, folder: Path, shapes: Sequence[tuple[int, int]], say: Callable[..., None], started: Callable[[], None]
    ) -> None:
        """Start nothing yet.

        Args:
            folder: of the package.
            shapes: rows and tokens of the calls that warm it up.
            say: logs an event with its facts.
            started: is called, in another thread, whenever it becomes ready.
        """
        self._folder, self._shapes, self._say, self._started = folder, list(shapes), say, started
        self.ready, self.starts = False, 0
        self.failure: str | None = None
        self._stopping = threading.Event()
        self._sending, self._receiving, self._losing = threading.Lock(), threading.Lock(), threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._pipe: Connection[Any, Any] | None = None

    def start(self) -> None:
        """Start it, and wait until it is warm.

        Raises:
            PackageError: the package cannot be loaded.
            Lost: it ended before.
        """
        own, theirs = Pipe()
        shapes = [f"{rows}x{tokens}" for rows, tokens in self._shapes]
        command = [sys.executable, "-m", f"{__package__}.worker", str(theirs.fileno()), str(self._folder), *shapes]
        root = Path(__file__).resolve().parents[len(str(__package__).split("."))]
        path = os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH")]))
        self._process = subprocess.Popen(
            command, pass_fds=[theirs.fileno()], env={**os.environ, "PYTHONPATH": path}, stdin=subprocess.DEVNULL
        )
        theirs.close()
        self._pipe = own
        self.starts += 1
        self._receive(own)
        self.ready = True
        self._say("model ready", process=self._process.pid, starts=self.starts)
        self._started()

    def _receive(self, pipe: "Connection[Any, Any]") -> Any:
        try:
            state, value = pipe.recv()
        except (EOFError, OSError):
            raise Lost from None
        if state != READY:
            asked, happened, affected, fix = value
            raise PackageError(asked=asked, happened=happened, affected=affected, fix=fix)
        return value

    def call(self, inputs: Tensors) -> npt.NDArray[np.float32]:
        """Logits of one call's padded arrays.

        Raises:
            Lost: its process ended; another one is being started.
            PackageError: the call failed.
        """
        self._sending.acquire()
        try:
            pipe = self._pipe
            if not self.ready or pipe is None:
                raise Lost
            try:
                pipe.send(inputs)
            except OSError:
                self._lose(pipe)
                raise Lost from None
            self._receiving.acquire()  # while sending is still held: answers are taken in the order of the calls
        finally:
            self._sending.release()
        try:
            found: npt.NDArray[np.float32] = self._receive(pipe)
        except Lost:
            self._lose(pipe)
            raise
        finally:
            self._receiving.release()
        return found

    def _lose(self, pipe: "Connection[Any, Any]") -> None:
        """Begin to start another process, unless another call's thread has."""
        with self._losing:
            if pipe is not self._pipe:
                return
            self.ready, self._pipe = False, None
        pipe.close()
        code = self._end()
        if not self._stopping.is_set():
            self._say("model lost", code=code)
            threading.Thread(target=self._restart, daemon=True).start()

    def _restart(self) -> None:
        for attempt in range(10**9):
            if self._stopping.wait(RETRY_S[min(attempt, len(RETRY_S) - 1)]):
                return
            try:
                self.start()
                self.failure = None
                return
            except (PackageError, Lost) as error:
                self.failure = error.happened if isinstance(error, PackageError) else "its process ended"
                self._say("model not started", why=self.failure)
                self._end()

    def _end(self) -> int | None:
        """Close the pipe, which ends the process; its exit code."""
        if self._pipe is not None:
            self._pipe.close()
        if self._process is None:
            return None
        try:
            return self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()

    def stop(self) -> None:
        """End it; calls that are under way are to be answered before."""
        self._stopping.set()
        self.ready = False
        self._end()
