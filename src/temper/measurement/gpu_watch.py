"""Others on the GPUs while something is timed: their processes and their share of its time, clocks and why they are held back."""

import os
from collections.abc import Sequence
from typing import Any

import psutil

from temper.measurement.conditions import throttle_names


def watch_gpus(gpus: Sequence[int], busy_share: float) -> "GpuWatch | None":
    """A watch over the GPUs with these numbers; None where none is asked for, or NVML does not answer."""
    if not gpus:
        return None
    try:
        import pynvml

        pynvml.nvmlInit()
        return GpuWatch(pynvml, [pynvml.nvmlDeviceGetHandleByIndex(index) for index in gpus], busy_share)
    except Exception:  # the library is absent, or the driver does not answer: conditions_before says so
        return None


class GpuWatch:
    """Looks at GPUs through NVML. NVML stays open until the process ends.

    A process is one of the others where its number is not of this process, those that started it or those it started. Where
    the driver counts processes by other numbers than this process sees (a container), none can be told to be another's.
    """

    def __init__(self, nvml: Any, handles: Sequence[Any], busy_share: float) -> None:
        self._nvml, self._handles, self._busy_share = nvml, handles, busy_share
        self._since = [0] * len(handles)  # of the driver's samples, in µs
        self._reasons: set[str] = set()
        self._clocks: list[int] = []
        self._most: float | None = None
        self._processes = 0

    def _ask(self, call: Any, *arguments: Any) -> Any:
        try:
            return call(*arguments)
        except self._nvml.NVMLError:  # many questions have no answer on every GPU
            return None

    def look(self) -> str | None:
        """Who took more than `busy_share` of a GPU's time since the last look, in words; None for nobody."""
        here = psutil.Process()
        own = {os.getpid(), *(each.pid for each in (*here.parents(), *here.children(recursive=True)))}
        worst = None
        for number, handle in enumerate(self._handles):
            self._note(handle)
            running = self._ask(self._nvml.nvmlDeviceGetComputeRunningProcesses, handle) or []
            seen = {process.pid for process in running}
            others = seen - own if seen & own else {pid for pid in seen if psutil.pid_exists(pid)}
            self._processes = max(self._processes, len(others))
            samples = self._ask(self._nvml.nvmlDeviceGetProcessUtilization, handle, self._since[number]) or []
            self._since[number] = max([self._since[number], *(sample.timeStamp for sample in samples)])
            for sample in samples:
                if sample.pid not in others:
                    continue
                self._most = max(self._most or 0.0, float(sample.smUtil))
                if sample.smUtil > 100 * self._busy_share:
                    worst = f"process {sample.pid} takes {sample.smUtil} % of GPU {number}"
        return worst

    def _note(self, handle: Any) -> None:
        reasons = self._ask(self._nvml.nvmlDeviceGetCurrentClocksEventReasons, handle)
        if isinstance(reasons, int):
            self._reasons |= set(throttle_names(self._nvml, reasons))
        clock = self._ask(self._nvml.nvmlDeviceGetClockInfo, handle, self._nvml.NVML_CLOCK_SM)
        if isinstance(clock, int):
            self._clocks.append(clock)

    def found(self) -> dict[str, Any]:
        """What was seen so far: others' processes at most, their highest share in %, SM clocks in MHz, reasons of slower ones."""
        return {
            "other_processes": self._processes,
            "others_utilization_percent": self._most,
            "sm_clock_mhz": [min(self._clocks), max(self._clocks)] if self._clocks else None,
            "throttle_reasons": sorted(self._reasons),
        }
