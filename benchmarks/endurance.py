"""Many requests to a served package: errors, and what the server's processes hold in memory, before and after.

    python benchmarks/endurance.py PACKAGE TEXTS.tsv [--requests 200000] [--column sentence] [--out figures.json]

PACKAGE is what `temper package --for folder` wrote. A tenth of the requests comes first, so that what is taken once and kept
(memory of each shape, pools) is there when the first reading is taken. Nothing is timed.
"""

import argparse
import asyncio
import contextlib
import csv
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import psutil

sys.path.insert(0, str(Path(__file__).parent))
from serving_callers import Caller, requests_of
from serving_servers import free_port, served_command, server

CALLERS = 32
READINGS = 10


async def _ask(port: int, requests: list[bytes], count: int, found: dict[str, int]) -> None:
    numbers = iter(range(count))

    async def one() -> None:
        caller = Caller(*await asyncio.open_connection("127.0.0.1", port))
        for number in numbers:
            status = str(await caller.ask(requests[number % len(requests)]))
            found[status] = found.get(status, 0) + 1
        caller.close()

    await asyncio.gather(*(one() for _ in range(CALLERS)))


def resident_mib(pid: int) -> float:
    """Of a process and all that it started, in MiB."""
    every = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    return sum(own.memory_info().rss for own in every) / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("package", type=Path)
    parser.add_argument("texts", type=Path)
    parser.add_argument("--column", default="sentence")
    parser.add_argument("--requests", type=int, default=200_000)
    parser.add_argument("--out", type=Path, help="write the figures there as JSON")
    arguments = parser.parse_args()
    with open(arguments.texts, encoding="utf-8", newline="") as stream:
        texts = [row[arguments.column] for row in csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE)]
    requests, statuses = requests_of(texts), dict[str, int]()
    with tempfile.TemporaryDirectory() as scratch, contextlib.ExitStack() as servers:
        port = free_port()
        command = served_command(arguments.package.resolve(), port)
        process = servers.enter_context(server(command, port, Path(scratch) / "server.log"))
        asyncio.run(_ask(port, requests, arguments.requests // 10, {}))
        readings = [resident_mib(process.pid)]
        for _ in range(READINGS):
            asyncio.run(_ask(port, requests, arguments.requests // READINGS, statuses))
            readings.append(resident_mib(process.pid))
            print(f"{sum(statuses.values()):,} requests: {readings[-1]:.1f} MiB", file=sys.stderr, flush=True)
    figures: dict[str, Any] = {
        "requests": sum(statuses.values()),
        "statuses": statuses,
        "resident_mib": [round(each, 1) for each in readings],
        "growth": round(readings[-1] / readings[0] - 1, 4),
    }
    print(json.dumps(figures, indent=2))
    if arguments.out:
        arguments.out.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
