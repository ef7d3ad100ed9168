"""Two runners timed in turns: what slows the machine for a while slows both, and their ratio stays."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from temper.artifacts.signature import Tensors
from temper.backends.runner import Runner
from temper.measurement.garbage import no_garbage_collection
from temper.measurement.latency import ClockNs
from temper.measurement.watch import WINDOW_S, Watch
from temper.statistics.ratio import Latencies, Ratio, Statistic, ratio_interval

Stopped = Literal["precise enough", "max_calls", "max_duration_s"]
_GROWTH = 1.5  # of the blocks between two looks at the interval: few looks keep its coverage (tests/unit/statistics)
_FIRST_LOOK_BLOCKS = 20


@dataclass(frozen=True)
class Stopping:
    """When a comparison has been timed for long enough.

    Attributes:
        min_calls: timed calls of each side at least.
        max_calls: timed calls of each side at most.
        min_duration_s: timed seconds of both sides together at least, where max_calls allows.
        max_duration_s: seconds by the clock at most, untimed calls included; two blocks are taken in any case.
        relative_half_width: of the ratio's interval: narrower is precise enough.
    """

    min_calls: int
    max_calls: int
    min_duration_s: float
    max_duration_s: float
    relative_half_width: float


@dataclass(frozen=True)
class Turns:
    """Latencies of both sides, block by block, and their ratio.

    Attributes:
        candidate_ns: float64 [blocks, calls per turn], nanoseconds, in the order of the calls.
        baseline_ns: the same of the baseline, on the same batches.
        candidate_first: of each block, whether the candidate had the first turn.
        batch_of_call: number of the batch of each call, int64 [blocks, calls per turn].
        ratio: candidate over baseline, with its interval.
        stopped: what ended it.
    """

    candidate_ns: Latencies
    baseline_ns: Latencies
    candidate_first: list[bool]
    batch_of_call: np.ndarray
    ratio: Ratio
    stopped: Stopped


@dataclass
class _Blocks:
    """The blocks that were taken so far, and kept."""

    candidate_ns: list[list[int]] = field(default_factory=list)
    baseline_ns: list[list[int]] = field(default_factory=list)
    candidate_first: list[bool] = field(default_factory=list)
    batch_of_call: list[list[int]] = field(default_factory=list)
    timed_ns: int = 0

    def __len__(self) -> int:
        return len(self.candidate_first)

    def add(self, candidate_ns: list[int], baseline_ns: list[int], candidate_first: bool, numbers: list[int]) -> None:
        self.candidate_ns.append(candidate_ns)
        self.baseline_ns.append(baseline_ns)
        self.candidate_first.append(candidate_first)
        self.batch_of_call.append(numbers)
        self.timed_ns += sum(candidate_ns) + sum(baseline_ns)

    def keep(self, kept: Sequence[bool]) -> None:
        """Leave out those of the last `len(kept)` blocks that are not to be kept."""
        start = len(self) - len(kept)
        for number in reversed([start + place for place, fine in enumerate(kept) if not fine]):
            self.timed_ns -= sum(self.candidate_ns[number]) + sum(self.baseline_ns[number])
            for entries in (self.candidate_ns, self.baseline_ns, self.candidate_first, self.batch_of_call):
                del entries[number]

    def latencies(self) -> tuple[Latencies, Latencies]:
        """Of the candidate and of the baseline, float64 [blocks, calls per turn], ns."""
        return np.asarray(self.candidate_ns, dtype=np.float64), np.asarray(self.baseline_ns, dtype=np.float64)


def _turn(runner: Runner, batches: Sequence[Tensors], clock_ns: ClockNs) -> list[int]:
    """One untimed call, so that the other side's leavings in the caches are not timed; then each batch, timed."""
    infer, taken = runner.infer, []
    infer(batches[0])
    for batch in batches:
        start = clock_ns()
        infer(batch)
        taken.append(clock_ns() - start)
    return taken


