import gc

import numpy as np
import pytest

from temper.measurement.alternation import Stopping, time_in_turns
from temper.statistics.ratio import Ratio

BATCHES = [{"input_ids": number} for number in range(4)]
MS = 1_000_000


class Clock:
    """In nanoseconds; only the runners' calls move it."""

    def __init__(self):
        self.now = 17

    def __call__(self):
        return self.now


class Side:
    """Takes so long for each call, and keeps who was asked what, in one list for both sides."""

    def __init__(self, name, clock, asked, duration_ns):
        self.name, self.clock, self.asked, self.duration_ns = name, clock, asked, duration_ns

    def infer(self, inputs):
        self.asked.append((self.name, inputs["input_ids"]))
        self.clock.now += self.duration_ns()


def timed(own=lambda: 2 * MS, other=lambda: 4 * MS, *, width=0.01, warmup_runs=0, calls_per_turn=2, seed=1, **stopping):
    clock, asked = Clock(), []
    limits = {
        "min_calls": 4,
        "max_calls": 8,
        "min_duration_s": 0.0,
        "max_duration_s": 1e6,
        "relative_half_width": width,
    }
    turns = time_in_turns(
        Side("own", clock, asked, own),
        Side("other", clock, asked, other),
        BATCHES,
        statistic="median",
        warmup_runs=warmup_runs,
        calls_per_turn=calls_per_turn,
        stopping=Stopping(**{**limits, **stopping}),
        resamples=200,
        seed=seed,
        clock_ns=clock,
    )
    return turns, asked


def test_both_sides_get_the_same_batches_in_each_block_and_the_first_call_of_a_turn_is_not_timed():
    turns, asked = timed()
    assert turns.candidate_ns.shape == turns.baseline_ns.shape == (4, 2)
    assert (turns.candidate_ns == 2 * MS).all()
    assert (turns.baseline_ns == 4 * MS).all()
    for block, first in enumerate(turns.candidate_first):
        own, other = asked[6 * block : 6 * block + 3], asked[6 * block + 3 : 6 * block + 6]
        assert [name for name, _ in own] == (["own"] * 3 if first else ["other"] * 3)
        batches = [batch for _, batch in own]
        assert batches == [batch for _, batch in other]
        assert batches[0] == batches[1]  # untimed, then timed
        assert batches[1:] == turns.batch_of_call[block].tolist()
    assert turns.batch_of_call.tolist() == [[0, 1], [2, 3], [0, 1], [2, 3]]


def test_the_order_of_turns_is_drawn_by_seed():
    first = [timed(seed=seed, max_calls=40, min_calls=40)[0].candidate_first for seed in (1, 1, 2)]
    assert first[0] == first[1] != first[2]
    assert 0 < sum(first[0]) < len(first[0])


def test_warm_up_calls_of_both_sides_are_made_first():
    turns, asked = timed(warmup_runs=2)
    assert asked[:4] == [("own", 0), ("other", 0), ("own", 1), ("other", 1)]
    assert turns.candidate_ns.size == 8


def test_it_stops_where_the_ratio_is_known_well_enough():
    turns, _ = timed(max_calls=10_000)
    assert (turns.stopped, turns.candidate_ns.size) == ("precise enough", 40)  # the first look is after 20 blocks
    assert turns.ratio == Ratio(0.5, 0.5, 0.5)


def test_noise_makes_it_go_on():
    draws = np.random.default_rng(3)
    turns, _ = timed(own=lambda: int(2 * MS * draws.lognormal(0, 0.2)), width=0.03, max_calls=10_000)
    assert turns.stopped == "precise enough"
    assert turns.candidate_ns.size > 40
    assert turns.ratio.relative_half_width <= 0.03


def test_the_most_calls_end_it_also_where_it_is_not_precise():
    draws = np.random.default_rng(3)
    turns, _ = timed(own=lambda: int(2 * MS * draws.lognormal(0, 0.5)), width=0.001, max_calls=100)
    assert (turns.stopped, turns.candidate_ns.size) == ("max_calls", 100)


def test_the_clock_ends_it_after_two_blocks_at_the_soonest():
    turns, _ = timed(max_duration_s=0.0001, max_calls=1000)
    assert (turns.stopped, len(turns.candidate_ns)) == ("max_duration_s", 2)


@pytest.mark.parametrize(("minimum", "calls"), [({"min_calls": 130}, 130), ({"min_duration_s": 0.6}, 206)])
def test_both_minima_are_met(minimum, calls):
    turns, _ = timed(max_calls=10_000, **minimum)
    assert turns.candidate_ns.size >= min(calls, 100)
    assert turns.candidate_ns.size * 6 / 1000 >= minimum.get("min_duration_s", 0)
    assert turns.candidate_ns.size >= minimum.get("min_calls", 0)


def test_garbage_collection_is_off_meanwhile_and_on_again_after():
    seen = []
    timed(own=lambda: seen.append(gc.isenabled()) or MS)
    assert set(seen) == {False}
    assert gc.isenabled()
