"""The race by hand, and on 1,000 made-up problems: how often it loses the fastest, and what it costs."""

import math

import numpy as np
import pytest

from temper.measurement.alternation import _GROWTH
from temper.optimize.race import FIRST_BLOCKS, Rules, Turns, next_blocks, order, race, standing

RULES = Rules(arms=4)
ARMS = ["base", "half", "same", "double"]


def turns(challenger, incumbent, ratio, blocks=8, spread=0.01):
    noise = np.resize([-spread, spread], blocks)
    return Turns(challenger, incumbent, tuple(math.log(ratio) + noise))


def test_a_challenger_is_dropped_once_its_interval_excludes_that_it_is_faster_by_more_than_the_margin():
    found = standing(
        ARMS, "base", [turns("double", "base", 2.0), turns("same", "base", 1.0, 40)], RULES, {"base": True}
    )
    assert found.dropped["double"].why == "slower"
    assert found.dropped["double"].by == "base"
    assert found.dropped["same"].why == "not faster by more than the margin"
    assert list(found.open) == ["half"]
    assert found.incumbent == "base"


def test_two_blocks_decide_nothing():
    found = standing(ARMS, "base", [turns("double", "base", 2.0, 2)], RULES, {"base": True})
    assert list(found.open) == ["half", "same", "double"]


def test_one_that_is_faster_leads_only_once_its_answers_are_known_to_be_right():
    taken = [turns("half", "base", 0.5)]
    assert standing(ARMS, "base", taken, RULES, {"base": True}).asks == ("half",)
    right = standing(ARMS, "base", taken, RULES, {"base": True, "half": True})
    assert right.led == ("base", "half")
    assert right.dropped["base"].by == "half"
    assert right.asks == ()
    wrong = standing(ARMS, "base", taken, RULES, {"base": True, "half": False})
    assert wrong.incumbent == "base"
    assert "half" not in wrong.open
    assert "half" not in wrong.dropped


def test_another_budget_decides_anew_without_a_turn_more():
    """What was dropped beside one that is out now is open again beside the one before it."""
    taken = [turns("half", "base", 0.5), turns("same", "half", 2.0)]
    with_half = standing(ARMS, "base", taken, RULES, {"base": True, "half": True})
    without = standing(ARMS, "base", taken, RULES, {"base": True, "half": False})
    assert with_half.dropped["same"].by == "half"
    assert "same" in without.open


def test_turns_in_pieces_and_in_one_give_the_same_standing():
    whole = [turns("half", "base", 0.5, 12), turns("double", "half", 4.0, 12)]
    pieces = [
        Turns(each.challenger, each.incumbent, each.log_ratios[at : at + 3]) for each in whole for at in (0, 3, 6, 9)
    ]
    passed = {"base": True, "half": True}
    assert standing(ARMS, "base", whole, RULES, passed) == standing(ARMS, "base", pieces, RULES, passed)


def test_turns_go_to_those_without_any_first_and_then_to_those_that_look_fastest():
    taken = [turns("half", "base", 0.999, 4, 0.5), turns("double", "base", 1.001, 4, 0.5)]
    found = standing(ARMS, "base", taken, RULES, {"base": True})
    assert order(found) == ["same", "half", "double"]
    assert [next_blocks(known) for known in (0, 4, 12)] == [FIRST_BLOCKS, FIRST_BLOCKS, 6]


def blocks_until_precise(spread):
    """What `measure` takes with the defaults: 26 blocks, half as many again until the interval is ± 2 %."""
    look, needed = 26, (1.96 * spread / 0.02) ** 2
    while look < needed:
        look = math.ceil(look * _GROWTH)
    return look


def run_problem(seed):
    """10 to 60 candidates, up to six times as slow as the fastest, a quarter of them within a per cent or so of another;
    blocks spread by 2 to 12 %, half of the problems with heavy tails. What the race lost, its blocks, those of `measure`."""
    draws = np.random.default_rng(seed)
    count = int(draws.integers(10, 61))
    logs = draws.uniform(0, math.log(6), count)
    for arm in range(1, count):
        if draws.random() < 0.25:
            logs[arm] = logs[draws.integers(arm)] + draws.normal(0, 0.01)
    spread, heavy, taken = math.exp(draws.uniform(math.log(0.02), math.log(0.12))), draws.random() < 0.5, 0

    def take(challenger, incumbent, blocks):
        nonlocal taken
        taken += blocks
        noise = draws.standard_t(4, blocks) / math.sqrt(2) if heavy else draws.normal(0, 1, blocks)
        return (logs[int(challenger)] - logs[int(incumbent)] + spread * noise).tolist()

    arms = [str(arm) for arm in range(count)]
    found = race(arms, arms[int(draws.integers(count))], Rules(count), take)
    return logs[int(found.incumbent)] - logs.min(), taken, blocks_until_precise(spread) * (count - 1)


@pytest.mark.parametrize("problems", [8, pytest.param(1000, marks=pytest.mark.long)])
def test_the_fastest_is_rarely_lost_and_a_third_of_the_blocks_suffice(problems):
    lost, taken, precise = np.array([run_problem(seed) for seed in range(problems)]).T
    false = (lost > math.log1p(RULES.margin)).mean()
    print(f"{problems} problems: false winner {false:.2%}, {taken.sum() / precise.sum():.3f} of the blocks")
    assert false <= RULES.error
    assert taken.sum() / precise.sum() <= 1 / 3


def test_a_race_goes_on_from_the_turns_that_are_there():
    taken = []

    def take(challenger, incumbent, blocks):
        taken.append(challenger)
        return turns(challenger, incumbent, {"half": 0.5, "same": 1.5, "double": 2.0}[challenger], blocks).log_ratios

    whole = race(ARMS, "base", RULES, take)
    before = [turns("double", "base", 2.0)]
    taken.clear()
    again = race(ARMS, "base", RULES, take, before=before)
    assert whole.incumbent == again.incumbent == "half"
    assert "double" not in taken
