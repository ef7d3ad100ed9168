"""How often the system's memory killer has ended a process: what tells its SIGKILL from anybody else's."""

import re
from collections.abc import Iterator
from pathlib import Path

_CGROUPS = Path("/sys/fs/cgroup")
_KILLS = re.compile(r"^oom_kill (\d+)$", re.MULTILINE)


def _own_counters(cgroups: Path, membership: str) -> Iterator[Path]:
    """Where the kernel counts the kills in this process's own group: version 2, then 1, each also as a container sees it."""
    for line in membership.splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            yield from (cgroups / place / "memory.events" for place in (path.lstrip("/"), "."))
        elif "memory" in controllers.split(","):
            yield from (cgroups / "memory" / place / "memory.oom_control" for place in (path.lstrip("/"), "."))


def memory_kills(cgroups: Path = _CGROUPS, proc: Path = Path("/proc")) -> int | None:
    """Processes that the memory killer has ended so far: of this process's group of control, else of the whole machine.

    Returns:
        None where the system does not say.
    """
    try:
        places = [*_own_counters(cgroups, (proc / "self/cgroup").read_text(encoding="utf-8")), proc / "vmstat"]
    except (OSError, ValueError):
        places = [proc / "vmstat"]
    for place in places:
        try:
            found = _KILLS.search(place.read_text(encoding="utf-8"))
        except OSError:
            continue
        if found is not None:
            return int(found[1])
    return None
