"""The dynamic programming against every choice there is, on small random histograms."""

from itertools import combinations

import numpy as np
import pytest

from temper.lengths.buckets.limits import choose, rounded, token_cost, transformer_cost

COSTS = {"tokens": token_cost, "transformer": transformer_cost(3)}  # so narrow that attention's own products count


def cost_of(limits, lengths, cost):
    """The cost of all rows, each padded to the first limit that is not below its length."""
    return sum(int(cost(np.array([min(limit for limit in limits if limit >= length)]))[0]) for length in lengths)


def cheapest(lengths, profiles, longest, cost):
    """The lowest cost of all choices that serve `longest`: any other limit may be any length."""
    others = range(1, longest)
    return min(
        cost_of((*chosen, longest), lengths, cost)
        for count in range(min(profiles, longest))
        for chosen in combinations(others, count)
    )


@pytest.mark.parametrize("cost", COSTS)
@pytest.mark.parametrize("seed", range(12))
def test_no_choice_of_limits_is_cheaper(seed, cost):
    generator = np.random.default_rng(seed)
    longest = int(generator.integers(3, 13))
    lengths = generator.integers(1, longest + 1 - int(generator.integers(2)), size=int(generator.integers(1, 30)))
    for profiles, choice in enumerate(choose(lengths, profiles=4, longest=longest, cost=COSTS[cost]), 1):
        assert choice.cost == cost_of(choice.limits, lengths, COSTS[cost])
        assert choice.cost == cheapest(lengths, profiles, longest, COSTS[cost])


@pytest.mark.parametrize("seed", range(6))
def test_another_limit_never_costs_more_and_every_row_has_one(seed):
    lengths = rounded(np.random.default_rng(seed).geometric(0.05, size=500), 8, 128)
    found = choose(lengths, profiles=20, longest=128, cost=token_cost)
    for profiles, choice in enumerate(found, 1):
        assert len(choice.limits) <= profiles
        assert list(choice.limits) == sorted(set(choice.limits))
        assert choice.limits[-1] == 128
        assert sum(choice.rows) == 500
        assert choice.tokens == choice.cost
        expected = np.searchsorted(choice.limits, lengths)
        assert choice.rows == tuple(np.bincount(expected, minlength=len(choice.limits)))
    costs = [choice.cost for choice in found]
    assert costs == sorted(costs, reverse=True)
    assert found[0].limits == (128,)
    assert found[-1].cost == lengths.sum()  # as many limits as there are lengths: rounding alone


def test_more_limits_than_lengths_are_not_made_up():
    found = choose(np.array([8, 8, 16]), profiles=5, longest=16, cost=token_cost)
    assert [choice.limits for choice in found] == [(16,), (8, 16), (8, 16), (8, 16), (8, 16)]


def test_a_limit_that_saves_nothing_is_not_taken():
    def in_steps(lengths):
        return -(-lengths // 64)  # a kernel that computes 64 tokens at a time

    found = choose(np.array([8, 24, 72]), profiles=3, longest=128, cost=in_steps)
    assert [choice.limits for choice in found] == [(128,), (24, 128), (24, 128)]


def test_a_length_that_no_row_has_is_served_all_the_same():
    one, two = choose(np.array([8, 8, 16]), profiles=2, longest=64, cost=token_cost)
    assert (one.limits, one.rows) == ((64,), (3,))
    assert (two.limits, two.rows, two.tokens) == ((16, 64), (3, 0), 48)


def test_lengths_are_rounded_up_but_not_beyond_the_longest():
    assert rounded(np.array([1, 8, 9, 50]), 8, 50).tolist() == [8, 8, 16, 50]


@pytest.mark.parametrize(("hidden_size", "length"), [(384, 64), (384, 512), (4, 100)])
def test_the_cost_of_a_transformer_is_the_number_of_its_operations(hidden_size, length):
    projections = 4 * length * hidden_size * hidden_size
    feed_forward = 2 * length * hidden_size * (4 * hidden_size)
    attention = 2 * length * length * hidden_size  # of all heads together
    operations = 2 * (projections + feed_forward + attention)
    (cost,) = transformer_cost(hidden_size)(np.array([length]))
    assert cost * 4 * hidden_size == operations


def test_where_attention_counts_long_rows_get_limits_of_their_own():
    lengths = np.repeat([8, 16, 120, 128], [100, 100, 12, 12])
    by_tokens, by_operations = (
        choose(lengths, profiles=3, longest=128, cost=cost)[-1].limits for cost in (token_cost, transformer_cost(1))
    )
    assert (by_tokens, by_operations) == ((8, 16, 128), (16, 120, 128))
