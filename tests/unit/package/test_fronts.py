"""Several processes that take requests: one server to whoever asks it."""

import asyncio
import contextlib
import http.client
import json
import os
import signal
import socket
import threading
import time
from collections import defaultdict
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families as families

from temper.package.runtime.errors import PackageError
from temper.package.runtime.fronts import Fronts
from tests.unit.package.test_serve import HOSTILE, TEXTS, Server, answers_of

PROCESSES = 2
BODY = json.dumps({"texts": TEXTS})


@pytest.fixture(scope="module")
def server(package: Path):
    own = Server(
        package, "--processes", str(PROCESSES), "--timeout-s", "5", "--max-body-mib", "0.05", "--max-rows", "16"
    )
    yield own
    own.stop()


def fronts(server: Server) -> list[int]:
    """Processes that take requests; one that has just ended, which nobody waited for yet, takes none."""
    found = []
    for own in psutil.Process(server.process.pid).children():
        with contextlib.suppress(psutil.NoSuchProcess):  # a zombie is one, too
            found += [own.pid] if any(word.endswith(".front") for word in own.cmdline()) else []
    return found


def figures(server: Server) -> dict[tuple[str, ...], float]:
    """What /metrics says, by name and labels; 0 for what it does not name yet."""
    return defaultdict(
        float,
        {
            (sample.name, *sample.labels.values()): sample.value
            for family in families(server.ask("GET", "/metrics")[2].decode())
            for sample in family.samples
        },
    )


def test_each_process_answers_as_the_package_does_and_the_counts_are_of_all(server, package):
    assert server.events[-1]["event"] != "warning"
    assert server.said("serving")[0]["processes"] == len(fronts(server)) == PROCESSES
    wanted = [answer["label"] for answer in answers_of(package, TEXTS)]
    for _ in range(12):  # each a connection of its own: the kernel gives them to one or the other
        status, _, content = server.ask("POST", "/predict", BODY)
        assert (status, [answer["label"] for answer in json.loads(content)["answers"]]) == (200, wanted)
    until = time.monotonic() + 30  # counts come every fifth of a second
    while (found := figures(server))["package_request_seconds_count", "/predict"] < 12 and time.monotonic() < until:
        time.sleep(0.05)
    assert found["package_requests_total", "/predict", "200"] == 12
    assert found["package_request_seconds_count", "/predict"] == 12
    assert found["package_rows_total",] == 24
    assert found["package_call_rows_sum",] == 24


@pytest.mark.parametrize("name", ["no JSON", "too many rows", "another model", "another path"])
def test_what_is_refused_is_refused_by_each(server, name):
    method, path, body, wanted = HOSTILE[name]
    for _ in range(4):
        status, _, content = server.ask(method, path, body)
        assert (status, " " in json.loads(content)["error"]) == (wanted, True)


def answered_in(server: Server, seconds: float) -> set[int]:
    """Statuses of requests until one is answered; connections that break are asked anew."""
    seen, until = set(), time.monotonic() + seconds
    while 200 not in seen and time.monotonic() < until:
        try:
            seen.add(server.ask("POST", "/predict", BODY)[0])
        except (OSError, http.client.HTTPException):
            seen.add(0)
    return seen


def test_a_process_that_is_lost_comes_back(server):
    lost = fronts(server)[0]
    os.kill(lost, signal.SIGKILL)
    assert 200 in answered_in(server, 30)
    until = time.monotonic() + 30
    while len(set(fronts(server)) - {lost}) < PROCESSES and time.monotonic() < until:
        time.sleep(0.1)
    assert len(set(fronts(server)) - {lost}) == PROCESSES
    assert [event["takes"] for event in server.said("process lost", awaited=1)] == ["requests"]


def test_a_model_that_is_lost_is_503_and_then_back_and_sigterm_answers_what_was_accepted(server):
    os.kill(server.said("model ready")[0]["process"], signal.SIGKILL)
    assert answered_in(server, 60) in ({503, 200}, {200})
    assert len(server.said("model lost", awaited=1)) == 1
    statuses: list[int] = []
    sent = threading.Barrier(9)

    def call() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        connection.request("POST", "/predict", json.dumps({"texts": ["a long text " * 40] * 16}))
        sent.wait()
        statuses.append(connection.getresponse().status)
        connection.close()

    callers = [threading.Thread(target=call) for _ in range(8)]
    for caller in callers:
        caller.start()
    sent.wait()
    server.read_all()
    assert server.stop() == 0
    for caller in callers:
        caller.join(60)
    assert statuses == [200] * 8
    assert len(server.said("ended")) == 1
    assert server.said("fault") == []


def test_a_server_whose_processes_cannot_start_says_so():
    async def whole() -> None:
        local = SimpleNamespace(ready=True, failure=None, batcher=SimpleNamespace(drop=lambda requests: None))
        settings = {"folder": "/nowhere", "body_bytes": 1, "rows": 1, "timeout_s": 1.0, "most_waiting": 1, "say": False}
        own = Fronts(local, ("127.0.0.1", 0), socket.AF_INET, settings, None, lambda *said, **facts: None)
        try:
            with pytest.raises(PackageError, match="one ended, or was not ready"):
                await own.start(1)
        finally:
            await own.stop()

    asyncio.run(whole())
