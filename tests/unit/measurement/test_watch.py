import itertools

import pytest

from temper.measurement.contention import Reading
from temper.measurement.watch import Busy, Limits, Watch


class Counters:
    """Two processors whose counters a test moves."""

    def __init__(self):
        self.clock_s = self.busy_s = self.own_s = self.waited_s = 0.0
        self.slept = 0

    def read(self):
        return Reading(
            self.clock_s, 2, self.busy_s, 0.0, self.own_s, {"1": self.waited_s}, None, int(100 * self.waited_s)
        )

    def pass_(self, seconds, *, own=1.0, others=0.0, waited=0.0):
        """Time goes by; `own` and `others` ran on so many processors, and threads waited for so many seconds."""
        self.clock_s += seconds
        self.own_s += own * seconds
        self.busy_s += (own + others) * seconds
        self.waited_s += waited


@pytest.fixture
def counters():
    return Counters()


@pytest.fixture
def watch_with(counters):
    """A watch over the counters; while it sleeps, others take `asleep` processors, by turns."""

    def watch_with(*, asleep=(0.0,), wait_s=10.0, lost_s=5.0, busy_share=0.05, said=None, gpu=None, loops_us=None):
        plan = iter(asleep)
        loops_us = itertools.repeat(100.0) if loops_us is None else iter(loops_us)
        last = [0.0]

        def sleep(seconds):
            last[0] = next(plan, last[0])
            counters.pass_(seconds, own=0.0, others=last[0])

        return Watch(
            Limits(busy_share=busy_share, wait_s=wait_s, lost_s=lost_s),
            read=counters.read,
            waited=lambda: counters.read().waited_s,
            sleep=sleep,
            say=lambda line: None if said is None else said.append(line),
            busiest=lambda: "python (process 7) takes 97 % of a processor",
            fixed_loop=lambda: next(loops_us),
            gpu=gpu,
        )

    return watch_with


def blocks(watch, counters, *each):
    watch.begin()
    for block in each:
        counters.pass_(0.1, **block)
        watch.block_done(0.1)
    return watch.settle()


def test_turns_beside_nobody_are_kept_and_the_record_says_what_was_read(watch_with, counters):
    watch = watch_with()
    assert blocks(watch, counters, {}, {}, {}) == [True] * 3
    found = watch.found()
    assert found["sources"] == ["cpu_times", "schedstat", "steal", "involuntary context switches"]
    assert (found["others_share"], found["waited_share"], found["dropped_turns"]) == (0.0, 0.0, 0)
    assert (found["pressure_share"], found["gpu"], found["busiest"]) == (None, None, None)


def test_a_turn_whose_threads_waited_for_another_process_is_dropped_and_the_rest_is_kept(watch_with, counters):
    watch = watch_with()
    stalled = {"others": 0.4, "waited": 0.04}
    assert blocks(watch, counters, {}, stalled, {}, {}) == [True, False, True, True]
    found = watch.found()
    assert found["dropped_turns"] == 1
    assert found["others_share"] == 0.0  # beside the turns that were kept
    assert found["waited_share"] == 0.0


def test_a_fixed_loop_shows_the_speed_of_the_processor_beside_the_turns_that_were_kept(watch_with, counters):
    watch = watch_with(loops_us=[100.0, 999.0, 120.0, 110.0])
    blocks(watch, counters, {}, {"others": 0.4, "waited": 0.04}, {}, {})
    assert watch.found()["fixed_loop_us"] == {"p10": 102.0, "median": 110.0, "p90": 118.0}
    watch.next_workload()
    assert watch.found()["fixed_loop_us"] is None


def test_a_process_that_waits_for_its_own_threads_is_disturbed_by_nobody(watch_with, counters):
    watch = watch_with()
    assert blocks(watch, counters, {}, {"waited": 0.04}, {}) == [True] * 3
    assert watch.found()["dropped_turns"] == 0


def test_others_that_nobody_waited_for_drop_the_whole_window_above_the_share(watch_with, counters):
    below, above = {"others": 0.08}, {"others": 0.8}  # of two processors: 4 % and 40 %
    assert blocks(watch_with(), counters, *[below] * 5) == [True] * 5
    assert blocks(watch_with(), counters, *[above] * 5) == [False] * 5


def test_it_waits_until_others_are_gone_and_says_for_whom(watch_with):
    said = []
    watch = watch_with(asleep=(*[1.0] * 240, 0.0), said=said, wait_s=300.0)
    watch.wait_until_quiet()
    waiting = "waiting for a quiet machine, {} s at most: python (process 7) takes 97 % of a processor"
    assert said == [*(waiting.format(left) for left in (298, 283, 253)), "quiet again after 60 s"]
    assert watch.waited_for_quiet_s == pytest.approx(60.0)


def test_a_moment_is_waited_for_without_a_word(watch_with):
    said = []
    watch = watch_with(asleep=(1.0, 1.0, 1.0, 0.0), said=said)
    watch.wait_until_quiet()
    assert (said, watch.waited_for_quiet_s) == ([], pytest.approx(0.75))


def test_a_quiet_machine_is_not_waited_for(watch_with):
    said = []
    watch = watch_with(said=said)
    watch.wait_until_quiet()
    assert (said, watch.waited_for_quiet_s) == ([], 0.0)


def test_it_gives_up_when_the_run_has_waited_as_long_as_it_may(watch_with):
    watch = watch_with(asleep=(1.0,), wait_s=2.0)
    with pytest.raises(
        Busy, match="the machine was busy: the run's measurements have waited for a quiet moment"
    ) as caught:
        watch.wait_until_quiet()
    assert "python (process 7)" in caught.value.reason
    assert caught.value.contention["waited_s"] == pytest.approx(2.0)


def test_what_was_waited_for_one_workload_counts_for_the_next(watch_with):
    watch = watch_with(asleep=(1.0, 1.0, 0.0, 1.0), wait_s=0.5)
    watch.wait_until_quiet()
    watch.next_workload()
    with pytest.raises(Busy):
        watch.wait_until_quiet()


def test_a_workload_that_keeps_losing_turns_is_given_up(watch_with, counters):
    watch = watch_with(lost_s=0.9)
    stalled = {"others": 0.8}
    blocks(watch, counters, *[stalled] * 5)
    watch.wait_until_quiet()
    blocks(watch, counters, *[stalled] * 5)
    with pytest.raises(Busy, match=r"others disturbed 1\.0 s of its turns"):
        watch.wait_until_quiet()


def test_a_share_of_one_minds_nobody(watch_with, counters):
    watch = watch_with(asleep=(2.0,), busy_share=1.0)
    assert blocks(watch, counters, {"own": 0.5, "others": 1.5, "waited": 0.3}, {}) == [True, True]
    watch.wait_until_quiet()


def test_a_figure_is_taken_again_until_nobody_disturbs_it(watch_with, counters):
    watch, others = watch_with(), iter([0.8, 0.8, 0.0])

    def take():
        counters.pass_(0.5, others=next(others))
        return "figure"

    assert watch.taken(take) == "figure"
    assert watch.found()["dropped_turns"] == 2
    assert next(others, None) is None


def test_others_on_the_gpu_drop_the_window(watch_with, counters):
    class Gpu:
        def look(self):
            return "process 9 takes 60 % of GPU 0"

        def found(self):
            return {"other_processes": 1}

    watch = watch_with(gpu=Gpu())
    assert blocks(watch, counters, {}, {}) == [False, False]
    assert watch.found()["gpu"] == {"other_processes": 1}
    assert watch.found()["busiest"] == "process 9 takes 60 % of GPU 0"
