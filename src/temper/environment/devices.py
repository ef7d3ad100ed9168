"""The NVIDIA GPUs of this machine, asked of the driver's own tool, so that no library has to be imported for it."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

# Where the tool stands when it is not on PATH: container runtimes, WSL.
_OTHER_PLACES = ("/usr/local/nvidia/bin", "/usr/lib/wsl/lib")
_TIMEOUT_S = 20  # a driver that hangs must not hang the run


@dataclass(frozen=True)
class Gpu:
    """One NVIDIA GPU."""

    name: str
    driver_version: str


def parse_gpus(csv: str) -> tuple[Gpu, ...]:
    """GPUs from `nvidia-smi --query-gpu=name,driver_version --format=csv,noheader`, one per line."""
    rows = [line.rpartition(",") for line in csv.splitlines()]
    return tuple(Gpu(name.strip(), driver.strip()) for name, comma, driver in rows if comma)


def _asked(fields: str) -> str:
    """What the driver's tool says of these fields, a line for each GPU; empty where there is none or it does not answer."""
    tool = next(filter(None, map(shutil.which, ("nvidia-smi", *(f"{at}/nvidia-smi" for at in _OTHER_PLACES)))), None)
    if tool is None:
        return ""
    command = [tool, f"--query-gpu={fields}", "--format=csv,noheader"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return answer.stdout


@lru_cache(maxsize=1)
def nvidia_gpus() -> tuple[Gpu, ...]:
    """The NVIDIA GPUs of this machine in the driver's order; empty where there is none or the driver does not answer.

    CUDA_VISIBLE_DEVICES does not change it: a backend asks CUDA itself which of them it may use.
    """
    return parse_gpus(_asked("name,driver_version"))


def compute_capabilities() -> tuple[tuple[int, int], ...]:
    """Compute capability of each GPU, major and minor, in the driver's order; empty where the driver's tool does not say it."""
    said = (line.strip().partition(".") for line in _asked("compute_cap").splitlines())
    return tuple((int(major), int(minor)) for major, _, minor in said if major.isdigit() and minor.isdigit())


def gpu_indices(count: int, options: Mapping[str, Any]) -> list[int]:
    """The driver's numbers of the GPUs that a backend uses, as nvidia-smi and NVML count them.

    CUDA counts from 0 within CUDA_VISIBLE_DEVICES; where that names GPUs by UUID, CUDA's numbers are returned.

    Args:
        count: how many it uses.
        options: of the backend; `device_index` is CUDA's number of the first, 0 where there is no such option.
    """
    first = int(options.get("device_index", 0))
    visible = [name.strip() for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")]
    asked = range(first, first + count)
    if all(name.isdigit() for name in visible):
        return [int(visible[index]) if index < len(visible) else index for index in asked]
    return list(asked)


def gpus_used(count: int, options: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Name and driver of each GPU that a backend uses; those that are not there are left out. Arguments as `gpu_indices`."""
    there = nvidia_gpus()
    used = [there[index] for index in gpu_indices(count, options) if index < len(there)]
    return [(gpu.name, gpu.driver_version) for gpu in used]
