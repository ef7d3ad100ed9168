import os
from types import SimpleNamespace

import pytest

from temper.measurement.gpu_watch import GpuWatch, watch_gpus


class Nvml:
    """NVML of one GPU: numbers of the processes on it, their samples, a clock and why it is held back."""

    class NVMLError(Exception):
        pass

    NVML_CLOCK_SM = 1

    def __init__(self, samples=(), pids=(), told=True):
        self.samples, self.pids, self.told, self.asked_since = list(samples), list(pids), told, []
        self.nvmlClocksEventReasonSwPowerCap = 4

    def nvmlDeviceGetComputeRunningProcesses(self, handle):  # noqa: N802
        return [SimpleNamespace(pid=pid) for pid in self.pids]

    def nvmlDeviceGetProcessUtilization(self, handle, since):  # noqa: N802
        self.asked_since.append(since)
        if not self.told:
            raise self.NVMLError("Not Supported")
        return [SimpleNamespace(pid=pid, smUtil=share, timeStamp=at) for pid, share, at in self.samples]

    def nvmlDeviceGetCurrentClocksEventReasons(self, handle):  # noqa: N802
        return 4

    def nvmlDeviceGetClockInfo(self, handle, kind):  # noqa: N802
        return 1980


OWN, OTHER = os.getpid(), 1  # process 1 is there, and started this one: see below


@pytest.fixture(autouse=True)
def _process_1_is_somebody_elses(monkeypatch):
    from temper.measurement import gpu_watch

    monkeypatch.setattr(
        gpu_watch.psutil, "Process", lambda: SimpleNamespace(parents=list, children=lambda recursive: [])
    )


def watch(nvml, share=0.05):
    return GpuWatch(nvml, ["gpu"], share)


def test_another_process_that_computes_disturbs():
    nvml = Nvml(samples=[(OTHER, 60, 10), (OWN, 90, 12)], pids=[OWN, OTHER])
    own = watch(nvml)
    assert own.look() == "process 1 takes 60 % of GPU 0"
    assert own.found() == {
        "other_processes": 1,
        "others_utilization_percent": 60.0,
        "sm_clock_mhz": [1980, 1980],
        "throttle_reasons": ["SwPowerCap"],
    }
    own.look()
    assert nvml.asked_since == [0, 12]


def test_another_process_that_only_holds_memory_disturbs_nobody():
    own = watch(Nvml(samples=[(OTHER, 0, 10)], pids=[OWN, OTHER]))
    assert own.look() is None
    assert own.found()["other_processes"] == 1


def test_processes_by_numbers_of_another_view_are_nobodys():
    own = watch(Nvml(samples=[(3_999_999, 90, 10)], pids=[3_999_999]))
    assert own.look() is None
    assert own.found()["other_processes"] == 0


def test_a_driver_that_does_not_tell_is_no_error():
    own = watch(Nvml(pids=[OWN, OTHER], told=False))
    assert own.look() is None
    assert own.found()["others_utilization_percent"] is None


def test_without_a_gpu_there_is_no_watch():
    assert watch_gpus([], 0.05) is None
