import os
import subprocess
import sys
import time

import pytest

from temper.devices import Gpu
from temper.errors import PipelineError
from temper.measurement import gpu_slot
from temper.measurement.gpu_slot import VISIBLE, own_gpu


@pytest.fixture(autouse=True)
def four_gpus(monkeypatch):
    monkeypatch.setattr(gpu_slot, "nvidia_gpus", lambda: (Gpu("NVIDIA H200", "580"),) * 4)
    monkeypatch.delenv(VISIBLE, raising=False)


def test_measurements_side_by_side_have_a_gpu_each(tmp_path):
    with own_gpu(3, 1, tmp_path) as first:
        assert os.environ[VISIBLE] == first == "0"
        monkey = os.environ.pop(VISIBLE)  # another process of the run sees all
        with own_gpu(3, 1, tmp_path) as second:
            assert second == "1"
        os.environ[VISIBLE] = monkey
    assert VISIBLE not in os.environ


def test_only_gpus_that_this_process_may_use_are_taken(tmp_path, monkeypatch):
    monkeypatch.setenv(VISIBLE, "2,3")
    with own_gpu(2, 1, tmp_path) as number:
        assert number == "2"
    assert os.environ[VISIBLE] == "2,3"


def test_where_all_are_held_it_waits_for_one(tmp_path):
    held = subprocess.Popen(
        [sys.executable, "-c", "import fcntl,os,sys,time\n"
         "for n in '01':\n fcntl.flock(os.open(f'{sys.argv[1]}/{n}.lock', os.O_RDWR | os.O_CREAT), fcntl.LOCK_EX)\n"
         "print('held', flush=True)\ntime.sleep(1.5)", str(tmp_path)],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert held.stdout.readline() == "held\n"
    began = time.monotonic()
    with own_gpu(2, 1, tmp_path) as number:
        assert held.poll() is not None or time.monotonic() - began > 1  # it did not take what was held
        assert number in ("0", "1")
    held.wait()
    held.stdout.close()


@pytest.mark.parametrize(("side_by_side", "gpus"), [(1, 1), (4, 0)])
def test_alone_or_without_a_gpu_nothing_is_held(tmp_path, side_by_side, gpus):
    with own_gpu(side_by_side, gpus, tmp_path) as number:
        assert number is None
    assert not list(tmp_path.iterdir())


def test_a_candidate_on_several_gpus_is_not_measured_side_by_side(tmp_path):
    with pytest.raises(PipelineError, match="asks for 2 GPUs"), own_gpu(4, 2, tmp_path):
        pass
