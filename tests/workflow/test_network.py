"""'No network' is meant: no command asks anything of one, and leaves no number of this machine in the home folder."""

import shutil
import subprocess
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


@pytest.mark.long
def test_a_study_from_its_data_to_an_answer_asks_nothing_of_a_network(recorder, code, tmp_path):
    """New study, plan, run, table, predict; report, package and serve where this version has them."""
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
    assert {command: asked for command, asked in told.items() if asked} == {}
    assert [file for file in recorder.written_at_home() if not file.startswith(CACHES)] == []
