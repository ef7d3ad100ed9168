"""A server behind a socket as the system that answers LoadGen's queries: every sample is a request of one text.

The client is a few lines and no library: it runs on the processors that it measures, where a general HTTP client takes as much
time for a request as the server does.
"""

import asyncio
import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import psutil

from temper.errors import LoadTestError
from temper.load_test.generator import Issue
from temper.load_test.summary import SPOILED

TENSOR, LABEL = "TEXT", "LABEL"


@dataclass(frozen=True)
class Endpoint:
    """Where it answers, by the Open Inference Protocol.

    Attributes:
        host, port: of the server.
        path: that rows are sent to.
        pid: of its process.
        server: its name, and its version where it says one.
        batches: how many calls of each number of rows it made so far; {} where it does not say.
    """

    host: str
    port: int
    path: str
    pid: int
    server: str = ""
    batches: Callable[[], dict[str, int]] = dict


def requests_of(endpoint: Endpoint, rows: Sequence[Sequence[str]]) -> list[bytes]:
    """Whole requests of the Open Inference Protocol, each of one row, before anything is timed.

    Args:
        endpoint: that they are sent to.
        rows: the texts of each row, 1 or 2.
    """
    found = []
    for row in rows:
        tensor = {"name": TENSOR, "shape": [1, len(row)], "datatype": "BYTES", "data": list(row)}
        body = json.dumps({"inputs": [tensor], "outputs": [{"name": LABEL}]}, ensure_ascii=False).encode()
        head = (
            f"POST {endpoint.path} HTTP/1.1\r\nHost: {endpoint.host}:{endpoint.port}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        found.append(head.encode() + body)
    return found


class Connection:
    """One connection that is kept: it asks and reads whole answers."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def open(cls, endpoint: Endpoint) -> "Connection":
        """Connect."""
        return cls(*await asyncio.open_connection(endpoint.host, endpoint.port))

    async def ask(self, request: bytes) -> bytes:
        """The body of the answer.

        Raises:
            LoadTestError: the answer is not 200.
            OSError, EOFError: the connection broke.
        """
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        lowered = head.lower()
        start = lowered.index(b"content-length:") + len(b"content-length:")
        body = await self._reader.readexactly(int(lowered[start : lowered.index(b"\r\n", start)]))
        status = head.split(b" ", 2)[1]
        if status != b"200":
            raise _refused(f"it answered {status.decode()}: {body[:300].decode('utf-8', 'replace')}")
        return body

    def close(self) -> None:
        """Close it."""
        self._writer.close()


def _refused(happened: str) -> LoadTestError:
    return LoadTestError(
        asked="answer a query over HTTP",
        happened=happened,
        affected=SPOILED,
        fix="what it answered names what is wrong; temper serve starts the same server by itself",
    )


def label_of(body: bytes) -> str:
    """The label in an answer."""
    return str(json.loads(body)["outputs"][0]["data"][0])


async def _ask_all(endpoint: Endpoint, requests: Sequence[bytes], connections: int) -> list[str]:
    found, numbers = [""] * len(requests), iter(range(len(requests)))

    async def one() -> None:
        connection = await Connection.open(endpoint)
        try:
            for number in numbers:
                found[number] = label_of(await connection.ask(requests[number]))
        finally:
            connection.close()

    await asyncio.gather(*(one() for _ in range(connections)))
    return found


def labels_of(endpoint: Endpoint, requests: Sequence[bytes], connections: int) -> list[str]:
    """The server's labels of all requests, asked by so many connections: what a test warms it up with.

    Raises:
        LoadTestError: one is not answered.
    """
    try:
        return asyncio.run(_ask_all(endpoint, requests, connections))
    except (OSError, EOFError) as error:
        raise _refused(f"the connection broke: {type(error).__name__}: {error}") from None


class SocketSystem:
    """Answers LoadGen's queries by a server; attributes as of `temper.load_test.generator.System`."""

    def __init__(self, loadgen: Any, endpoint: Endpoint, requests: Sequence[bytes], connections: int) -> None:
        """Answer by requests.

        Args:
            loadgen: the module.
            endpoint: that is asked.
            requests: LoadGen's samples.
            connections: that are kept; as many requests are under way at a time.
        """
        self._complete, self._response = loadgen.QuerySamplesComplete, loadgen.QuerySampleResponse
        self._endpoint, self._requests, self._connections = endpoint, requests, connections
        self.failure: BaseException | None = None
        self.samples = 0

    def run(self, start_test: Callable[[Issue], None]) -> None:
        asyncio.run(self._run(start_test))

    async def _run(self, start_test: Callable[[Issue], None]) -> None:
        loop, ended = asyncio.get_running_loop(), asyncio.Event()
        waiting: asyncio.Queue[tuple[int, int]] = asyncio.Queue()
        connections = [await Connection.open(self._endpoint) for _ in range(self._connections)]
        failures: list[Exception] = []

        def put(samples: list[tuple[int, int]]) -> None:
            for sample in samples:
                waiting.put_nowait(sample)

        def issue(samples: Any) -> None:  # on LoadGen's thread; what it gives lives as long as this call
            loop.call_soon_threadsafe(put, [(sample.id, sample.index) for sample in samples])

        def test() -> None:
            try:
                start_test(issue)
            except Exception as error:
                failures.append(error)
            finally:
                loop.call_soon_threadsafe(ended.set)

        callers = [asyncio.create_task(self._answer(waiting, connection)) for connection in connections]
        thread = threading.Thread(target=test)
        thread.start()
        await ended.wait()
        thread.join()
        for caller in callers:
            caller.cancel()
        await asyncio.gather(*callers, return_exceptions=True)
        for connection in connections:
            connection.close()
        if failures:
            raise failures[0]

    async def _answer(self, waiting: "asyncio.Queue[tuple[int, int]]", connection: Connection) -> None:
        while True:
            identity, index = await waiting.get()
            if self.failure is None:
                try:
                    await connection.ask(self._requests[index])
                except LoadTestError as error:
                    self.failure = error
                except (OSError, EOFError, ValueError) as error:
                    self.failure = _refused(f"the connection broke: {type(error).__name__}: {error}")
            self._complete([self._response(identity, 0, 0)])  # in any case: LoadGen waits for each
            self.samples += 1


def processor_s(pid: int) -> float:
    """Processor time of a process and of those that it started, in seconds."""
    whole = psutil.Process(pid)
    return sum(sum(each.cpu_times()[:2]) for each in (whole, *whole.children(recursive=True)))
