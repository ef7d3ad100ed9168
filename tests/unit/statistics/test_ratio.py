"""The ratio's interval: by hand, and by simulation with the stopping rule in the loop."""

import gc
import math

import numpy as np
import pytest
from scipy import stats

from temper.measurement.alternation import Stopping, time_in_turns
from temper.statistics.ratio import MAX_GROUPS, Ratio, are_told_apart, quotient, ratio_interval, verdict

RUNS = 1000


@pytest.fixture(autouse=True)
def no_collection(monkeypatch):
    """Thousands of comparisons in one process: each would walk all that the tests before it have loaded."""
    monkeypatch.setattr(gc, "collect", lambda: 0)


MARGIN, HALF_WIDTH = 0.05, 0.02


def test_the_ratio_is_that_of_the_lower_medians_or_of_the_sums():
    own, other = np.array([[1.0, 2.0], [3.0, 10.0]]), np.array([[2.0, 4.0], [4.0, 30.0]])
    assert ratio_interval(own, other, statistic="median", resamples=200, seed=1).ratio == 0.5
    assert ratio_interval(own, other, statistic="mean", resamples=200, seed=1).ratio == 0.4


def test_what_slows_a_whole_block_leaves_the_interval_narrow_and_what_slows_one_side_does_not():
    draws = np.random.default_rng(1)
    other = np.full((40, 5), 2.0) * draws.lognormal(0, 0.5, (40, 1))
    both = ratio_interval(0.5 * other, other, statistic="median", resamples=500, seed=1)
    apart = ratio_interval(0.5 * other, other, statistic="median", resamples=500, seed=1, paired=False)
    assert both == Ratio(0.5, 0.5, 0.5)
    assert apart.relative_half_width > 0.1


@pytest.mark.parametrize("groups", [8, 12, MAX_GROUPS])
def test_the_interval_is_as_wide_as_a_t_interval_of_the_same_blocks(groups):
    """The means of many resamples are near a normal distribution, so the percentiles of them stand where t says."""
    own = np.random.default_rng(3).normal(100.0, 1.0, (groups, 1))
    found = ratio_interval(own, np.full((groups, 1), 1.0), statistic="mean", resamples=20_000, seed=1)
    half = stats.t.ppf(0.975, groups - 1) * own.std(ddof=1) / np.sqrt(groups)
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=0.08)


def test_many_blocks_are_joined_with_their_neighbours():
    draws = np.random.default_rng(1)
    level = np.repeat(draws.lognormal(0, 0.3, MAX_GROUPS), 10)[:, None]  # what lasts ten blocks is one observation
    own, other = np.ones((10 * MAX_GROUPS, 2)) * level, np.ones((10 * MAX_GROUPS, 2))
    found = ratio_interval(own, other, statistic="mean", resamples=500, seed=1)
    naive = 2 * 1.96 * own.mean(axis=1).std() / np.sqrt(10 * MAX_GROUPS)
    assert found.high - found.low > 2 * naive


def test_equal_latencies_and_seed_give_an_equal_interval():
    own = np.random.default_rng(2).lognormal(0, 0.2, (30, 4))
    found = [ratio_interval(own, own[::-1], statistic="median", resamples=200, seed=seed) for seed in (1, 1, 2)]
    assert found[0] == found[1] != found[2]


def test_one_block_has_no_interval():
    with pytest.raises(ValueError, match="two blocks"):
        ratio_interval(np.ones((1, 5)), np.ones((1, 5)), statistic="median", resamples=200, seed=1)


class Machine:
    """A machine whose speed drifts: a trend, a random walk, a level of each turn, calls with a heavy tail."""

    def __init__(self, seed, *, turn, call, walk=0.005, trend=0.2):
        self._draws, self._turn, self._call, self._walk, self._trend = (
            np.random.default_rng(seed),
            turn,
            call,
            walk,
            trend,
        )
        self.now, self._level, self._turns = 0, 0.0, {}

    def side(self, mean_ns, calls_per_turn):
        machine, calls = self, 0
        level = 0.0

        class Side:
            def infer(self, inputs):
                nonlocal calls, level
                if calls % (calls_per_turn + 1) == 0:  # a turn begins with an untimed call
                    machine._level += machine._draws.normal(machine._trend / 200, machine._walk)
                    level = machine._level + machine._draws.normal(0, machine._turn)
                calls += 1
                slow = 1.5 if machine._draws.random() < 0.03 else 1.0
                machine.now += int(mean_ns * slow * np.exp(level + machine._draws.normal(0, machine._call)))

        return Side()


