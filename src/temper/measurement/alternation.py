"""Two runners timed in turns: what slows the machine for a while slows both, and their ratio stays."""

import gc
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from temper.backends.runner import Runner
from temper.measurement.latency import ClockNs
from temper.signature import Tensors
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
        interval: how the ratio is computed; a test may put another.

    Returns:
        Every timed latency. Garbage collection is off meanwhile.
    """
    generator = np.random.default_rng([seed, len(batches)])
    for run in range(warmup_runs):
        candidate.infer(batches[run % len(batches)])
        baseline.infer(batches[run % len(batches)])
    own: list[list[int]] = []
    other: list[list[int]] = []
    first: list[bool] = []
    used: list[list[int]] = []
    needed = max(2, -(-stopping.min_calls // calls_per_turn))
    most = max(needed, stopping.max_calls // calls_per_turn)
    look, timed_ns, began = min(max(needed, _FIRST_LOOK_BLOCKS), most), 0, clock_ns()
    was_enabled = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        while True:
            numbers = [(len(own) * calls_per_turn + call) % len(batches) for call in range(calls_per_turn)]
            inputs = [batches[number] for number in numbers]
            first.append(bool(generator.integers(2)))
            sides = ((candidate, own), (baseline, other))
            for runner, kept in sides if first[-1] else reversed(sides):
                kept.append(_turn(runner, inputs, clock_ns))
                timed_ns += sum(kept[-1])
            used.append(numbers)
            stopped: Stopped | None = None
            if len(own) >= most:
                stopped = "max_calls"
            elif len(own) >= 2 and clock_ns() - began >= stopping.max_duration_s * 1e9:
                stopped = "max_duration_s"
            elif len(own) >= look and timed_ns >= stopping.min_duration_s * 1e9:
                found = interval(
                    np.asarray(own, float),
                    np.asarray(other, float),
                    statistic=statistic,
                    resamples=resamples,
                    seed=seed,
                )
                if found.relative_half_width <= stopping.relative_half_width:
                    stopped = "precise enough"
                look = int(np.ceil(look * _GROWTH))
            if stopped is not None:
                break
    finally:
        if was_enabled:
            gc.enable()
    candidate_ns, baseline_ns = np.asarray(own, dtype=np.float64), np.asarray(other, dtype=np.float64)
    ratio = interval(candidate_ns, baseline_ns, statistic=statistic, resamples=resamples, seed=seed)
    return Turns(candidate_ns, baseline_ns, first, np.asarray(used), ratio, stopped)
