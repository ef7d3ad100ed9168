"""`temper optimize` on the tiny study, killed and started again."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from temper.optimize.record import lines

ROOT = Path(__file__).parents[2]
# at ten moments: while the float file is made, others are, and candidates race; each start goes on where the last one was
KILLED_AFTER_S = np.random.default_rng(27).uniform(12, 75, 10).round().tolist()


def started(study):
    command = [sys.executable, "-P", "-m", "temper.cli", "optimize", "-C", str(study), "--minutes", "2"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )


def children(pid):
    listed = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False
    ).stdout
    found = [int(each) for each in listed.split()]
    return [*found, *(own for each in found for own in children(each))]


def kill(running):
    """The command and all that it started, at once."""
    for pid in [running.pid, *children(running.pid)]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    running.communicate()


@pytest.mark.long  # twelve minutes: a study made, sixty candidates timed, and its winner measured
def test_a_search_that_is_killed_goes_on_and_nothing_is_timed_or_made_twice(tmp_path):
    shutil.copy(ROOT / "tests/workflow/params.tiny.yaml", tmp_path / "params.yaml")
    record = tmp_path / "optimize/trials/record.jsonl"
    kept = b""
    for after_s in KILLED_AFTER_S:
        running = started(tmp_path)
        time.sleep(after_s)
        kill(running)
        now = record.read_bytes() if record.is_file() else b""
        assert now.startswith(kept)
        kept = now[: now.rfind(b"\n") + 1]
    running = started(tmp_path)
    said, _ = running.communicate(timeout=600)
    assert running.returncode == 0, said
    assert record.read_bytes().startswith(kept)
    answered = Counter((line["point"], line["reference"]) for line in lines(record) if line["kind"] == "answers")
    assert set(answered.values()) == {1}
    assert sum(line["kind"] == "applies" for line in lines(record)) == 1
    goal = tmp_path / "optimize/latency-b2-s16"
    found = json.loads((goal / "search.json").read_text(encoding="utf-8"))
    assert found["incumbents"][0] == "baseline"
    assert (goal / "search.svg").read_text(encoding="utf-8").startswith("<svg")
    made = {
        path: path.stat().st_mtime_ns for path in (tmp_path / "optimize/trials/artifacts/onnx").glob("*/model.onnx")
    }
    again = started(tmp_path)
    said, _ = again.communicate(timeout=600)
    assert again.returncode == 0, said
    assert {path: path.stat().st_mtime_ns for path in made} == made
    assert json.loads((goal / "search.json").read_text(encoding="utf-8"))["incumbents"][0] == "baseline"
