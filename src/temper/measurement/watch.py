"""A watch over a measurement: which turns others disturbed, how long to wait for a quiet machine, and when to give up."""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from temper.measurement.contention import (
    Processes,
    Reading,
    Span,
    between,
    fixed_loop_us,
    read_counters,
    threads_waited,
    waited_between,
)

WINDOW_S = 0.5  # the system counts a processor's time in hundredths of a second: shorter says little
_PROBE_S = 0.25  # how long the machine is looked at before a measurement
_SLACK_S = 0.02  # two of the system's ticks: less cannot be told from none
_SAY_AFTER_S = 2.0  # a moment is not worth a line; the next come after 15, 30, 60 s
_SAY_AGAIN_S = 15.0
Result = TypeVar("Result")


class Busy(Exception):
    """Others took too much of the machine for longer than this run waits; `contention` has the evidence."""

    def __init__(self, reason: str, contention: dict[str, Any]) -> None:
        self.reason, self.contention = reason, contention
        super().__init__(reason)


class GpuLook(Protocol):
    """What watches the GPUs; temper/measurement/gpu_watch.py."""

    def look(self) -> str | None:
        """Who disturbs them, in words; None for nobody."""

    def found(self) -> dict[str, Any] | None:
        """What was seen so far."""


@dataclass(frozen=True)
class Limits:
    """What may be taken by others, and what this measurement may spend on it.

    Attributes:
        busy_share: of the processors' time that others may take beside a turn, 0–1; 1 lets them take all.
        wait_s: seconds that may still be waited for a quiet machine.
        lost_s: seconds of dropped turns after which a workload is given up.
    """

    busy_share: float
    wait_s: float
    lost_s: float


@dataclass
class _Totals:
    """Sums over the turns that were kept, in seconds of one processor."""

    clock_s: float = 0.0
    processors_s: float = 0.0
    others_s: float = 0.0
    steal_s: float | None = None
    waited_s: float | None = None
    pressure_s: float | None = None
    involuntary: int | None = None
    fixed_loops_us: list[float] = field(default_factory=list)

    def add(self, span: Span, others_s: float, clock_s: float, waited_s: float | None) -> None:
        self.clock_s += clock_s
        self.processors_s += clock_s * span.cores
        self.others_s += others_s
        for name, value in (
            ("steal_s", span.steal_s),
            ("waited_s", waited_s),
            ("pressure_s", span.pressure_s),
            ("involuntary", span.involuntary),
        ):
            if value is not None:
                setattr(self, name, (getattr(self, name) or 0) + value)


def _spread(taken_us: list[float]) -> dict[str, float] | None:
    """Of a fixed loop, in µs, to a hundredth; None where no turn was kept."""
    if not taken_us:
        return None
    cuts = statistics.quantiles(taken_us, n=10, method="inclusive") if len(taken_us) > 1 else taken_us * 9
    return {name: round(cuts[place], 2) for name, place in (("p10", 0), ("median", 4), ("p90", 8))}


@dataclass
class _Block:
    clock_s: float
    waited_s: float | None
    fixed_loop_us: float


