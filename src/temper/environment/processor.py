"""The processor of this machine: two of one model name differ by what stands here (a cloud calls many 'Xeon Processor')."""

import hashlib
import os
import platform
import sys
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
# instructions that change how fast, or with which kernels, a network is computed; Linux's names of them, x86 and ARM
INSTRUCTIONS = (
    *("sse4_2", "avx", "f16c", "fma", "avx2", "avx_vnni", "avx_vnni_int8", "avx_ne_convert"),
    *("avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512_vnni", "avx512_bf16", "avx512_fp16"),
    *("amx_tile", "amx_int8", "amx_bf16", "amx_fp16", "avx10"),
    *("asimd", "asimdhp", "asimddp", "i8mm", "bf16", "sve", "sve2", "sme"),
)
_X86, _ARM = ("cpu family", "model", "stepping"), ("CPU implementer", "CPU part", "CPU variant", "CPU revision")


def parse_cpuinfo(text: str) -> list[dict[str, str]]:
    """What /proc/cpuinfo says of each processor that the system counts, by its own keys."""
    blocks = [block for block in text.split("\n\n") if block.strip()]
    return [
        {
            key.strip(): value.strip()
            for key, colon, value in (line.partition(":") for line in block.splitlines())
            if colon
        }
        for block in blocks
    ]


def processor_of(blocks: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """The facts of a machine's processors, each a text that two machines can be compared by; '' where it is not told.

    Returns:
        `cpu` the model's name, `processor` its vendor with family, model and stepping, `instructions` those of INSTRUCTIONS that
        it has, `topology` sockets × cores of a socket × threads of a core, `microcode` its revision (0xffffffff: a hypervisor
        does not tell).
    """
    every = list(blocks)
    first = every[0] if every else {}
    flags = set((first.get("flags") or first.get("Features") or "").split())
    numbers = _X86 if "cpu family" in first else _ARM
    told = [first[key] for key in numbers if key in first]
    sockets = {each.get("physical id") for each in every} - {None}
    cores = {(each.get("physical id"), each.get("core id")) for each in every if "core id" in each}
    topology = ""
    if sockets and cores:
        topology = f"{len(sockets)} × {len(cores) // len(sockets)} × {len(every) // len(cores)}"
    return {
        "cpu": first.get("model name", ""),
        "processor": " ".join(filter(None, (first.get("vendor_id", ""), "-".join(told)))),
        "instructions": " ".join(name for name in INSTRUCTIONS if name in flags),
        "topology": topology,
        "microcode": first.get("microcode", ""),
    }


def processor_features(facts: Path = CPUINFO) -> frozenset[str]:
    """Instructions of this processor, in Linux's words ('avx512_bf16'); empty where the system does not say.

    Args:
        facts: Linux's file about its processors.
    """
    try:
        for line in facts.read_text(encoding="utf-8").splitlines():
            if line.startswith(("flags", "Features")):
                return frozenset(line.partition(":")[2].split())
    except OSError:
        pass
    return frozenset()


@lru_cache(maxsize=1)
def processor() -> dict[str, str]:
    """The facts of this machine's processors, as `processor_of`; other systems than Linux tell a name only."""
    try:
        found = processor_of(parse_cpuinfo(CPUINFO.read_text(encoding="utf-8", errors="replace")))
    except OSError:
        found = processor_of([])
    return {**found, "cpu": found["cpu"] or platform.processor() or platform.machine()}


def cores_usable() -> int | None:
    """How many processors this process may run on: a batch system or `taskset` may have left it a part of them."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def cores_granted(root: Path = Path("/sys/fs/cgroup")) -> float | None:
    """Processors' time by the clock that a container grants (`docker --cpus`, a limit of Kubernetes); None where it is all.

    Args:
        root: where cgroup v2 is mounted; a container sees its own group there.
    """
    try:
        quota, period = (root / "cpu.max").read_text(encoding="utf-8").split()
        return None if quota == "max" else round(int(quota) / int(period), 3)
    except (OSError, ValueError, ZeroDivisionError):
        return None


def environment_digest(search_path: Iterable[str] | None = None) -> str:
    """Digest of what is installed for this Python: every distribution with its version, Python's own version among them.

    Twelve hexadecimal digits of a SHA-256 over sorted names. Read from the names of folders (`numpy-2.4.1.dist-info`, PEP 427 and
    the recording of installed projects): no metadata is opened.

    Args:
        search_path: folders to look in; this process's own path where it is left out.
    """
    names = {f"python-{platform.python_version()}"}
    for entry in dict.fromkeys(sys.path if search_path is None else search_path):
        try:
            names |= {
                name.removesuffix(".dist-info").lower()
                for name in os.listdir(entry or ".")
                if name.endswith(".dist-info")
            }
        except OSError:  # not there, or an archive
            continue
    return hashlib.sha256("\n".join(sorted(names)).encode()).hexdigest()[:12]
