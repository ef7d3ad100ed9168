"""LoadGen's queries over a real socket, answered by a server of a few lines."""

import asyncio
import json
import threading
from types import SimpleNamespace

import pytest

from temper.errors import LoadTestError
from temper.load_test.socket_system import Endpoint, SocketSystem, labels_of, requests_of

ROWS = [["a charming film"], ["ein schönes „Stück“"], ["refuse me"]]


@pytest.fixture
def endpoint():
    """A server that answers each text with itself, in the protocol's form; one of them with 503; the bytes it got."""
    started, stop, seen = threading.Event(), asyncio.Event(), []
    place: dict = {}

    async def answer(reader, writer):
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(
                    next(line for line in head.split(b"\r\n") if line.startswith(b"Content-Length")).split(b":")[1]
                )
                asked = json.loads(await reader.readexactly(length))
                seen.append((head.split(b" ")[1].decode(), asked))
                (text,) = asked["inputs"][0]["data"]
                refused = text == "refuse me"
                status = b"503 Service Unavailable" if refused else b"200 OK"
                body = b'{"error": "too much"}' if refused else json.dumps({"outputs": [{"data": [text]}]}).encode()
                writer.write(b"HTTP/1.1 %s\r\ncontent-length: %d\r\n\r\n" % (status, len(body)) + body)
        except asyncio.IncompleteReadError:
            writer.close()

    async def serve():
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        place["port"], place["loop"] = server.sockets[0].getsockname()[1], asyncio.get_running_loop()
        started.set()
        await stop.wait()
        server.close()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    started.wait()
    yield Endpoint("127.0.0.1", place["port"], "/v2/models/it/infer", 0), seen
    place["loop"].call_soon_threadsafe(stop.set)
    thread.join()


class Loadgen:
    """Keeps what was completed."""

    def __init__(self):
        self.completed = []

    def QuerySamplesComplete(self, responses):  # noqa: N802
        self.completed += responses

    @staticmethod
    def QuerySampleResponse(identity, data, size):  # noqa: N802
        return identity


def samples(*indices):
    return [SimpleNamespace(id=100 + index, index=index) for index in indices]


def run(system, *queries):
    def start_test(issue):
        for query in queries:
            issue(query)
        while system.samples < sum(map(len, queries)):
            threading.Event().wait(0.005)

    system.run(start_test)


def test_each_sample_is_a_request_of_its_text(endpoint):
    where, seen = endpoint
    requests = requests_of(where, ROWS)
    assert labels_of(where, requests[:2], 2) == [ROWS[0][0], ROWS[1][0]]
    loadgen = Loadgen()
    system = SocketSystem(loadgen, where, requests, 2)
    run(system, samples(0, 1, 0), samples(1))
    assert (sorted(loadgen.completed), system.samples, system.failure) == ([100, 100, 101, 101], 4, None)
    path, asked = seen[0]
    assert (path, asked["inputs"][0]["shape"], asked["inputs"][0]["datatype"]) == (
        "/v2/models/it/infer",
        [1, 1],
        "BYTES",
    )


def test_a_refusal_is_kept_in_its_words_and_every_sample_completed(endpoint):
    where, _ = endpoint
    requests, loadgen = requests_of(where, ROWS), Loadgen()
    system = SocketSystem(loadgen, where, requests, 1)
    run(system, samples(0, 2, 1, 0))
    assert len(loadgen.completed) == 4
    assert isinstance(system.failure, LoadTestError)
    assert 'it answered 503: {"error": "too much"}' in system.failure.happened
    with pytest.raises(LoadTestError, match="it answered 503"):
        labels_of(where, requests, 1)


def test_what_starts_the_test_may_fail(endpoint):
    where, _ = endpoint

    def start_test(issue):
        raise RuntimeError("no settings")

    with pytest.raises(RuntimeError, match="no settings"):
        SocketSystem(Loadgen(), where, requests_of(where, ROWS), 1).run(start_test)
