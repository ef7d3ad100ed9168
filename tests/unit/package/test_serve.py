"""`python -m package_runtime serve`: a real server in a process of its own, asked over its socket."""

import base64
import http.client
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

TEXTS = ["a charming film", "the plot is dull"]
BODY_MIB, MOST_ROWS = 0.05, 16


class Server:
    """A server's process; `ask` sends it a request."""

    def __init__(self, folder: Path, *arguments: str, env: dict[str, str] | None = None) -> None:
        command = [sys.executable, "-s", "-E", "-B", "-m", "package_runtime", "serve", "--port", "0", *arguments]
        environment = {key: value for key, value in os.environ.items() if key != "PACKAGE_API_KEY"} | (env or {})
        self.process = subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True)
        assert self.process.stderr is not None
        self.events: list[dict] = []
        for line in self.process.stderr:
            self.events.append(json.loads(line))
            if self.events[-1]["event"] == "serving":
                break
        self.port = int(self.events[-1]["url"].rpartition(":")[2])
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()

    def _read(self) -> None:
        for line in self.process.stderr:
            self.events.append(json.loads(line))

    def ask(self, method: str, path: str, body: bytes | str | None = None, **headers: str):
        """Status, headers and content of the answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, named)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, dict(answer.getheaders()), content

    def said(self, event: str, *, awaited: int = 0, patience_s: float = 30.0, **fields: str) -> list[dict]:
        """Events of this kind in its log, which comes a little behind what it tells of: after so many, or after this time."""
        until, fields = time.monotonic() + patience_s, {**fields, "event": event}
        while True:
            found = [
                own for own in list(self.events) if all(own.get(name) == wanted for name, wanted in fields.items())
            ]
            if len(found) >= awaited or time.monotonic() >= until:
                return found
            time.sleep(0.01)

    def read_all(self, patience_s: float = 30.0) -> None:
        """Wait until the server has accepted every connection and read every byte that was sent to it.

        The kernel keeps what it has not read: connections in the queue of the listening socket, bytes in those of the others.
        """
        until, port = time.monotonic() + patience_s, f":{self.port:04X}"
        while self.process.poll() is None:
            rows = [line.split() for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]]
            queues = [queue for _, own, other, _, queue, *_ in rows if port in (own[-5:], other[-5:])]
            if all(set(queue) <= set("0:") for queue in queues):
                return
            assert time.monotonic() < until, queues
            time.sleep(0.001)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(90)
        self._reading.join(5)
        return code


@pytest.fixture(scope="module")
def server(package):
    own = Server(package, "--timeout-s", "1", "--max-body-mib", str(BODY_MIB), "--max-rows", str(MOST_ROWS))
    yield own
    own.stop()


def answers_of(package: Path, texts: list[str]) -> list[dict]:
    """What the package answers without a server."""
    command = [sys.executable, "-s", "-E", "-B", "-m", "package_runtime", "--json", *texts]
    lines = subprocess.run(command, cwd=package, capture_output=True, text=True, check=True).stdout.splitlines()
    return [json.loads(line) for line in lines]


def test_predict_answers_as_the_package_does(server, package):
    status, headers, content = server.ask("POST", "/predict", json.dumps({"texts": TEXTS}), X_Request_ID="mine-1")
    found = json.loads(content)
    assert (status, headers["x-request-id"], found["model"]) == (200, "mine-1", "tiny")
    wanted = answers_of(package, TEXTS)
    assert [answer["label"] for answer in found["answers"]] == [answer["label"] for answer in wanted]
    for mine, theirs in zip(found["answers"], wanted, strict=True):
        assert mine["confidence"] == pytest.approx(theirs["confidence"], abs=1e-5)
    assert server.said("request", awaited=1, id="mine-1")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"text": ["a"]}, "the body has no 'texts', but 'text'"),
        ({}, "the body has no 'texts'"),
        ({"texts": ["a"], "id": 1}, "the body has 'id' beside 'texts'"),
        ({"texts": "a"}, "'texts' is no list"),
        (["a"], "the body is no JSON object"),
    ],
)
def test_what_is_wrong_with_a_body_is_said_of_it(server, body, said):
    status, _, content = server.ask("POST", "/predict", json.dumps(body))
    assert status == 400
    assert json.loads(content)["error"] == f'{said}: send a JSON object with one list alone, {{"texts": […]}}'


def test_a_port_that_none_can_be_is_refused_before_the_model_is_loaded(package):
    command = [sys.executable, "-s", "-E", "-B", "-m", "package_runtime", "serve", "--port", "99999"]
    done = subprocess.run(command, cwd=package, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert "ports go from 0 to 65535" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_files_name_is_answered_as_a_text_with_a_note(package):
    command = [sys.executable, "-s", "-E", "-B", "-m", "package_runtime", "labels.txt"]
    done = subprocess.run(command, cwd=package, capture_output=True, text=True, check=True)
    assert done.stderr == "note: 'labels.txt' is a file, and its name is answered; - < FILE answers each line\n"
    assert "labels.txt" in done.stdout


def test_one_that_is_ended_while_it_loads_leaves_no_traceback(package, tmp_path):
    log = tmp_path / "log"
    command = [sys.executable, "-s", "-E", "-B", "-m", "package_runtime", "serve", "--port", "0"]
    with log.open("w") as file, subprocess.Popen(command, cwd=package, stderr=file, stdout=file) as process:
        until = time.monotonic() + 30
        while not children_of(process.pid) and time.monotonic() < until:
            time.sleep(0.01)
        worker = children_of(process.pid)[0]
        process.send_signal(signal.SIGTERM)
        process.wait(30)
        while Path(f"/proc/{worker}").is_dir() and time.monotonic() < until:
            time.sleep(0.05)
    assert "Traceback" not in log.read_text(encoding="utf-8")


def children_of(process: int) -> list[int]:
    """Numbers of the processes that one has started."""
    return [int(number) for number in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def infer(**update):
    tensor = {"name": "TEXT", "shape": [2, 1], "datatype": "BYTES", "data": TEXTS, **update}
    return json.dumps({"id": "7", "inputs": [tensor]})


def test_the_open_inference_protocol_is_spoken(server, package):
    status, _, content = server.ask("GET", "/v2/models/tiny")
    assert (status, json.loads(content)["inputs"]) == (200, [{"name": "TEXT", "datatype": "BYTES", "shape": [-1, 1]}])
    for path in (
        "/v2",
        "/v2/health/live",
        "/v2/health/ready",
        "/v2/models/tiny/ready",
        "/v2/models/tiny/versions/1/ready",
    ):
        assert server.ask("GET", path)[0] == 200
    status, _, content = server.ask("POST", "/v2/models/tiny/infer", infer())
    found = json.loads(content)
    assert (status, found["id"], found["model_name"]) == (200, "7", "tiny")
    labels = {output["name"]: output["data"] for output in found["outputs"]}["LABEL"]
    assert labels == [answer["label"] for answer in answers_of(package, TEXTS)]


def test_tensors_may_stand_behind_the_json_in_bytes(server):
    packed = b"".join(struct.pack("<I", len(text)) + text.encode() for text in TEXTS)
    tensor = {"name": "TEXT", "shape": [2, 1], "datatype": "BYTES", "parameters": {"binary_data_size": len(packed)}}
    wanted = [{"name": "CONFIDENCES", "parameters": {"binary_data": True}}, {"name": "LABEL"}]
    head = json.dumps({"inputs": [tensor], "outputs": wanted}).encode()
    status, headers, content = server.ask(
        "POST", "/v2/models/tiny/infer", head + packed, Inference_Header_Content_Length=str(len(head))
    )
    size = int(headers["inference-header-content-length"])
    first, second = json.loads(content[:size])["outputs"]
    assert (status, first["parameters"]["binary_data_size"], len(content) - size) == (200, 16, 16)
    values = struct.unpack("<4f", content[size:])
    assert values[0] + values[1] == pytest.approx(1)
    assert len(second["data"]) == 2


def test_metrics_and_the_page_that_says_how_it_is_asked(server):
    server.ask("POST", "/predict", json.dumps({"texts": TEXTS}))
    status, _, content = server.ask("GET", "/metrics")
    assert status == 200
    assert b'package_requests_total{route="/predict",status="200"}' in content
    assert b"package_ready 1.0" in content
    _, _, content = server.ask("GET", "/openapi.json")
    paths = json.loads(content)["paths"]
    example = paths["/predict"]["post"]["requestBody"]["content"]["application/json"]["example"]
    assert server.ask("POST", "/predict", json.dumps(example))[0] == 200
    example = paths["/v2/models/tiny/infer"]["post"]["requestBody"]["content"]["application/json"]["example"]
    assert server.ask("POST", "/v2/models/tiny/infer", json.dumps(example))[0] == 200
    status, _, content = server.ask("GET", "/docs")
    assert status == 200
    assert b"http" not in content.replace(b"<!doctype html>", b"").lower()  # it loads nothing from elsewhere


MANY = ["a text"] * (MOST_ROWS + 1)
HOSTILE = {
    "no JSON": ("POST", "/predict", b"x", 400),
    "nothing": ("POST", "/predict", b"", 400),
    "no UTF-8": ("POST", "/predict", b'{"texts": ["\xff\xfe"]}', 400),
    "half a surrogate": ("POST", "/predict", b'{"texts": ["\\ud800"]}', 400),
    "nested too deep": ("POST", "/predict", b"[" * 20000, 400),
    "no object": ("POST", "/predict", b"[1]", 400),
    "a number": ("POST", "/predict", b'{"texts": [1]}', 400),
    "null": ("POST", "/predict", b'{"texts": [null]}', 400),
    "a pair": ("POST", "/predict", b'{"texts": [["a", "b"]]}', 400),
    "an empty text": ("POST", "/predict", b'{"texts": [" "]}', 400),
    "a NUL": ("POST", "/predict", b'{"texts": ["a\\u0000"]}', 400),
    "no rows": ("POST", "/predict", b'{"texts": []}', 400),
    "texts as a text": ("POST", "/predict", b'{"texts": "a"}', 400),
    "another key": ("POST", "/predict", b'{"text": ["a"]}', 400),
    "not a number": ("POST", "/predict", b'{"texts": [NaN]}', 400),
    "an endless number": ("POST", "/predict", b'{"texts": [' + b"9" * 6000 + b"]}", 400),
    "too many rows": ("POST", "/predict", json.dumps({"texts": MANY}), 413),
    "too large": ("POST", "/predict", json.dumps({"texts": ["a" * 60000]}), 413),
    "another method": ("GET", "/predict", None, 405),
    "a deletion": ("DELETE", "/v2/models/tiny", None, 405),
    "another path": ("GET", "/../../etc/passwd", None, 404),
    "another model": ("POST", "/v2/models/other/infer", infer(), 404),
    "another version": ("POST", "/v2/models/tiny/versions/2/infer", infer(), 404),
    "a model's name that is none": ("GET", "/v2/models/%ff%00", None, 404),
    "another tensor": ("POST", "/v2/models/tiny/infer", infer(name="INPUT"), 400),
    "another type": ("POST", "/v2/models/tiny/infer", infer(datatype="INT64"), 400),
    "another shape": ("POST", "/v2/models/tiny/infer", infer(shape=[3, 1]), 400),
    "a shape below 0": ("POST", "/v2/models/tiny/infer", infer(shape=[-2, -1]), 400),
    "a shape of true": ("POST", "/v2/models/tiny/infer", infer(shape=[True, 1]), 400),
    "a shape of three": ("POST", "/v2/models/tiny/infer", infer(shape=[1, 2, 1]), 400),
    "an endless shape": ("POST", "/v2/models/tiny/infer", infer(shape=[10**15, 1]), 400),
    "data of numbers": ("POST", "/v2/models/tiny/infer", infer(data=[1, 2]), 400),
    "no data": ("POST", "/v2/models/tiny/infer", infer(data=None), 400),
    "bytes that were not sent": ("POST", "/v2/models/tiny/infer", infer(parameters={"binary_data_size": 8}), 400),
    "no tensors": ("POST", "/v2/models/tiny/infer", b'{"inputs": []}', 400),
    "two tensors": ("POST", "/v2/models/tiny/infer", b'{"inputs": [{}, {}]}', 400),
    "inputs of numbers": ("POST", "/v2/models/tiny/infer", b'{"inputs": [1]}', 400),
    "another output": (
        "POST",
        "/v2/models/tiny/infer",
        json.dumps({**json.loads(infer()), "outputs": [{"name": "x"}]}),
        400,
    ),
    "outputs of a number": ("POST", "/v2/models/tiny/infer", json.dumps({**json.loads(infer()), "outputs": 3}), 400),
    "an id that is none": ("POST", "/v2/models/tiny/infer", json.dumps({**json.loads(infer()), "id": 3}), 400),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_request_gets_a_sentence_and_the_server_goes_on(server, name):
    method, path, body, wanted = HOSTILE[name]
    status, _, content = server.ask(method, path, body)
    assert status == wanted, content
    assert json.loads(content)["error"].count(" ") > 3
    assert server.ask("GET", "/v2/health/ready")[0] == 200


def exchange(server: Server, *parts: bytes, pause_s: float = 0.0) -> bytes:
    """Bytes as they are, on a connection of their own; the answer until it is closed."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        for part in parts:
            connection.sendall(part)
            time.sleep(pause_s)
        connection.shutdown(socket.SHUT_WR)
        found = b""
        while part := connection.recv(65536):
            found += part
    return found


