import os
import stat

import pytest

from temper import devices
from temper.devices import Gpu, nvidia_gpus, parse_gpus


@pytest.fixture
def fake_tool(tmp_path, monkeypatch):
    """Puts an nvidia-smi with this shell code first on PATH."""

    def make(code):
        tool = tmp_path / "nvidia-smi"
        tool.write_text(f"#!/bin/sh\n{code}\n")
        tool.chmod(tool.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
        nvidia_gpus.cache_clear()

    yield make
    nvidia_gpus.cache_clear()


def test_each_line_is_a_gpu_and_names_may_hold_commas():
    text = "NVIDIA H100 80GB HBM3, 580.82.07\nNVIDIA X, Ti, 580.82.07\n"
    assert parse_gpus(text) == (Gpu("NVIDIA H100 80GB HBM3", "580.82.07"), Gpu("NVIDIA X, Ti", "580.82.07"))


def test_the_drivers_tool_is_asked(fake_tool):
    fake_tool('[ "$1" = "--query-gpu=name,driver_version" ] && echo "NVIDIA H100, 580.1"')
    assert nvidia_gpus() == (Gpu("NVIDIA H100", "580.1"),)


def test_a_tool_that_fails_means_no_gpu(fake_tool):
    fake_tool("echo 'NVIDIA-SMI has failed, because it could not reach the driver'; exit 9")
    assert nvidia_gpus() == ()


def test_a_tool_that_hangs_means_no_gpu(fake_tool, monkeypatch):
    monkeypatch.setattr(devices, "_TIMEOUT_S", 0.2)
    fake_tool("exec sleep 30")
    assert nvidia_gpus() == ()


def test_no_tool_means_no_gpu(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(devices, "_OTHER_PLACES", ())
    nvidia_gpus.cache_clear()
    assert nvidia_gpus() == ()
    nvidia_gpus.cache_clear()
