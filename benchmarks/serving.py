"""What serving a package costs over the bare model in it, and beside another server, all in one run.

    python benchmarks/serving.py PACKAGE TEXTS.tsv [--turns 5] [--seconds 2] [--peer] [--bound] [--serial] [--out figures.json]

PACKAGE is what `temper package --for folder` wrote, TEXTS.tsv has a column of texts (--column). Every figure is a ratio to the
model in this very process, or a time of this run; nothing here is a test. Sides take turns, so that what else the machine does
falls on all of them alike.

- single: one caller, one text after the other; in process tokenising and calling.
- closed loop: so many callers, each with its next text as soon as it is answered; in process as many texts as a call takes at
  once. `processor_ms_per_row` is what all processes of a side used for a row, which a busy machine changes less than times.
- one_row_a_call: the same server, which batches nothing. --serial: the server that tutorials have, which calls the model in
  its handler and so takes one request at a time. --peer: LitServe around the same package, which forms batches of the
  same rows; it needs litserve in this environment.
- --bound: Poisson arrivals of single texts, the highest rate at which 95 % are answered within 100 ms, counted from when they
  were due. In process one call after the other answers them, tokenised before; over HTTP the server does both.

The callers run in a process of their own on the same machine; what they use of its processors is printed.
"""

import argparse
import asyncio
import contextlib
import csv
import json
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from multiprocessing import get_context
from pathlib import Path
from typing import Any

BOUND_S, PERCENTILE = 0.1, 95
CALLERS = 64
SERIAL = """
import sys
sys.path.insert(0, sys.argv[1])
import uvicorn
from package_runtime import load
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

model = load(sys.argv[1])
model.warm_up(1)

async def predict(request):
    texts = (await request.json())["texts"]
    return JSONResponse([{"label": answer.label, "confidence": answer.confidence} for answer in model.answer(texts)])

app = Starlette(routes=[Route("/predict", predict, methods=["POST"])])
uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), log_level="warning")
"""
PEER = """
import sys
sys.path.insert(0, sys.argv[1])
import litserve
from package_runtime import load

class Peer(litserve.LitAPI):
    def setup(self, device):
        self.model = load(sys.argv[1])
    def decode_request(self, request):
        return request["texts"][0]
    def batch(self, inputs):
        return inputs
    def predict(self, texts):
        return self.model.answer(texts, len(texts))
    def unbatch(self, answers):
        return answers
    def encode_response(self, answer):
        return {"label": answer.label, "confidence": answer.confidence}

if __name__ == "__main__":
    api = Peer(max_batch_size=int(sys.argv[3]), batch_timeout=0.002, api_path="/predict")
    server = litserve.LitServer(api, accelerator="cpu")
    server.run(port=int(sys.argv[2]), host="127.0.0.1", generate_client_file=False, log_level="warning")
"""


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


def requests_of(texts: list[str]) -> list[bytes]:
    """Whole requests, made before anything is timed."""
    found = []
    for text in texts:
        body = json.dumps({"texts": [text]}).encode()
        head = f"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        found.append(head.encode() + body)
    return found


async def _callers(port: int, count: int) -> list[Caller]:
    return [Caller(*await asyncio.open_connection("127.0.0.1", port)) for _ in range(count)]


async def _closed(port: int, texts: list[str], callers: int, seconds: float) -> dict[str, Any]:
    requests, connections = requests_of(texts), await _callers(port, callers)
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


async def _open(port: int, texts: list[str], rate: float, seconds: float, seed: int) -> dict[str, Any]:
    requests, free = requests_of(texts), asyncio.Queue[Caller]()
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


