import gc

import pytest

from temper.measurement.latency import Timing, time_call, time_inference

BATCHES = [{"input_ids": number} for number in range(3)]
MS = 1_000_000


class FakeClock:
    """A clock in nanoseconds that only the runner's calls move."""

    def __init__(self):
        self.now, self.reads = 17, 0

    def __call__(self):
        self.reads += 1
        return self.now


class SlowRunner:
    """Takes the stated time, one after the other, for each call."""

    def __init__(self, clock, durations):
        self.clock, self.durations, self.asked = clock, iter(durations), []

    def infer(self, inputs):
        self.asked.append(inputs["input_ids"])
        self.clock.now += next(self.durations)


def timed(durations, *, warmup_runs=0, min_timed_runs=1, max_timed_runs=10**6, min_duration_s=0.0, **limits):
    clock = FakeClock()
    runner = SlowRunner(clock, durations)
    timing = time_inference(
        runner,
        BATCHES,
        warmup_runs=warmup_runs,
        min_timed_runs=min_timed_runs,
        max_timed_runs=max_timed_runs,
        min_duration_s=min_duration_s,
        clock_ns=clock,
        **limits,
    )
    return timing, runner, clock


def test_latencies_are_exactly_the_calls_in_their_order():
    timing, _, _ = timed([5, 3, 9, 1], min_timed_runs=4)
    assert timing.latencies_ns == [5, 3, 9, 1]


def test_warm_up_runs_are_made_and_not_counted():
    timing, runner, clock = timed([1000, 1000, 5, 6, 7], warmup_runs=2, min_timed_runs=3)
    assert timing.latencies_ns == [5, 6, 7]
    assert runner.asked == [0, 1, 0, 1, 2]
    assert clock.reads == 6  # twice for each timed call, never in the warm-up


def test_it_goes_on_until_the_duration_is_met_too():
    timing, _, _ = timed([2 * MS] * 100, min_timed_runs=3, min_duration_s=0.010)
    assert len(timing.latencies_ns) == 5


def test_it_goes_on_until_the_count_is_met_too():
    timing, _, _ = timed([20 * MS] * 100, min_timed_runs=7, min_duration_s=0.010)
    assert len(timing.latencies_ns) == 7


def test_it_ends_after_the_longest_duration_whatever_the_minima():
    timing, _, _ = timed([20 * MS] * 100, min_timed_runs=50, min_duration_s=9.0, max_duration_s=0.05)
    assert len(timing.latencies_ns) == 3
    timing, _, _ = timed([20 * MS] * 100, min_timed_runs=50, max_duration_s=0.05, least_runs=8)
    assert len(timing.latencies_ns) == 8  # an interval needs them, however long they take


def test_warm_up_does_not_count_towards_the_duration():
    timing, _, _ = timed([1000 * MS, *[2 * MS] * 100], warmup_runs=1, min_timed_runs=1, min_duration_s=0.010)
    assert len(timing.latencies_ns) == 5


def test_batches_are_used_in_turn():
    _, runner, _ = timed([1] * 7, min_timed_runs=7)
    assert runner.asked == [0, 1, 2, 0, 1, 2, 0]


@pytest.mark.parametrize("enabled", [True, False])
def test_garbage_collection_is_off_while_timing_and_as_before_after_it(enabled):
    seen = []

    class Watching(SlowRunner):
        def infer(self, inputs):
            seen.append(gc.isenabled())
            super().infer(inputs)

    clock = FakeClock()
    settings = {"warmup_runs": 0, "min_timed_runs": 2, "max_timed_runs": 9, "min_duration_s": 0.0, "clock_ns": clock}
    before = gc.isenabled()
    (gc.enable if enabled else gc.disable)()
    try:
        time_inference(Watching(clock, [1, 1]), BATCHES, **settings)
        with pytest.raises(StopIteration):
            time_inference(Watching(clock, [1]), BATCHES, **settings)
        assert gc.isenabled() is enabled
    finally:
        (gc.enable if before else gc.disable)()
    assert seen == [False] * 4


@pytest.mark.parametrize(
    ("count", "percentile", "rank"),
    [
        (10, 50, 5), (10, 95, 10), (10, 90, 9), (10, 91, 10), (10, 1, 1), (11, 50, 6), (4, 25, 1), (4, 26, 2),
        (1, 50, 1), (1, 99, 1), (100, 99, 99), (1000, 99.9, 999), (200, 99, 198), (3, 0.1, 1),
    ],
)  # fmt: skip
def test_a_percentile_is_the_latency_of_the_nearest_rank(count, percentile, rank):
    shuffled = [(7 * number) % count + 1 for number in range(count)] if count % 7 else list(range(count, 0, -1))
    assert sorted(shuffled) == list(range(1, count + 1))
    timing = Timing([MS * value for value in shuffled])
    assert timing.percentile_ms(percentile) == rank


def test_the_mean_is_in_its_unit():
    timing = Timing([1 * MS, 2 * MS, 6 * MS])
    assert timing.mean_ms == pytest.approx(3.0)


def test_one_call_gives_its_result_and_its_seconds():
    clock = FakeClock()

    def call():
        clock.now += 1500 * MS
        return "answer"

    assert time_call(call, clock) == ("answer", 1.5)


def test_the_most_runs_end_a_runner_that_would_take_too_many_to_fill_the_duration():
    timing, _, _ = timed([1] * 100, min_timed_runs=3, max_timed_runs=8, min_duration_s=1.0)
    assert len(timing.latencies_ns) == 8
