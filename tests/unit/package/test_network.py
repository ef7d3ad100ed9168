"""`temper package` and `temper serve` ask nothing of a network, from the first look at the study to the last answer."""

import http.client
import json
import os
import signal
from pathlib import Path

import pytest

from temper.environment.machine import SOURCE_ROOT
from tests.workflow.recorder import Recorder

pytestmark = pytest.mark.long
PATIENCE_S = 300


@pytest.fixture
def recorder(tmp_path: Path) -> Recorder:
    return Recorder(tmp_path / "recorder")


def test_a_package_is_written_and_asks_nothing(recorder, made, tmp_path):
    arguments = ("package", "--to", str(tmp_path / "package"), "--candidate", "quick")
    done, asked = recorder.run("temper.cli", *arguments, source=SOURCE_ROOT, cwd=made, patience_s=PATIENCE_S)
    assert done.returncode == 0, done.stderr
    assert asked == []
    assert recorder.written_at_home() == []


def test_a_server_starts_answers_and_ends_and_asks_nothing(recorder, made):
    arguments = ("serve", "--candidate", "quick", "--port", "0")
    server = recorder.start("temper.cli", *arguments, source=SOURCE_ROOT, cwd=made)
    try:
        serving = next(json.loads(line) for line in server.stderr if '"serving"' in line)
        connection = http.client.HTTPConnection("127.0.0.1", int(serving["url"].rpartition(":")[2]), timeout=60)
        for body in ('{"texts": ["a charming film"]}', "no JSON"):
            connection.request("POST", "/predict", body)
            assert connection.getresponse().read()
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.communicate(timeout=PATIENCE_S)
    assert recorder.asked() == []
    assert recorder.written_at_home() == []