def simulated(ratio, seed, *, turn, call):
    """One comparison on a drifting machine, with the stopping rule."""
    machine = Machine(seed, turn=turn, call=call)
    return time_in_turns(
        machine.side(ratio * 1e6, 3),
        machine.side(1e6, 3),
        [{}],
        statistic="median",
        warmup_runs=0,
        calls_per_turn=3,
        stopping=Stopping(
            min_calls=60, max_calls=900, min_duration_s=0, max_duration_s=1e9, relative_half_width=HALF_WIDTH
        ),
        resamples=300,
        seed=seed,
        clock_ns=lambda: machine.now,
    ).ratio


@pytest.mark.parametrize(
    ("ratio", "noise"),
    [
        (1.0, {"turn": 0.02, "call": 0.05}),
        pytest.param(0.5, {"turn": 0.03, "call": 0.05}, marks=pytest.mark.long),
        pytest.param(1.6, {"turn": 0.01, "call": 0.1}, marks=pytest.mark.long),
    ],
    ids=["A/A", "half", "1.6"],
)
def test_the_interval_covers_the_true_ratio_in_93_to_98_per_cent_of_1000_runs(ratio, noise, record_property):
    found = [simulated(ratio, seed, **noise) for seed in range(RUNS)]
    covered = sum(each.low <= ratio <= each.high for each in found) / RUNS
    record_property("coverage", covered)
    assert 0.93 <= covered <= 0.98
    verdicts = [verdict(each, MARGIN) for each in found]
    if ratio == 1.0:
        assert sum(each in ("win", "loss") for each in verdicts) <= 0.05 * RUNS
        assert verdicts.count("tie") >= 0.8 * RUNS
    else:
        assert set(verdicts) == {"win" if ratio < 1 else "loss"}


def test_a_machine_too_noisy_for_the_width_says_undecided_and_neither_win_nor_loss():
    verdicts = [verdict(simulated(1.0, seed, turn=0.3, call=0.1), MARGIN) for seed in range(100)]
    assert sum(each in ("win", "loss") for each in verdicts) <= 5
    assert verdicts.count("undecided") >= 80


def test_the_quotient_turned_round_is_its_inverse():
    one, other = Ratio(0.2, 0.19, 0.22), Ratio(0.5, 0.48, 0.51)
    there, back = quotient(one, other), quotient(other, one)
    assert there.ratio == pytest.approx(0.4)
    assert (there.low, there.high) == (pytest.approx(1 / back.high), pytest.approx(1 / back.low))


def test_the_interval_of_the_quotient_covers_as_often_as_those_it_is_made_of():
    generator, covered, runs = np.random.default_rng(5), 0, 4000
    for _ in range(runs):
        ratios = []
        for true, spread in ((0.3, 0.02), (0.6, 0.05)):
            log = math.log(true) + spread * generator.standard_normal()
            ratios.append(Ratio(*(math.exp(log + shift * 1.96 * spread) for shift in (0, -1, 1))))
        found = quotient(*ratios)
        covered += found.low <= 0.5 <= found.high
    assert 0.94 < covered / runs < 0.96


@pytest.mark.parametrize("reading", ["the whole machine was slower", "the baseline alone was slower", "half of each"])
def test_the_interval_of_the_quotient_covers_whatever_the_baselines_shift_was(reading):
    """The baseline took 4 % longer beside the first, by one of three causes that its level does not tell apart."""
    share = {"the whole machine was slower": 0.0, "the baseline alone was slower": 1.0, "half of each": 0.5}[reading]
    generator, covered, runs, shift = np.random.default_rng(5), 0, 2000, 1.04
    for _ in range(runs):
        ratios = []
        for true, spread in ((0.3 / shift**share, 0.01), (0.6, 0.01)):
            log = math.log(true) + spread * generator.standard_normal()
            ratios.append(Ratio(*(math.exp(log + away * 1.96 * spread) for away in (0, -1, 1))))
        found = quotient(*ratios, shift)
        covered += found.low <= 0.5 <= found.high
    assert covered / runs > 0.94


@pytest.mark.parametrize(
    ("found", "floor", "told"),
    [
        (Ratio(0.90, 0.88, 0.92), 0.05, True),
        (Ratio(0.97, 0.96, 0.98), 0.05, False),  # its own interval lies below 1; the machine's noise does not
        (Ratio(1.03, 1.02, 1.04), 0.05, False),
        (Ratio(1.10, 1.08, 1.12), 0.05, True),
        (Ratio(0.80, 0.60, 1.05), 0.05, False),
        (Ratio(0.20, 0.19, 0.21), 1.2, False),  # a machine that could not tell a factor of two tells nothing
    ],
)
def test_two_latencies_are_told_apart_beyond_the_interval_and_the_noise_floor(found, floor, told):
    assert are_told_apart(found, floor) is told
    assert are_told_apart(Ratio(1 / found.ratio, 1 / found.high, 1 / found.low), floor) is told
