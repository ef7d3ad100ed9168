"""The state of the machine around a measurement: clocks, load, temperature; what moved meanwhile is said."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_GOVERNOR = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
_MOVED_SHARE = 0.1  # of a GPU's clock
_MOVED_CELSIUS = 10
_BUSY_SHARE = 0.5  # other processes' load per usable core
_BUSY_PERCENT = 10  # of a GPU's time
SHARING = (
    "utilization_percent",
    "compute_processes",
)  # what shows others on a GPU, while this run has no process there


def cpu_conditions() -> dict[str, Any]:
    """Load averages, frequency governor and the cores this process may use; None where the system does not tell."""
    load = os.getloadavg() if hasattr(os, "getloadavg") else None
    governor = _GOVERNOR.read_text().strip() if _GOVERNOR.is_file() else None
    affinity = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
    return {
        "load_average_1min": round(load[0], 2) if load else None,
        "governor": governor,
        "affinity": affinity,
    }


def _gpu(nvml: Any, index: int) -> dict[str, Any]:
    handle = nvml.nvmlDeviceGetHandleByIndex(index)

    def ask(call: Any) -> Any:
        try:
            return call()
        except nvml.NVMLError as error:  # many fields are not there on every GPU
            return f"not told: {error}"

    reasons = ask(lambda: nvml.nvmlDeviceGetCurrentClocksEventReasons(handle))
    name = ask(lambda: nvml.nvmlDeviceGetName(handle))
    return {
        "name": name if isinstance(name, str) else name.decode(),
        "driver": ask(nvml.nvmlSystemGetDriverVersion),
        "sm_clock_mhz": ask(lambda: nvml.nvmlDeviceGetClockInfo(handle, nvml.NVML_CLOCK_SM)),
        "memory_clock_mhz": ask(lambda: nvml.nvmlDeviceGetClockInfo(handle, nvml.NVML_CLOCK_MEM)),
        "temperature_celsius": ask(lambda: nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU)),
        "power_w": ask(lambda: nvml.nvmlDeviceGetPowerUsage(handle) / 1000),
        "throttle_reasons": throttle_names(nvml, reasons) if isinstance(reasons, int) else reasons,
        "memory_used_mib": ask(lambda: nvml.nvmlDeviceGetMemoryInfo(handle).used // 2**20),
        "utilization_percent": ask(lambda: nvml.nvmlDeviceGetUtilizationRates(handle).gpu),
        "compute_processes": ask(lambda: len(nvml.nvmlDeviceGetComputeRunningProcesses(handle))),
    }


def throttle_names(nvml: Any, reasons: int) -> list[str]:
    """The set bits of NVML's clocks event reasons, by name; idling is none."""
    prefix = "nvmlClocksEventReason"
    names = {
        name.removeprefix(prefix): value
        for name, value in vars(nvml).items()
        if name.startswith(prefix) and isinstance(value, int) and value
    }
    return sorted(
        name for name, bit in names.items() if reasons & bit == bit and name not in ("GpuIdle", "All", "None")
    )


def gpu_conditions(indices: Sequence[int]) -> list[dict[str, Any]]:
    """Clocks, temperature, power and throttle reasons of the GPUs with these numbers; [] where none is asked for."""
    if not indices:
        return []
    try:
        import pynvml
    except ImportError:
        return [{"not_measured": "nvidia-ml-py is not installed"}] * len(indices)
    try:
        pynvml.nvmlInit()
        try:
            return [_gpu(pynvml, index) for index in indices]
        finally:
            pynvml.nvmlShutdown()
    except pynvml.NVMLError as error:
        return [{"not_measured": f"NVML: {error}"}] * len(indices)


def around_timing(outside: list[dict[str, Any]], timing: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A GPU's state next to the timing itself, with what shows others on it from outside the measurement's processes."""
    return [{**now, **{key: before.get(key) for key in SHARING}} for before, now in zip(outside, timing, strict=True)]


def conditions(gpus: Sequence[int]) -> dict[str, Any]:
    """CPU conditions, and those of the GPUs with these numbers, now."""
    return {"cpu": cpu_conditions(), "gpus": gpu_conditions(gpus)}


def warnings(before: Mapping[str, Any], after: Mapping[str, Any], cores: int) -> list[str]:
    """What of the conditions may have moved the figures, in words."""
    found = []
    load = before["cpu"]["load_average_1min"]
    if load is not None and load > cores * (1 + _BUSY_SHARE):
        found.append(f"the load average was {load} on {cores} cores when it began: other processes were running")
    found += [
        f"GPU {index}: {warning}"
        for index, pair in enumerate(zip(before["gpus"], after["gpus"], strict=True))
        for warning in (*_shared(*pair), *_moved(*pair))
    ]
    return found


def _shared(before: Mapping[str, Any], after: Mapping[str, Any]) -> Sequence[str]:
    """Others on the GPU before the first process of the measurement, or after the last one.

    NVML does not show processes of other containers everywhere; their work shows in the utilization all the same.
    """
    found = []
    for when, told in (("when it began", before), ("when it ended", after)):
        processes = told.get("compute_processes")
        if isinstance(processes, int) and processes:
            found.append(f"{processes} other process(es) computed on it {when}")
    busy = before.get("utilization_percent")
    if isinstance(busy, int) and busy > _BUSY_PERCENT:
        found.append(f"it was busy for {busy} % of the time when it began: it is shared")
    return found


def _moved(before: Mapping[str, Any], after: Mapping[str, Any]) -> Sequence[str]:
    found = []
    clock, later = before.get("sm_clock_mhz"), after.get("sm_clock_mhz")
    if isinstance(clock, int) and isinstance(later, int) and clock and abs(later / clock - 1) > _MOVED_SHARE:
        found.append(f"the SM clock went from {clock} to {later} MHz")
    heat, hotter = before.get("temperature_celsius"), after.get("temperature_celsius")
    if isinstance(heat, int) and isinstance(hotter, int) and hotter - heat > _MOVED_CELSIUS:
        found.append(f"the temperature rose from {heat} to {hotter} °C")
    reasons = after.get("throttle_reasons")
    if isinstance(reasons, list) and reasons:
        found.append(f"clocks were held back: {', '.join(reasons)}")
    return found
