"""Static shapes that follow from the lengths of rows."""

import numpy as np
import pytest

from temper.lengths.packing import place
from temper.optimize.gpu_shapes import PROFILES, packed_shapes, padded_shapes

LENGTHS = np.random.default_rng(1).gamma(4.0, 6.0, 2_000).astype(np.int64).clip(2, 128)


def test_padded_shapes_hold_every_batch_and_cost_less_than_the_longest_alone():
    shapes = padded_shapes(LENGTHS, {"batch_size": 16, "real_lengths": "bucketed"}, 128)
    whole = sorted(tokens for rows, tokens in shapes if rows == 16)
    assert whole[-1] == 128
    assert len(whole) <= PROFILES
    longest = np.sort(LENGTHS).reshape(-1, 16).max(axis=1)
    padded = np.array([next(tokens for tokens in whole if tokens >= length) for length in longest])
    assert padded.sum() < 1.2 * longest.sum()


def test_the_rest_at_the_end_of_all_rows_has_shapes_of_half_a_batch():
    shapes = padded_shapes(LENGTHS, {"batch_size": 16, "real_lengths": "arrival"}, 128)
    assert [8, 128] in shapes
    assert [1, 128] not in padded_shapes(LENGTHS, {"batch_size": 1, "sequence_length": 64}, 128)[:-1]


def test_the_rest_of_sorted_rows_is_the_longest_ones_and_has_a_shape_below_the_most_that_there_can_be():
    rows = np.concatenate([np.full(160, 10), np.full(5, 50)])
    assert padded_shapes(rows, {"batch_size": 16, "real_lengths": "bucketed"}, 128) == [
        *[[16, tokens] for tokens in (16, 56, 64, 128)],
        *[[8, tokens] for tokens in (64, 128)],
    ]
    assert [16, 3] in packed_shapes(rows, {"batch_size": 16, "real_lengths": "bucketed"}, 128)


def test_a_fixed_workload_has_shapes_up_to_its_length_and_one_that_cuts_no_row():
    shapes = padded_shapes(LENGTHS, {"batch_size": 4, "sequence_length": 64}, 128)
    assert shapes[-1] == [4, 128]
    assert max(tokens for _, tokens in shapes[:-1]) == 64
    assert padded_shapes(LENGTHS, {"batch_size": 4, "sequence_length": 128}, 128).count([4, 128]) == 1


@pytest.mark.parametrize("order", ["arrival", "bucketed"])
def test_packed_shapes_hold_the_rows_that_batches_need(order):
    shapes = packed_shapes(LENGTHS, {"batch_size": 64, "real_lengths": order}, 128)
    assert len(shapes) <= PROFILES
    rows = np.sort(LENGTHS) if order == "bucketed" else LENGTHS
    needed = [place(rows[at : at + 64], 128).rows for at in range(0, 1_984, 64)]
    assert max(needed) <= max(most for _, most in shapes) <= 64
    assert min(most for _, most in shapes) < min(needed)  # half a batch


def test_few_rows_are_one_batch():
    few = np.array([5, 9, 30], np.int64)
    assert padded_shapes(few, {"batch_size": 8, "sequence_length": 32}, 32) == [[8, 32]]
    assert packed_shapes(few, {"batch_size": 8, "sequence_length": 32}, 32) == [[8, 2], [8, 3]]
