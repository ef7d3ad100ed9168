import os
import stat

import pytest

from temper.environment import devices
from temper.environment.devices import Gpu, compute_capabilities, gpu_indices, gpus_used, nvidia_gpus, parse_gpus


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


def test_compute_capabilities_are_the_drivers_and_an_old_tool_says_none(fake_tool):
    fake_tool('[ "$1" = "--query-gpu=compute_cap" ] && printf "9.0\\n8.9\\n"')
    assert compute_capabilities() == ((9, 0), (8, 9))
    fake_tool("echo 'Field \"compute_cap\" is not a valid field to query.'")
    assert compute_capabilities() == ()


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


@pytest.mark.parametrize(
    ("visible", "count", "first", "expected"),
    [
        (None, 0, 0, []),
        (None, 1, 0, [0]),
        (None, 1, 2, [2]),
        ("3", 1, 0, [3]),
        ("3, 1", 2, 0, [3, 1]),
        ("3,1", 1, 1, [1]),
        ("3", 1, 5, [5]),  # CUDA has none of that number: the backend says so
        ("GPU-8f2a", 1, 0, [0]),
        ("", 1, 1, [1]),
    ],
)
def test_a_backends_gpus_are_found_among_the_drivers(monkeypatch, visible, count, first, expected):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert gpu_indices(count, {"device_index": first}) == expected


def test_only_the_gpus_that_a_backend_uses_are_its_own(fake_tool):
    fake_tool("echo 'NVIDIA A, 580.1'; echo 'NVIDIA B, 580.1'")
    assert gpus_used(1, {"device_index": 1}) == [("NVIDIA B", "580.1")]
    assert gpus_used(1, {}) == [("NVIDIA A", "580.1")]
    assert gpus_used(0, {}) == []
    assert gpus_used(1, {"device_index": 7}) == []
