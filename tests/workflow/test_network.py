"""'No network' is meant: no command asks anything of one, and leaves no number of this machine in the home folder."""

import json
import os
import shutil
import signal
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest

from tests.user_checkpoint import save_checkpoint, save_rows
from tests.workflow.conftest import PATIENCE_S
from tests.workflow.recorder import Recorder

# a library's own cache of fonts, kernels and the like is no report
CACHES = (
    ".cache/matplotlib/",
    ".config/matplotlib/",
    ".cache/snakemake/",
    ".cache/dvc/",
    ".local/share/dvc/",
    ".cache/torch/",
)
REPORTS_AFTER_S = 40  # ONNX Runtime looks up whom it reports to after some 25

TELLS = """
import urllib.request
try:
    urllib.request.urlopen("http://example.invalid/", timeout=5)
except OSError:
    pass
"""


@pytest.fixture
def recorder(tmp_path: Path) -> Recorder:
    return Recorder(tmp_path / "recorder")


def test_the_recorder_sees_a_look_up(recorder, tmp_path):
    (tmp_path / "tells.py").write_text(TELLS)
    done, asked = recorder.run("tells", source=tmp_path, cwd=tmp_path, patience_s=60)
    assert done.returncode == 0, done.stderr
    assert any("example.invalid" in line for line in asked)
    assert not recorder.sees_compiled_code or any(line.startswith("connect ") for line in asked)


def asked_while_serving(recorder: Recorder, checkout: Path, package: Path) -> list[str]:
    """What a server asked of a network: it has answered, and stayed longer than a library waits with its report."""
    server = recorder.start(
        *("temper.cli", "serve", "--package", str(package), "--port", "0"), source=checkout / "src", cwd=checkout
    )
    events: list[str] = []
    try:
        assert server.stderr is not None
        for line in server.stderr:
            events.append(line)
            if '"serving"' in line:
                break
        assert '"serving"' in events[-1], events
        address = json.loads(events[-1])["url"]
        body = json.dumps({"texts": ["a charming film"]}).encode()
        with urllib.request.urlopen(f"{address}/predict", body, timeout=PATIENCE_S) as answer:
            assert len(json.loads(answer.read())["answers"]) == 1
        time.sleep(REPORTS_AFTER_S)
        assert server.poll() is None
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.communicate(timeout=PATIENCE_S)
    return recorder.asked()


@pytest.mark.long
def test_a_study_from_its_data_to_an_answer_asks_nothing_of_a_network(recorder, code, tmp_path):
    """New study, plan, run, table, predict, report, package and serve."""
    checkout = tmp_path / "checkout"
    shutil.copytree(code, checkout)
    for name in ("dvc.yaml",):
        shutil.copy(Path(__file__).parents[2] / name, checkout / name)
    (checkout / "studies").mkdir()
    user = tmp_path / "user"
    user.mkdir()
    save_checkpoint(user / "my-model")
    save_rows(user / "reviews.tsv")
    told: dict[str, list[str]] = {}

    def temper(*arguments: str) -> "subprocess.CompletedProcess[str]":
        done, asked = recorder.run(
            "temper.cli", *arguments, source=checkout / "src", cwd=checkout, patience_s=20 * PATIENCE_S
        )
        told[" ".join(arguments[:1])] = asked
        assert done.returncode == 0, f"{arguments}\n{done.stdout}\n{done.stderr}"
        return done

    temper("init", "mine", "--model", str(user / "my-model"), "--data", str(user / "reviews.tsv"))
    folder = checkout / "studies/mine"
    shutil.copy(checkout / "params.tiny.yaml", folder / "params.yaml")  # tiny sizes, and every kind of artifact
    temper("plan", "--directory", str(folder))
    temper("run", "--directory", str(folder), "--cores", "2")
    temper("table", "--directory", str(folder))
    temper("predict", "--directory", str(folder), "--candidate", "ort-fp32", "a charming film")
    temper("report", "--directory", str(folder), "--no-browser")
    temper("package", "--directory", str(folder), "--candidate", "ort-fp32", "--anyway", "--to", str(user / "served"))
    told["serve"] = asked_while_serving(recorder, checkout, user / "served")
    assert {command: asked for command, asked in told.items() if asked} == {}
    assert [file for file in recorder.written_at_home() if not file.startswith(CACHES)] == []
