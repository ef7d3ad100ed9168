"""What serving a package costs over the bare model in it, and beside another server, all in one run.

    python benchmarks/serving.py PACKAGE TEXTS.tsv [--turns 5] [--seconds 2] [--bound] [--serial] [--mlserver PYTHON]
                                 [--out figures.json]

PACKAGE is what `temper package --for folder` wrote, TEXTS.tsv has a column of texts (--column). Every figure is a ratio to the
model in this very process, or a time of this run; nothing here is a test. Sides take turns, so that what else the machine does
falls on all of them alike.

- single: one caller, one text after the other; in process tokenising and calling.
- closed loop: so many callers, each with its next text as soon as it is answered; in process as many texts as a call takes at
  once. `processor_ms_per_row` is what all processes of a side used for a row, which a busy machine changes less than times.
- one_row_a_call: the same server, which batches nothing. --serial: the server that tutorials have, which calls the model in
  its handler and so takes one request at a time. --mlserver PYTHON: MLServer around the same package, with calls of as many
  rows; PYTHON is of an environment with mlserver (its 1.7.1 needs uvloop below 0.22) and the package's requirements. --litserve:
  LitServe, which has to be in this environment.
- --bound: Poisson arrivals of single texts, the highest rate at which 95 % are answered within 100 ms, counted from when they
  were due. In process one call after the other answers them, tokenised before; over HTTP the server does both.

The callers run in a process of their own on the same machine; what they use of its processors is printed.
"""

import argparse
import contextlib
import csv
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from serving_callers import CALLERS, PERCENTILE, PLAIN, crowd, elsewhere, highest, percentile
from serving_servers import LITSERVE, MLSERVER_FORM, SERIAL, free_port, mlserver_command, served_command, server

BOUND_S = 0.1


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

    def __init__(self, port: int, process: "subprocess.Popen[bytes]", form: str) -> None:
        self._port, self._process, self._form = port, process, form
        self.single: list[float] = []
        self.rows, self.took_s, self.cpu_s, self.callers_cpu_s = 0, 0.0, 0.0, 0.0
        self.statuses: dict[int, int] = {}

    def turn(self, texts: list[str], seconds: float, processes: int) -> None:
        """One caller, then many, in so many processes."""
        self.single += elsewhere("closed", self._port, self._form, texts, 1, seconds)["latencies_s"]
        before = processor_s(self._process.pid)
        found = crowd(self._port, self._form, texts, processes, seconds)
        self.cpu_s += processor_s(self._process.pid) - before
        self.rows += len(found["latencies_s"])
        self.took_s += found["took_s"]
        self.callers_cpu_s += found["cpu_s"]
        for status, count in found["statuses"].items():
            self.statuses[status] = self.statuses.get(status, 0) + count

    def within(self, texts: list[str], rate: float, seconds: float) -> bool:
        """Whether Poisson arrivals at this rate are answered within the bound."""
        found = elsewhere("arrivals", self._port, self._form, texts, rate, seconds, 1)
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


def version_there(python: Path, distribution: str) -> str:
    """The version of a distribution in another environment."""
    command = [str(python), "-c", f"import importlib.metadata as m; print(m.version({distribution!r}))"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


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
    parser.add_argument(
        "--mlserver", type=Path, metavar="PYTHON", help="also MLServer, in the environment of this Python"
    )
    parser.add_argument("--litserve", action="store_true", help="also LitServe")
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

        def start(name: str, port: int, command: list[str], form: str = PLAIN) -> None:
            process = servers.enter_context(server(command, port, Path(scratch) / f"{name}.log", form))
            sides[name] = Side(port, process, form)

        def script(name: str, text: str) -> list[str]:
            file = Path(scratch) / f"{name}.py"
            file.write_text(text)
            return [sys.executable, str(file), str(package)]

        port = free_port()
        start("served", port, served_command(package, port, *rows_option))
        port = free_port()
        start("one_row_a_call", port, served_command(package, port, "--max-batch-rows", "1", *many))
        if arguments.serial:
            port = free_port()
            start("one_request_at_a_time", port, [*script("serial", SERIAL), str(port)])
        if arguments.mlserver:
            port = free_port()
            command = mlserver_command(arguments.mlserver, package, port, rows, Path(scratch) / "mlserver")
            start("mlserver", port, command, MLSERVER_FORM)
            figures["mlserver_version"] = version_there(arguments.mlserver, "mlserver")
        if arguments.litserve:
            port = free_port()
            start("litserve", port, [*script("litserve_peer", LITSERVE), str(port), str(rows)])
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
