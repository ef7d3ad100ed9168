"""LoadGen's traffic through Triton: which one is taken; the real one in a long test."""

import subprocess

import pytest

from temper.errors import Unavailable
from temper.package.through.triton import TRITON, installed
from tests.tiny_study import TEST_ROWS
from tests.unit.package.test_served import load_test


def test_without_a_triton_it_is_not_measured(tmp_path, monkeypatch):
    monkeypatch.delenv(TRITON, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Unavailable, match="there is no tritonserver on the path"):
        installed(tmp_path / "backends")
    monkeypatch.setenv(TRITON, str(tmp_path))
    with pytest.raises(Unavailable, match="no virtual environment with nvidia-pytriton"):
        installed(tmp_path / "backends")


def test_the_one_on_the_path_has_its_backends_beside_it(tmp_path, monkeypatch):
    program = tmp_path / "opt/bin/tritonserver"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.delenv(TRITON, raising=False)
    monkeypatch.setenv("PATH", str(program.parent))
    found = installed(tmp_path / "backends")
    assert (found.program, found.backends, found.environment) == (program, tmp_path / "opt/backends", {})


@pytest.mark.long  # 560 MB are installed
def test_traffic_goes_through_a_real_triton_and_the_answers_are_the_runners(tiny_study, tmp_path, monkeypatch):
    from importlib.metadata import version

    from tests.real_triton import PYTRITON, environment
    from tests.real_triton import TRITON as NEEDED

    here = [f"{name}=={version(name)}" for name in ("tokenizers", "onnxruntime")]
    python = environment(tmp_path / "venv", *NEEDED, *here)
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-deps", PYTRITON], check=True, capture_output=True)
    monkeypatch.setenv(TRITON, str(tmp_path / "venv"))
    found = load_test(tiny_study, through="triton", scenario="offline")
    served = found["served"]
    print(f"{served['server']}: batches by their rows {served['batches']}")
    assert found["run"]["samples_per_s"] > 0
    assert (served["samples"], served["labels_differing"]) == (TEST_ROWS, 0)
    assert served["server"].startswith("triton 2.")
    assert "8" in served["batches"]
