"""How much of the machine others take while something is timed: cumulative counters of the system, read between turns.

Each platform has some of the sources; a `Reading` holds what this one has. On Linux /proc/<pid>/task/*/schedstat tells how long
this process's threads waited for a processor (in ns; Documentation/scheduler/sched-stats.rst), cpu_times what the processors
did (/proc/stat, in hundredths of a second), /proc/pressure/cpu how long some task of the machine waited
(Documentation/accounting/psi.rst). None is read within a timed call.
"""

import contextlib
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil

_TASKS, _PRESSURE = Path("/proc/self/task"), Path("/proc/pressure/cpu")
_LOOP = range(6000)  # about 0.1 ms: shorter is lost in the clock, longer in the turns


@dataclass(frozen=True)
class Reading:
    """Counters since the system or the process began; None for what this platform does not tell.

    Attributes:
        clock_s: monotonic clock.
        cores: processors that this process may use.
        busy_s: time in which those processors were not idle, steal included.
        steal_s: time that a hypervisor gave to others.
        own_s: time in which this process and its ended children ran.
        waited_s: by thread, how long it waited for a processor while it could run.
        pressure_s: time in which some task of the machine waited for a processor.
        involuntary: how often this process was put off a processor.
    """

    clock_s: float
    cores: int
    busy_s: float
    steal_s: float | None
    own_s: float
    waited_s: Mapping[str, float] | None
    pressure_s: float | None
    involuntary: int | None

    @property
    def sources(self) -> list[str]:
        """What this platform told."""
        told = {
            "schedstat": self.waited_s,
            "steal": self.steal_s,
            "pressure": self.pressure_s,
            "involuntary context switches": self.involuntary,
        }
        return ["cpu_times", *(name for name, value in told.items() if value is not None)]


@dataclass(frozen=True)
class Span:
    """What happened between two readings, in seconds of one processor; see `Reading`."""

    clock_s: float
    cores: int
    others_s: float
    steal_s: float | None
    waited_s: float | None
    pressure_s: float | None
    involuntary: int | None

    @property
    def others_share(self) -> float:
        """Share of the processors' time that others ran in, 0–1."""
        return self.others_s / (self.cores * self.clock_s) if self.clock_s else 0.0


def _threads_waited_s() -> dict[str, float] | None:
    """How long each thread of this process has waited for a processor; None where the kernel does not tell."""
    found = {}
    try:
        threads = os.listdir(_TASKS)
    except OSError:
        return None
    for thread in threads:
        with contextlib.suppress(OSError, IndexError, ValueError):  # it ended meanwhile
            found[thread] = int((_TASKS / thread / "schedstat").read_text().split()[1]) / 1e9
    return found or None


def threads_waited() -> Mapping[str, float] | None:
    """By thread of this process, seconds that it waited for a processor: the one source that is fine enough for a turn."""
    return _threads_waited_s()


def _pressure_s() -> float | None:
    try:
        some = next(line for line in _PRESSURE.read_text().splitlines() if line.startswith("some"))
        return int(some.rpartition("total=")[2]) / 1e6
    except (OSError, StopIteration, ValueError):
        return None


def _usable() -> list[int] | None:
    """Numbers of the processors that this process may use; None for all."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None


def _busy_s() -> tuple[int, float, float | None]:
    """Number of the processors that this process may use, seconds they were not idle, and steal of it."""
    usable, every = _usable(), psutil.cpu_times(percpu=True)
    own = every if usable is None or len(every) <= max(usable) else [every[number] for number in usable]
    busy = sum(
        getattr(each, name, 0.0)
        for each in own
        # guest time is in user's; iowait is idle
        for name in ("user", "nice", "system", "irq", "softirq", "steal", "interrupt", "dpc")
    )
    steal = sum(each.steal for each in own) if hasattr(own[0], "steal") else None
    return len(own), busy, steal


def _own_s() -> float:
    """Processor time of this process, all its threads, and of its children that have ended."""
    times = os.times()
    return time.process_time() + times.children_user + times.children_system


def _involuntary() -> int | None:
    try:
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw
    except ImportError:  # Windows
        return None


def fixed_loop_us() -> float:
    """Time that a fixed piece of arithmetic takes this processor now, in µs: the faster of two, so that a switch does not count.

    It needs no memory and no other processor. It takes longer where the clock is lower, and where another machine of the same
    host computes on the same core: that stands in no counter of this system, steal included.
    """
    took_ns = []
    for _ in range(2):
        start = time.perf_counter_ns()
        sum(_LOOP)
        took_ns.append(time.perf_counter_ns() - start)
    return min(took_ns) / 1e3


def read_counters() -> Reading:
    """All counters now; about 0.1 ms, and 10 µs for each thread."""
    cores, busy_s, steal_s = _busy_s()
    return Reading(
        clock_s=time.monotonic(),
        cores=cores,
        busy_s=busy_s,
        steal_s=steal_s,
        own_s=_own_s(),
        waited_s=_threads_waited_s(),
        pressure_s=_pressure_s(),
        involuntary=_involuntary(),
    )


def _difference(before: float | None, after: float | None) -> float | None:
    return None if before is None or after is None else max(0.0, after - before)


def waited_between(before: Mapping[str, float] | None, after: Mapping[str, float] | None) -> float | None:
    """Seconds that threads waited between two readings, added up over those that are in both or new."""
    if before is None or after is None:
        return None
    return sum(max(0.0, waited - before.get(thread, 0.0)) for thread, waited in after.items())


def between(before: Reading, after: Reading) -> Span:
    """What happened between two readings of this process."""
    busy, own = after.busy_s - before.busy_s, after.own_s - before.own_s
    involuntary = _difference(before.involuntary, after.involuntary)
    return Span(
        clock_s=after.clock_s - before.clock_s,
        cores=after.cores,
        others_s=max(0.0, busy - own),
        steal_s=_difference(before.steal_s, after.steal_s),
        waited_s=waited_between(before.waited_s, after.waited_s),
        pressure_s=_difference(before.pressure_s, after.pressure_s),
        involuntary=None if involuntary is None else int(involuntary),
    )


@dataclass
class _Seen:
    """Processor time of a process when it was last looked at."""

    name: str
    used_s: float


@dataclass
class Processes:
    """Who takes the processors, apart from this process, those that started it and those it started."""

    _seen: dict[int, _Seen] = field(default_factory=dict)
    _at_s: float = 0.0

    def look(self) -> str | None:
        """Name and share of the process that took most since the last look, in words; None where none took 1 % of one
        processor, or at the first look."""
        now, at_s = {}, time.monotonic()
        own = self._own()
        for process in psutil.process_iter(["name", "cpu_times"]):
            times = process.info["cpu_times"]
            if process.pid not in own and times is not None:
                now[process.pid] = _Seen(process.info["name"] or "?", times.user + times.system)
        elapsed_s = at_s - self._at_s
        shares = {
            pid: (seen.used_s - self._seen[pid].used_s) / elapsed_s for pid, seen in now.items() if pid in self._seen
        }
        self._seen, self._at_s = now, at_s
        pid = max(shares, key=lambda each: shares[each], default=None)
        if pid is None or shares[pid] < 0.01:
            return None
        return f"{now[pid].name} (process {pid}) takes {100 * shares[pid]:.0f} % of a processor"

    @staticmethod
    def _own() -> set[int]:
        with contextlib.suppress(psutil.Error):
            here = psutil.Process()
            return {here.pid, *(each.pid for each in (*here.parents(), *here.children(recursive=True)))}
        return {os.getpid()}