def crowd(port: int, texts: list[str], processes: int, seconds: float) -> dict[str, Any]:
    """CALLERS callers in so many processes, each with its next text as soon as it is answered."""
    share = -(-len(texts) // processes)
    parts = [texts[at * share :] + texts[: at * share] for at in range(processes)]
    started = [_start("_closed", (port, part, CALLERS // processes, seconds)) for part in parts]
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


def in_process(model: Any, encoded: list[Any], rate: float, seconds: float, seed: int) -> float:
    """The p95 of Poisson arrivals that one call after the other answers, in seconds."""
    generator, latencies = random.Random(seed), []
    due = began = time.perf_counter()
    while due < began + seconds:
        due += generator.expovariate(rate)
        left = due - time.perf_counter()
        if left > 0:
            time.sleep(left)
        model.logits(encoded[generator.randrange(len(encoded))].values)
        latencies.append(time.perf_counter() - due)
    return percentile(latencies, PERCENTILE)


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


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as own:
        return int(own.getsockname()[1])


@contextlib.contextmanager
def server(command: list[str], port: int, log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A server as a process, from when it answers on."""
    with open(log, "wb") as said:
        process = subprocess.Popen(command, stdout=said, stderr=said, start_new_session=True)
    try:
        until = time.monotonic() + 120
        while True:
            if process.poll() is not None or time.monotonic() > until:
                sys.exit(f"{command[:4]} did not start:\n{log.read_text()[-2000:]}")
            with contextlib.suppress(Exception):
                asyncio.run(_closed(port, ["a text"], 1, 0.2))
                break
            time.sleep(0.3)
        yield process
    finally:
        os.killpg(process.pid, 15)
        process.wait(30)


def served_command(package: Path, port: int, *options: str) -> list[str]:
    program = (
        "import sys; sys.path.insert(0, sys.argv.pop(1)); from package_runtime.__main__ import main; sys.exit(main())"
    )
    return [
        sys.executable,
        "-c",
        program,
        str(package),
        "serve",
        "--folder",
        str(package),
        "--port",
        str(port),
        "--quiet",
        *options,
    ]


class Inside:
    """The model in this process."""

    def __init__(self) -> None:
        self.single: list[float] = []
        self.rows, self.took_s, self.cpu_s = 0, 0.0, 0.0

    def turn(self, model: Any, texts: list[str], rows: int, seconds: float) -> None:
        """Single texts one after the other, then as many as a call takes at once, in the order in which they came."""
        until = time.perf_counter() + seconds
        while (began := time.perf_counter()) < until:
            model.answer([texts[len(self.single) % len(texts)]])
            self.single.append(time.perf_counter() - began)
        began, cpu = time.perf_counter(), time.process_time()
        while time.perf_counter() < began + seconds:
            at = self.rows % len(texts)
            self.rows += len(model.answer(texts[at : at + rows], rows))
        self.took_s += time.perf_counter() - began
        self.cpu_s += time.process_time() - cpu

    def single_s(self) -> float:
        """Median of single texts."""
        return statistics.median(self.single)

    def figures(self) -> dict[str, Any]:
        """What is printed of it."""
        return {
            "single_p50_ms": 1e3 * self.single_s(),
            "batched_per_s": self.rows / self.took_s,
            "processor_ms_per_row": 1e3 * self.cpu_s / self.rows,
        }


class Side:
    """A server."""

    def __init__(self, port: int, process: "subprocess.Popen[bytes]") -> None:
        self._port, self._process = port, process
        self.single: list[float] = []
        self.rows, self.took_s, self.cpu_s, self.callers_cpu_s = 0, 0.0, 0.0, 0.0
        self.statuses: dict[int, int] = {}

    def turn(self, texts: list[str], seconds: float, processes: int) -> None:
        """One caller, then many, in so many processes."""
        self.single += elsewhere("_closed", self._port, texts, 1, seconds)["latencies_s"]
        before = processor_s(self._process.pid)
        found = crowd(self._port, texts, processes, seconds)
        self.cpu_s += processor_s(self._process.pid) - before
        self.rows += len(found["latencies_s"])
        self.took_s += found["took_s"]
        self.callers_cpu_s += found["cpu_s"]
        for status, count in found["statuses"].items():
            self.statuses[status] = self.statuses.get(status, 0) + count

    def within(self, texts: list[str], rate: float, seconds: float) -> bool:
        """Whether Poisson arrivals at this rate are answered within the bound."""
        found = elsewhere("_open", self._port, texts, rate, seconds, 1)
        return bool(found["p95_s"] <= BOUND_S and not found["refused"])

    def figures(self, inside: Inside) -> dict[str, Any]:
        """What is printed of it."""
        own, per_row = inside.figures(), 1e3 * self.cpu_s / self.rows
        return {
            "single_p50_ms": 1e3 * statistics.median(self.single),
            "added_ms_at_p50": 1e3 * (statistics.median(self.single) - inside.single_s()),
            "closed_loop_per_s": self.rows / self.took_s,
            "closed_loop_ratio": self.rows / self.took_s / own["batched_per_s"],
            "processor_ms_per_row": per_row,
            "processor_ratio": per_row / own["processor_ms_per_row"],
            "callers_processor_ms_per_row": 1e3 * self.callers_cpu_s / self.rows,
            "statuses": self.statuses,
        }


def where(package: Any) -> dict[str, Any]:
    """What was served, and on which machine; its load says how quiet it was."""
    manifest = package.manifest
    with open("/proc/cpuinfo", encoding="utf-8") as stream:
        model = next((line.partition(":")[2].strip() for line in stream if line.startswith("model name")), "")
    gpu = None
    if manifest["runner"]["name"] == "tensorrt_rtx":
        command = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
        gpu = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() or None
    return {
        "candidate": manifest["candidate"],
        "runner": manifest["runner"]["name"],
        "artifact": manifest["artifact"]["digest"],
        "libraries": manifest["libraries"],
        "processor": model,
        "processors": os.cpu_count(),
        "gpu": gpu,
        "day": time.strftime("%Y-%m-%d"),
        "load_before": os.getloadavg()[0],
    }


def processor_s(pid: int) -> float:
    """Processor time of a process and all that it started, in seconds."""
    import psutil

    every = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    return sum(sum(own.cpu_times()[:2]) for own in every)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("package", type=Path)
    parser.add_argument("texts", type=Path)
    parser.add_argument("--column", default="sentence")
    parser.add_argument("--seconds", type=float, default=2.0, help="of each turn")
    parser.add_argument("--turns", type=int, default=5, help="of each side, one after the other")
    parser.add_argument("--rows", type=int, help="of a call at most (default: as the package was measured)")
    parser.add_argument("--bound", action="store_true", help="also the rates at the bound: a quiet machine, minutes")
    parser.add_argument("--peer", action="store_true")
    parser.add_argument("--serial", action="store_true", help="also a server that takes one request at a time")
    parser.add_argument("--server-processes", type=int, help="that take requests (default: the server's own choice)")
    parser.add_argument("--caller-processes", type=int, default=1, help="that the callers share (a divisor of 64)")
    parser.add_argument("--out", type=Path, help="write the figures there as JSON")
    arguments = parser.parse_args()
    package, seconds = arguments.package.resolve(), arguments.seconds
    with open(arguments.texts, encoding="utf-8", newline="") as stream:
        texts = [row[arguments.column] for row in csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE)]
    sys.path.insert(0, str(package))
    from package_runtime import load
    from package_runtime.model import Package
    from package_runtime.serve import default_budget

    described = Package(package, verify_model=False)
    _, rows = default_budget(described)
    rows = arguments.rows or rows
    figures: dict[str, Any] = {
        **where(described),
        "texts": len(texts),
        "rows_of_a_call": rows,
        "turns": arguments.turns,
        "seconds_of_a_turn": seconds,
        "callers": CALLERS,
        "caller_processes": arguments.caller_processes,
        "server_processes": arguments.server_processes,
    }
    with load(package) as model, tempfile.TemporaryDirectory() as scratch, contextlib.ExitStack() as servers:
        model.warm_up(1)
        encoded = [model.encode([text]) for text in texts]
        sides: dict[str, Side] = {}
        many = [] if arguments.server_processes is None else ["--processes", str(arguments.server_processes)]
        rows_option = ["--max-batch-rows", str(rows), *many]

        def start(name: str, command: Callable[[int], list[str]]) -> None:
            port = free_port()
            process = servers.enter_context(server(command(port), port, Path(scratch) / f"{name}.log"))
            sides[name] = Side(port, process)

        start("served", lambda port: served_command(package, port, *rows_option))
        start("one_row_a_call", lambda port: served_command(package, port, "--max-batch-rows", "1", *many))
        if arguments.serial:
            serial = Path(scratch) / "serial.py"
            serial.write_text(SERIAL)
            start("one_request_at_a_time", lambda port: [sys.executable, str(serial), str(package), str(port)])
        if arguments.peer:
            file = Path(scratch) / "peer.py"
            file.write_text(PEER)
            start("litserve", lambda port: [sys.executable, str(file), str(package), str(port), str(rows)])
        inside = Inside()
        for _ in range(arguments.turns):  # in turns: what else the machine does falls on all alike
            inside.turn(model, texts, rows, seconds)
            for own in sides.values():
                own.turn(texts, seconds, arguments.caller_processes)
        figures["in_process"] = inside.figures()
        for name, own in sides.items():
            figures[name] = own.figures(inside)
        for name in set(sides) - {"served"}:
            ratio = figures["served"]["closed_loop_per_s"] / figures[name]["closed_loop_per_s"]
            figures["served"][f"times_{name}"] = ratio
        if arguments.bound:
            bare = highest(
                lambda rate: in_process(model, encoded, rate, seconds, 1) <= BOUND_S, 0.7 / inside.single_s()
            )
            figures["in_process"]["rate_at_bound_per_s"] = bare
            for name, own in sides.items():
                found = highest(lambda rate, own=own: own.within(texts, rate, seconds), 0.7 * bare)
                figures[name] |= {"rate_at_bound_per_s": found, "rate_at_bound_ratio": found / bare if bare else None}
    figures["load_after"] = os.getloadavg()[0]
    print(json.dumps(figures, indent=2))
    if arguments.out:
        arguments.out.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    if os.getsid(0) != os.getpid():  # a session of its own, as each server has: Linux shares processors out by session
        sys.exit(subprocess.run([sys.executable, *sys.argv], start_new_session=True, check=False).returncode)
    main()