HEAD = b"POST /predict HTTP/1.1\r\nHost: x\r\n"


@pytest.mark.parametrize(
    ("sent", "wanted"),
    [
        (b"\x16\x03\x01 this is no HTTP\r\n\r\n", b"400"),
        (HEAD + b"Content-Length: nine\r\n\r\n", b"400"),
        (HEAD + b"Content-Length: 99999999999\r\n\r\n", b"413"),
        (HEAD + b"Content-Length: 5\r\nInference-Header-Content-Length: 9\r\n\r\n{}   ", b"400"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", b"400"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + (b"1000\r\n" + b" " * 4096 + b"\r\n") * 20, b"413"),
    ],
)
def test_bytes_that_are_no_request_are_refused(server, sent, wanted):
    assert exchange(server, sent).split(b" ")[1] == wanted
    assert server.ask("GET", "/v2/health/ready")[0] == 200


def test_a_body_that_does_not_come_is_not_waited_for(server):
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(HEAD + b"Content-Length: 50\r\n\r\n{")
        assert connection.recv(4096).split(b" ")[1] == b"408"
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(HEAD + b"Content-Length: 50\r\n\r\n{")  # and is gone
    assert server.ask("POST", "/predict", json.dumps({"texts": TEXTS}))[0] == 200


def test_none_of_it_was_a_fault_of_the_servers(server):
    server.ask("GET", "/v2/health/live")
    assert server.said("fault") == []
    assert [event for event in server.said("request") if event["status"] >= 500] == []


def test_a_key_is_asked_where_there_is_one(package, tmp_path):
    (tmp_path / "key").write_text("secret\n")
    own = Server(package, "--api-key-file", str(tmp_path / "key"))
    try:
        body = json.dumps({"texts": TEXTS})
        assert own.events[-1]["api_key"] == "callers send the key"
        status, headers, content = own.ask("POST", "/predict", body)
        assert (status, headers["www-authenticate"]) == (401, "Bearer")
        assert "no API key" in json.loads(content)["error"]
        assert own.ask("POST", "/predict", body, X_API_Key="other")[0] == 401
        assert own.ask("GET", "/metrics")[0] == 401
        assert own.ask("GET", "/v2/health/ready")[0] == 200
        assert own.ask("POST", "/predict", body, X_API_Key="secret")[0] == 200
        assert own.ask("POST", "/predict", body, Authorization="Bearer secret")[0] == 200
    finally:
        assert own.stop() == 0


def test_a_model_that_is_lost_is_503_and_then_back_and_sigterm_answers_what_was_accepted(package):
    own = Server(package)
    body = json.dumps({"texts": TEXTS})
    try:
        os.kill(own.said("model ready")[0]["process"], signal.SIGKILL)
        seen = []
        until = time.monotonic() + 60
        while time.monotonic() < until and (200 not in seen or 503 not in seen):
            status, headers, content = own.ask("POST", "/predict", body)
            seen.append(status)
            if status == 503:
                assert headers["retry-after"] == "1"
                assert "another one is being started" in json.loads(content)["error"] or "started again" in str(content)
        assert set(seen) == {200, 503}
        assert seen[-1] == 200
        assert len(own.said("model lost", awaited=1)) == 1
        statuses: list[int] = []
        sent = threading.Barrier(9)

        def call() -> None:
            with socket.create_connection(("127.0.0.1", own.port), timeout=30) as connection:
                texts = json.dumps({"texts": ["a long text " * 40] * 200}).encode()
                connection.sendall(HEAD + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(texts) + texts)
                sent.wait()
                first = connection.recv(12)
                statuses.append(int(first.split(b" ")[1]))

        callers = [threading.Thread(target=call) for _ in range(8)]
        for caller in callers:
            caller.start()
        sent.wait()
        own.read_all()
    finally:
        code = own.stop()
    for caller in callers:
        caller.join(30)
    assert (code, statuses) == (0, [200] * 8)
    assert len(own.said("ended")) == 1


def test_where_a_new_shape_costs_few_lengths_are_served_and_each_is_warmed_up():
    from types import SimpleNamespace

    from temper.package.runtime.batches import Padding
    from temper.package.runtime.budget import Budget
    from temper.package.runtime.serve import served_padding, warm_shapes

    def package(multiple):
        calls = {} if multiple is None else {"served_multiple_of": multiple}
        return SimpleNamespace(padding=Padding("right", {}, {}, 1, 20, ()), manifest={"calls": calls})

    budget = Budget(64, 8, packed=False)
    assert [served_padding(package(8)).length(tokens) for tokens in (1, 8, 9, 17)] == [8, 8, 16, 20]
    assert warm_shapes(package(8), budget) == [(1, 8), (1, 20), (8, 8), (1, 16), (4, 16), (3, 20)]
    for plain in (1, None):  # None: a package of before
        assert served_padding(package(plain)).length(9) == 9
        assert warm_shapes(package(plain), budget) == [(1, 8), (1, 20), (3, 20)]


def test_what_cannot_be_served_is_refused_before_it_listens(package, tmp_path):
    def refused(*arguments: str) -> str:
        command = [sys.executable, "-s", "-E", "-B", "-m", "package_runtime", "serve", *arguments]
        done = subprocess.run(command, cwd=package, capture_output=True, text=True)
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
        return done.stderr

    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert "fix:      name another with --host and --port" in refused("--port", str(taken.getsockname()[1]))
    assert "it is not above 0" in refused("--max-rows", "0")
    (tmp_path / "empty").touch()
    assert "it is empty" in refused("--api-key-file", str(tmp_path / "empty"))


def test_an_altered_artifact_is_not_served(package, tmp_path):
    import shutil

    folder = tmp_path / "altered"
    shutil.copytree(package, folder)
    model = folder / "model/model.onnx"
    model.write_bytes(model.read_bytes()[:-1] + b"x")
    command = [sys.executable, "-s", "-E", "-B", "-m", "package_runtime", "serve", "--port", "0"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 1
    assert "model.onnx is not the file that was packaged" in done.stderr


def test_base64_is_used():  # of images, whose bytes JSON cannot hold
    from temper.package.runtime.errors import InputError
    from temper.package.runtime.protocol import unbase64

    assert unbase64(base64.b64encode(b"\x89PNG").decode()) == b"\x89PNG"
    with pytest.raises(InputError, match="no base64"):
        unbase64("?")


@pytest.mark.long  # the requests of each kind once are in every run
def test_a_thousand_hostile_requests_and_twenty_thousand_good_ones_leave_the_server_as_it_was(package):
    own = Server(package, "--quiet", "--timeout-s", "10", "--max-body-mib", str(BODY_MIB), "--max-rows", str(MOST_ROWS))
    try:
        statuses: list[int] = []
        body = json.dumps({"texts": TEXTS})

        def call(count: int) -> None:
            connection = http.client.HTTPConnection("127.0.0.1", own.port, timeout=60)
            for _ in range(count):
                connection.request("POST", "/predict", body)
                answer = connection.getresponse()
                answer.read()
                statuses.append(answer.status)
            connection.close()

        def at_once(count: int) -> None:
            callers = [threading.Thread(target=call, args=(count,)) for _ in range(8)]
            for caller in callers:
                caller.start()
            for caller in callers:
                caller.join()

        def memory() -> int:
            processes = [psutil.Process(own.process.pid), *psutil.Process(own.process.pid).children()]
            return sum(process.memory_info().rss for process in processes)

        at_once(250)  # what is taken once and kept
        for _ in range(25):
            for method, path, content, wanted in HOSTILE.values():
                status, _, answered = own.ask(method, path, content)
                assert status == wanted, answered
        before = memory()
        at_once(2500)
        after = memory()
        print(f"{len(statuses):,} requests: {before / 2**20:.1f} MiB before, {after / 2**20:.1f} MiB after")
        assert set(statuses) == {200}
        assert after < 1.02 * before
        assert own.said("fault") == []
    finally:
        assert own.stop() == 0
