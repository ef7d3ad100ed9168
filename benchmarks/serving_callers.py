"""Callers of a server for benchmarks/serving.py: one after the other, many at once, or as they come."""

import asyncio
import contextlib
import json
import random
import time
from collections.abc import Callable
from multiprocessing import get_context
from typing import Any

PERCENTILE = 95
CALLERS = 64
PLAIN = "/predict"  # the path is the form: texts as they are, or tensors of the Open Inference Protocol


def percentile(values: list[float], share: float) -> float:
    """Nearest rank."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -(-int(share * len(ordered)) // 100) - 1))]


class Caller:
    """One connection that asks and reads; no library between, so that it costs little."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def ask(self, request: bytes) -> int:
        """The status of the answer, which is read whole."""
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        await self._reader.readexactly(int(length.split(b":")[1]))
        return int(head.split(b" ", 2)[1])

    def close(self) -> None:
        self._writer.close()


def requests_of(texts: list[str], form: str = PLAIN) -> list[bytes]:
    """Whole requests, made before anything is timed; a text each, as `POST /predict` or by the Open Inference Protocol."""
    found = []
    for text in texts:
        tensor = {"name": "texts", "shape": [1, 1], "datatype": "BYTES", "data": [text]}
        body = json.dumps({"texts": [text]} if form == PLAIN else {"inputs": [tensor]}).encode()
        lines = (f"POST {form} HTTP/1.1", "Host: x", "Content-Type: application/json", f"Content-Length: {len(body)}")
        found.append("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
    return found


async def _callers(port: int, count: int) -> list[Caller]:
    return [Caller(*await asyncio.open_connection("127.0.0.1", port)) for _ in range(count)]


async def closed(port: int, form: str, texts: list[str], callers: int, seconds: float) -> dict[str, Any]:
    requests, connections = requests_of(texts, form), await _callers(port, callers)
    latencies: list[float] = []
    statuses: dict[int, int] = {}
    until = time.perf_counter() + seconds

    async def one(number: int, connection: Caller) -> None:
        at = number
        while (began := time.perf_counter()) < until:
            status = await connection.ask(requests[at % len(requests)])
            latencies.append(time.perf_counter() - began)
            statuses[status] = statuses.get(status, 0) + 1
            at += callers

    began = time.perf_counter()
    await asyncio.gather(*(one(number, own) for number, own in enumerate(connections)))
    took = time.perf_counter() - began
    for connection in connections:
        connection.close()
    return {"latencies_s": latencies, "took_s": took, "statuses": statuses}


async def arrivals(port: int, form: str, texts: list[str], rate: float, seconds: float, seed: int) -> dict[str, Any]:
    requests, free = requests_of(texts, form), asyncio.Queue[Caller]()
    connections = await _callers(port, CALLERS)
    for connection in connections:
        free.put_nowait(connection)
    latencies: list[float] = []
    refused = 0
    generator, running = random.Random(seed), set()

    async def one(due: float, request: bytes) -> None:
        nonlocal refused
        connection = await free.get()
        status = await connection.ask(request)
        free.put_nowait(connection)
        latencies.append(time.perf_counter() - due)
        refused += status != 200

    due = began = time.perf_counter()
    while due < began + seconds:
        due += generator.expovariate(rate)
        left = due - time.perf_counter()
        if left > 0:
            await asyncio.sleep(left)
        task = asyncio.create_task(one(due, requests[generator.randrange(len(requests))]))
        running.add(task)
        task.add_done_callback(running.discard)
    await asyncio.gather(*running)
    for connection in connections:
        connection.close()
    return {"p95_s": percentile(latencies, PERCENTILE), "answered": len(latencies), "refused": refused}


def _in_its_own_process(pipe: Any, name: str, arguments: tuple[Any, ...]) -> None:
    with contextlib.suppress(ImportError):
        import uvloop

        uvloop.install()
    before = time.process_time()
    found = asyncio.run(globals()[name](*arguments))
    found["cpu_s"] = time.process_time() - before
    pipe.send(found)


def _start(name: str, arguments: tuple[Any, ...]) -> tuple[Any, Any]:
    own, theirs = get_context("fork").Pipe()
    process = get_context("fork").Process(target=_in_its_own_process, args=(theirs, name, arguments))
    process.start()
    theirs.close()
    return own, process


def elsewhere(name: str, *arguments: Any) -> dict[str, Any]:
    """A function of this file in a process of its own; with its processor time."""
    own, process = _start(name, arguments)
    found: dict[str, Any] = own.recv()
    process.join()
    return found


def crowd(port: int, form: str, texts: list[str], processes: int, seconds: float) -> dict[str, Any]:
    """CALLERS callers in so many processes, each with its next text as soon as it is answered."""
    share = -(-len(texts) // processes)
    parts = [texts[at * share :] + texts[: at * share] for at in range(processes)]
    started = [_start("closed", (port, form, part, CALLERS // processes, seconds)) for part in parts]
    found = [own.recv() for own, _ in started]
    for _, process in started:
        process.join()
    statuses: dict[int, int] = {}
    for each in found:
        for status, count in each["statuses"].items():
            statuses[status] = statuses.get(status, 0) + count
    return {
        "latencies_s": [latency for each in found for latency in each["latencies_s"]],
        "took_s": max(each["took_s"] for each in found),
        "cpu_s": sum(each["cpu_s"] for each in found),
        "statuses": statuses,
    }


def highest(within: Callable[[float], bool], start: float) -> float:
    """The highest rate that is within the bound, to 4 %; 0 where none is."""
    low, high, rate = 0.0, None, start
    for _ in range(14):
        if within(rate):
            low = rate
        else:
            high = rate
        if high is not None and low and high / low < 1.04:
            break
        rate = rate * 1.3 if high is None else (low + high) / 2 if low else rate / 2
    return low