def time_in_turns(
    candidate: Runner,
    baseline: Runner,
    batches: Sequence[Tensors],
    *,
    statistic: Statistic,
    warmup_runs: int,
    calls_per_turn: int,
    stopping: Stopping,
    resamples: int,
    seed: int,
    clock_ns: ClockNs,
    watch: Watch | None = None,
    interval: Callable[..., Ratio] = ratio_interval,
) -> Turns:
    """Time two loaded runners alternately on the same batches until their ratio is known well enough.

    A block holds one turn of each side, in an order drawn by seed; both turns use the same batches, which are used in
    turn from block to block. After _FIRST_LOOK_BLOCKS blocks (more where the minima ask for it), and after each growth of the
    blocks by half, the interval is looked at.

    Args:
        candidate: a loaded runner.
        baseline: another one, or a second loading of the same artifact.
        batches: inputs of one workload.
        statistic: 'median' for batches of one shape, 'mean' where they differ.
        warmup_runs: untimed calls of each side before the first block.
        calls_per_turn: timed calls of a turn.
        stopping: when to end.
        resamples: bootstrap draws for the interval.
        seed: of the order of turns, and of the bootstrap.
        clock_ns: monotonic clock in nanoseconds.
        watch: tells which blocks others disturbed: they are dropped and taken again, once the machine is quiet; None where
            nobody looks.
        interval: how the ratio is computed; a test may put another.

    Returns:
        Every timed latency of the blocks that were kept. Garbage collection is off meanwhile.

    Raises:
        Busy: the machine was not quiet for as long as the watch waits.
    """
    generator = np.random.default_rng([seed, len(batches)])
    for run in range(warmup_runs):
        candidate.infer(batches[run % len(batches)])
        baseline.infer(batches[run % len(batches)])
    blocks = _Blocks()
    needed = max(2, -(-stopping.min_calls // calls_per_turn))
    most = max(needed, stopping.max_calls // calls_per_turn)
    look = min(max(needed, _FIRST_LOOK_BLOCKS), most)
    deadline_ns = window_ns = clock_ns()
    deadline_ns += int(stopping.max_duration_s * 1e9)

    def ratio() -> Ratio:
        return interval(*blocks.latencies(), statistic=statistic, resamples=resamples, seed=seed)

    with no_garbage_collection():
        if watch is not None:
            watch.begin()
        stopped: Stopped | None = None
        while stopped is None:
            began_ns = clock_ns()
            numbers = [(len(blocks) * calls_per_turn + call) % len(batches) for call in range(calls_per_turn)]
            inputs = [batches[number] for number in numbers]
            own_first = bool(generator.integers(2))
            if own_first:
                own, other = _turn(candidate, inputs, clock_ns), _turn(baseline, inputs, clock_ns)
            else:
                other, own = _turn(baseline, inputs, clock_ns), _turn(candidate, inputs, clock_ns)
            blocks.add(own, other, own_first, numbers)
            enough = len(blocks) >= look and blocks.timed_ns >= stopping.min_duration_s * 1e9
            ends = len(blocks) >= most or (len(blocks) >= 2 and clock_ns() >= deadline_ns)
            if watch is not None:
                watch.block_done((clock_ns() - began_ns) / 1e9)
                if not (ends or enough or clock_ns() - window_ns >= WINDOW_S * 1e9):
                    continue
                kept = watch.settle()
                blocks.keep(kept)
                if not all(kept):
                    watch.wait_until_quiet()
                    deadline_ns += clock_ns() - window_ns  # the lost time is given back
                    window_ns = clock_ns()
                    continue
                window_ns = clock_ns()
            if len(blocks) >= most:
                stopped = "max_calls"
            elif ends:
                stopped = "max_duration_s"
            elif enough:
                if ratio().relative_half_width <= stopping.relative_half_width:
                    stopped = "precise enough"
                look = int(np.ceil(look * _GROWTH))
    return Turns(*blocks.latencies(), blocks.candidate_first, np.asarray(blocks.batch_of_call), ratio(), stopped)
