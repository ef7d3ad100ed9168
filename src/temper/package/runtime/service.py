"""What the server's routes work on: limits, counts, the log, and rows that become answers."""

import asyncio
import hmac
import json
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from starlette.requests import Request

from .batching import Batcher, TooMany, Values
from .described import Package
from .engine import Engine, Lost
from .metrics import Metrics, Requests

ENCODE_HERE = 32  # rows; more are tokenised beside the event loop, which goes on meanwhile
OPEN = ("/v2/health/live", "/v2/health/ready")  # asked by whoever starts and stops servers, without the key


@dataclass(frozen=True)
class Limits:
    """What a request may be.

    Attributes:
        body_bytes: of its body.
        rows: texts or images in it.
        timeout_s: until its body is there, and again until it is answered.
    """

    body_bytes: int
    rows: int
    timeout_s: float


class Refused(Exception):
    """A request that is not answered: HTTP's status, the sentence, and when to try again."""

    def __init__(self, status: int, sentence: str, *, retry_s: float | None = None) -> None:
        self.status, self.sentence, self.retry_s = status, sentence, retry_s
        super().__init__(sentence)


def log(event: str, **facts: Any) -> None:
    """One line of JSON on standard error."""
    line = {"time": time.strftime("%Y-%m-%dT%H:%M:%S%z"), "event": event, **facts}
    sys.stderr.write(json.dumps(line, ensure_ascii=False) + "\n")  # in one piece: several processes share it
    sys.stderr.flush()


class Answering(Protocol):
    """What answers the rows of a server's process: the model beside it, or another process that has it.

    Attributes:
        ready: whether it takes rows.
        failure: why it does not; None where it is only being started.
        most_waiting: rows that may wait.
        requests: what this process counts.
    """

    @property
    def ready(self) -> bool: ...
    @property
    def failure(self) -> str | None: ...

    most_waiting: int
    requests: Requests

    async def submit(self, values: Values, lengths: Sequence[int]) -> npt.NDArray[np.float32]:
        """Logits of encoded rows, as of `Batcher.submit`.

        Raises:
            Lost: the model's process ended before it answered.
        """
        ...

    async def metrics_text(self) -> bytes:
        """What /metrics answers."""
        ...


class Local:
    """The model and the calls of it, from this process; attributes as of `Answering`."""

    def __init__(self, engine: Engine, batcher: Batcher) -> None:
        self._engine, self.batcher = engine, batcher
        self.most_waiting, self.submit = batcher.most_waiting, batcher.submit
        self.metrics = Metrics()
        self.requests = self.metrics.requests
        batcher.counts.sizes = self.metrics.call_rows.observe

    @property
    def ready(self) -> bool:
        """Whether the model takes calls."""
        return self._engine.ready

    @property
    def failure(self) -> str | None:
        """Why its last start failed."""
        return self._engine.failure

    async def metrics_text(self) -> bytes:
        """What /metrics answers."""
        return self.metrics.text(
            waiting=self.batcher.waiting,
            ready=self._engine.ready,
            starts=self._engine.starts,
            tokens=self.batcher.counts.tokens,
        )


class Service:
    """What the routes work on. One for a server."""

    def __init__(self, package: Package, answering: Answering, limits: Limits, *, key: str | None, say: bool) -> None:
        """Put it together.

        Args:
            package: whose rows are encoded here.
            answering: answers them.
            limits: of a request.
            key: that callers have to give; None: whoever reaches the server is answered.
            say: log a line for each request.
        """
        self.package, self.answering, self.limits = package, answering, limits
        self._key = None if key is None else key.encode()
        self._say = say
        self._encoding = ThreadPoolExecutor(1, "encode")

    def check_key(self, request: Request) -> None:
        """Raise Refused where the caller gave no key, or another one."""
        if self._key is None or request.url.path in OPEN:
            return
        given = request.headers.get("x-api-key") or request.headers.get("authorization", "").removeprefix("Bearer ")
        if not hmac.compare_digest(given.encode("utf-8", "replace"), self._key):
            raise Refused(
                401, "no API key, or another one than this server's: send it as X-API-Key, or as a bearer token"
            )

    async def body(self, request: Request) -> bytes:
        """The request's body, which may neither be large nor slow.

        Raises:
            Refused: it is.
        """
        most = self.limits.body_bytes
        too_large = Refused(
            413, f"the body has more than {most:,} bytes: send fewer rows, or start with a larger --max-body-mib"
        )
        said = request.headers.get("content-length", "")
        if said.isascii() and said.isdigit() and (len(said) > 15 or int(said) > most):
            raise too_large
        parts, size = [], 0
        try:
            async with asyncio.timeout(self.limits.timeout_s):
                async for part in request.stream():
                    size += len(part)
                    if size > most:
                        raise too_large
                    parts.append(part)
        except TimeoutError:
            raise Refused(408, f"the body did not arrive within {self.limits.timeout_s:g} s: send it whole") from None
        return b"".join(parts)

    async def answers(self, rows: list[Any]) -> Any:
        """Answers to rows, as of `Package.answers`.

        Raises:
            InputError: one is no text or image.
            Refused: there are too many, or they are not answered in time.
        """
        if not rows:
            raise Refused(400, "there are no rows: send at least one")
        if len(rows) > self.limits.rows:
            raise Refused(
                413,
                f"{len(rows):,} rows, and a request has at most {self.limits.rows:,}: send them in several requests",
            )
        if not self.answering.ready:
            raise Refused(503, "the model is being started again: try again", retry_s=1)
        if len(rows) <= ENCODE_HERE and self.package.is_text:
            encoded = self.package.encode(rows)
        else:
            loop = asyncio.get_running_loop()
            encoded = await loop.run_in_executor(self._encoding, self.package.encode, rows)
        try:
            async with asyncio.timeout(self.limits.timeout_s):
                logits = await self.answering.submit(encoded.values, encoded.lengths)
        except TooMany as busy:
            most = f"{self.answering.most_waiting:,} rows wait already"
            raise Refused(429, f"{most}: try again later", retry_s=busy.retry_s) from None
        except Lost:
            raise Refused(503, "the model's process ended: another one is being started", retry_s=1) from None
        except TimeoutError:
            raise Refused(503, f"it was not answered within {self.limits.timeout_s:g} s", retry_s=5) from None
        self.answering.requests.rows += len(rows)
        return self.package.answers(logits, encoded.cut)

    def done(self, request: Request, route: str, status: int, began: float, identity: str) -> None:
        """Count and log a request."""
        seconds = time.perf_counter() - began
        self.answering.requests.done(route, status, seconds)
        if self._say:
            path = request.url.path[:200]
            log("request", id=identity, method=request.method, path=path, status=status, ms=round(1000 * seconds, 3))
