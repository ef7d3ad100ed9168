"""The only clock: host arrays in, host logits out, the same few lines around every backend's call."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeVar

from temper.artifacts.signature import Tensors
from temper.backends.runner import Runner
from temper.measurement.garbage import no_garbage_collection

Result = TypeVar("Result")
ClockNs = Callable[[], int]  # monotonic, in nanoseconds


def nearest_rank(ordered: Sequence[float], percentile: float) -> float:
    """The smallest of sorted values such that at least `percentile` per cent of them are no larger."""
    # exact: in floats 99.9 / 100 * 1000 is above 999
    rank = math.ceil(Fraction(str(percentile)) * len(ordered) / 100)
    return ordered[max(rank, 1) - 1]


@dataclass(frozen=True)
class Timing:
    """Raw latencies of consecutive calls, in nanoseconds, warm-up runs left out."""

    latencies_ns: list[int]

    @property
    def mean_ms(self) -> float:
        """Arithmetic mean of the timed calls, in milliseconds."""
        return sum(self.latencies_ns) / len(self.latencies_ns) / 1e6

    def percentile_ms(self, percentile: float) -> float:
        """Latency percentile in milliseconds, by the nearest-rank definition: the smallest observed latency such that
        at least `percentile` per cent of the calls took no longer (ISO 3534-1; Hyndman & Fan 1996, definition 1)."""
        return nearest_rank(sorted(self.latencies_ns), percentile) / 1e6


def time_call(call: Callable[[], Result], clock_ns: ClockNs) -> tuple[Result, float]:
    """The result of one call and how long it took, in seconds."""
    start = clock_ns()
    result = call()
    return result, (clock_ns() - start) / 1e9


def time_inference(
    runner: Runner,
    batches: Sequence[Tensors],
    *,
    warmup_runs: int,
    min_timed_runs: int,
    max_timed_runs: int,
    min_duration_s: float,
    clock_ns: ClockNs,
    max_duration_s: float = math.inf,
    least_runs: int = 1,
) -> Timing:
    """Time `runner.infer` over the batches in turn, one call after the other.

    Args:
        runner: a loaded runner, whose `infer` returns only when its logits are complete in host memory.
        batches: inputs of one workload, used in turn.
        warmup_runs: calls made first and not timed.
        min_timed_runs: timed calls at least.
        max_timed_runs: timed calls at most, also where min_duration_s is not reached.
        min_duration_s: the timed calls take together at least this long; both minima are met.
        clock_ns: monotonic clock in nanoseconds.
        max_duration_s: ends the timing also below min_timed_runs, once the timed calls took this long.
        least_runs: timed calls that are made however long they take.

    Returns:
        Every timed latency in the order of the calls. Garbage collection is off meanwhile.
    """
    count, infer = len(batches), runner.infer
    for run in range(warmup_runs):
        infer(batches[run % count])
    latencies: list[int] = []
    needed_ns, most_ns, spent_ns, run = int(min_duration_s * 1e9), max_duration_s * 1e9, 0, 0
    with no_garbage_collection():
        while run < least_runs or (
            spent_ns < most_ns and (run < min_timed_runs or (spent_ns < needed_ns and run < max_timed_runs))
        ):
            batch = batches[run % count]
            start = clock_ns()
            infer(batch)
            latency = clock_ns() - start
            latencies.append(latency)
            spent_ns += latency
            run += 1
    return Timing(latencies)
