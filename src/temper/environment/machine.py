"""Where a result came from: versions and machine. The digest of the code behind it: temper/environment/source_digest.py."""

import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

from temper.environment.processor import cores_granted, cores_usable, environment_digest, processor

SOURCE_ROOT = Path(__file__).resolve().parents[2]
_PROVIDERS = {"onnxruntime": ("onnxruntime-gpu",)}  # the same module from another distribution


def versions(*distributions: str) -> dict[str, str]:
    """Installed version of each distribution, by name; those that are absent are left out."""
    found = {"python": platform.python_version()}
    for name in distributions:
        for provider in (name, *_PROVIDERS.get(name, ())):
            try:
                found[name] = metadata.version(provider)
                break
            except metadata.PackageNotFoundError:
                continue
    return found


def distribution_versions(*distributions: str) -> dict[str, str]:
    """Installed version of each distribution, by name; 'not installed' for those that are absent."""
    found = versions(*distributions)
    return {name: found.get(name, "not installed") for name in distributions}


# glibc raises its threshold for mapped memory when a large block is freed, up to 32 MiB: a process that has read a small file
# answers faster from then on than one that has read a large one. Fixed values switch that off, for every process alike.
ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": str(2**30), "MALLOC_TRIM_THRESHOLD_": str(2**32)}
_WAITING, _OURS = "OMP_WAIT_POLICY", "TEMPER_SET_OMP_WAIT_POLICY"


def wait_without_spinning() -> None:
    """Have the threads of PyTorch and of other OpenMP libraries sleep where they wait for each other, in all processes that
    this one starts.

    By default they spin (OpenMP 5.2, section 21.7), each on a processor that another program could use: beside a few others a
    training of minutes takes hours. Sleeping changes no result. What the user has set stays.
    """
    if _WAITING not in os.environ:
        os.environ.update({_WAITING: "PASSIVE", _OURS: "1"})


def timed_environment() -> dict[str, str]:
    """Environment variables of a process that times something: a fixed allocator, and threads that wait as a user's do."""
    found = {**os.environ, **ALLOCATOR}
    if found.pop(_OURS, None):
        del found[_WAITING]
    return found


# what makes a latency another one; a change of it measures anew
KIND = ("cpu", "processor", "instructions", "topology", "architecture", "cores_usable", "cores_granted", "system")


def measuring_machine() -> dict[str, Any]:
    """What of this machine makes a latency another one: its processor, and how much of it may be used.

    Not its microcode and not what else is installed: both stand in the record, and an update of the system would measure every
    study anew (docs/decisions/0082). The versions of libraries that a job uses are settings of their own.
    """
    found = {**processor(), **_share()}
    return {key: found[key] for key in KIND}


def _share() -> dict[str, Any]:
    """How much of the machine this process may use, and under which system."""
    return {
        "architecture": platform.machine(),
        "cores_usable": cores_usable(),
        "cores_granted": cores_granted(),
        "system": platform.system(),
    }


def machine() -> dict[str, Any]:
    """This machine, as far as it bears on a measurement; no host name (`node`), no paths."""
    return {
        **processor(),
        **_share(),
        "python": platform.python_version(),
        "environment": environment_digest(),
    }


def node() -> str:
    """The name by which this machine is known to others: a batch system's name of the node where it runs this."""
    return os.environ.get("SLURMD_NODENAME") or platform.node()