@dataclass
class Watch:
    """Turns of one workload under watch: `begin`, then `block_done` after each block, and `settle` for a verdict on them.

    Attributes:
        limits: see there.
        read: the system's counters.
        waited: the threads' waiting alone, read after each block.
        sleep: waits so many seconds.
        say: tells the person at the terminal.
        busiest: names who takes most.
        fixed_loop: what this processor takes for a fixed loop now, in µs, read after each block.
        gpu: watches the GPUs; None without one.
    """

    limits: Limits
    read: Callable[[], Reading] = read_counters
    waited: Callable[[], Mapping[str, float] | None] = threads_waited
    sleep: Callable[[float], None] = time.sleep
    say: Callable[[str], None] = print
    busiest: Callable[[], str | None] = field(default_factory=lambda: Processes().look)
    fixed_loop: Callable[[], float] = fixed_loop_us
    gpu: GpuLook | None = None
    waited_for_quiet_s: float = 0.0
    _totals: _Totals = field(default_factory=_Totals)
    _blocks: list[_Block] = field(default_factory=list)
    _dropped: int = 0
    _lost_s: float = 0.0
    _who: str | None = None
    _sources: list[str] = field(default_factory=list)
    _before: Reading | None = None
    _waited_before: Mapping[str, float] | None = None

    def next_workload(self) -> None:
        """Forget the turns of the workload before; what was waited counts on."""
        self._totals, self._blocks, self._dropped, self._lost_s = _Totals(), [], 0, 0.0

    def begin(self) -> None:
        """A window of turns begins."""
        self._before, self._blocks = self.read(), []
        self._sources = self._before.sources
        self._waited_before = self._before.waited_s

    def block_done(self, clock_s: float) -> None:
        """A block has ended.

        Args:
            clock_s: how long it took, its untimed calls included.
        """
        now = self.waited()
        self._blocks.append(_Block(clock_s, waited_between(self._waited_before, now), self.fixed_loop()))
        self._waited_before = now

    def settle(self) -> list[bool]:
        """Whether each block since `begin` may be kept; a new window begins.

        A block is disturbed where the process's threads waited for a processor longer than in the window's middle block, by
        more than `busy_share` of its time, and others ran for at least half as long: a process that waits for its own
        threads only is not disturbed by anyone. The others of the window are dropped as a whole where others took more than
        `busy_share` of the processors beside them.
        """
        assert self._before is not None
        span, blocks = between(self._before, self.read()), self._blocks
        minds = self.limits.busy_share < 1
        shares = [0.0 if each.waited_s is None else each.waited_s / max(each.clock_s, 1e-9) for each in blocks]
        typical = statistics.median_low(shares) if shares else 0.0
        kept = []
        left_s, clock_s, waited_s = span.others_s, span.clock_s, span.waited_s
        for block, share in zip(blocks, shares, strict=True):
            waited = block.waited_s or 0.0
            disturbed = minds and share - typical > self.limits.busy_share and span.others_s >= waited / 2
            kept.append(not disturbed)
            if disturbed:
                left_s, clock_s = max(0.0, left_s - waited), max(0.0, clock_s - block.clock_s)
                waited_s = None if waited_s is None else max(0.0, waited_s - waited)
        disturber = None if self.gpu is None else self.gpu.look()
        crowded = left_s > self.limits.busy_share * span.cores * clock_s + _SLACK_S
        if minds and (crowded or disturber is not None):
            kept = [False] * len(blocks)
            self._who = disturber or self._who
        else:
            self._totals.add(span, left_s, clock_s, waited_s)
            self._totals.fixed_loops_us += [
                block.fixed_loop_us for block, fine in zip(blocks, kept, strict=True) if fine
            ]
        dropped = kept.count(False)
        self._dropped += dropped
        self._lost_s += sum(each.clock_s for each, fine in zip(blocks, kept, strict=True) if not fine)
        self.begin()
        return kept

    def taken(self, take: Callable[[], Result]) -> Result:
        """What `take` returns, called again until others left the machine alone meanwhile.

        Raises:
            Busy: see `wait_until_quiet`.
        """
        while True:
            self.begin()
            began = time.monotonic()
            result = take()
            self.block_done(time.monotonic() - began)
            if all(self.settle()):
                return result
            self.wait_until_quiet()

    def is_quiet(self) -> bool:
        """Whether others leave the machine alone just now; looks for a moment."""
        if self.limits.busy_share >= 1:
            return True
        before = self.read()
        self.sleep(_PROBE_S)
        span = between(before, self.read())
        disturber = None if self.gpu is None else self.gpu.look()
        self._sources = before.sources
        if disturber is not None:
            self._who = disturber
            return False
        return span.others_s <= self.limits.busy_share * span.cores * span.clock_s + _SLACK_S

    def wait_until_quiet(self) -> None:
        """Return when others leave the machine alone, and say on the terminal for whom it waits.

        Raises:
            Busy: the run has waited as long as it may, or a workload has lost more turns than it may.
        """
        if self._lost_s > self.limits.lost_s:
            self._give_up(f"others disturbed {self._lost_s:.1f} s of its turns")
        quiet, waited_s, say_at_s, pause_s = self.is_quiet(), 0.0, _SAY_AFTER_S, _SAY_AGAIN_S
        if not quiet:
            self.busiest()
        while not quiet:
            left_s = self.limits.wait_s - self.waited_for_quiet_s
            if left_s <= 0:
                self._give_up("the run's measurements have waited for a quiet moment as long as quiet_wait_s lets them")
            quiet = self.is_quiet()
            waited_s += _PROBE_S
            self.waited_for_quiet_s += _PROBE_S
            self._who = self.busiest() or self._who
            if not quiet and waited_s >= say_at_s:
                self.say(
                    f"waiting for a quiet machine, {left_s:.0f} s at most: {self._who or 'others use its processors'}"
                )
                say_at_s, pause_s = say_at_s + pause_s, 2 * pause_s
        if waited_s >= _SAY_AFTER_S and pause_s > _SAY_AGAIN_S:
            self.say(f"quiet again after {waited_s:.0f} s")
        self.begin()

    def _give_up(self, why: str) -> None:
        who = f"; {self._who}" if self._who else ""
        raise Busy(f"the machine was busy: {why}{who}", self.found())

    def found(self) -> dict[str, Any]:
        """What was seen of this workload: a `Contention` of temper/measurement/record.py."""
        totals = self._totals

        def share(value: float | None, of: float) -> float | None:
            return None if value is None or not of else round(min(1.0, value / of), 4)

        return {
            "sources": [*self._sources, *(["nvml"] if self.gpu is not None else [])],
            "others_share": share(totals.others_s, totals.processors_s),
            "waited_share": None if totals.waited_s is None else round(totals.waited_s / totals.clock_s, 4),
            "steal_share": share(totals.steal_s, totals.processors_s),
            "pressure_share": share(totals.pressure_s, totals.clock_s),
            "involuntary_switches": totals.involuntary,
            "fixed_loop_us": _spread(totals.fixed_loops_us),
            "dropped_turns": self._dropped,
            "waited_s": round(self.waited_for_quiet_s, 2),
            "busiest": self._who,
            "gpu": None if self.gpu is None else self.gpu.found(),
        }
