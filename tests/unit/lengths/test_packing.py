import numpy as np
import pytest

from temper.lengths.packing import pack, place
from temper.package.runtime.packing import shorten

DTYPES = {name: "int32" for name in ("first_tokens", "input_ids", "segment_ids", "position_ids")}


def batch(lengths, tokens):
    ids = np.arange(1, len(lengths) * tokens + 1).reshape(len(lengths), tokens)
    mask = (np.arange(tokens) < np.asarray(lengths)[:, None]).astype(np.int64)
    return {"input_ids": ids * mask, "attention_mask": mask}


@pytest.mark.parametrize("seed", range(20))
def test_no_token_stands_on_another_and_none_beyond_its_row(seed):
    generator = np.random.default_rng(seed)
    row_tokens = int(generator.integers(8, 129))
    lengths = generator.integers(1, row_tokens + 1, generator.integers(1, 200))
    placed = place(lengths, row_tokens)
    taken = [
        divmod(first + token, row_tokens)
        for first, length in zip(placed.first, lengths, strict=True)
        for token in range(length)
    ]
    assert len(set(taken)) == lengths.sum()
    assert {row for row, _ in taken} == set(range(placed.rows))
    assert (placed.first // row_tokens == (placed.first + lengths - 1) // row_tokens).all()


def test_short_sentences_leave_little_room():
    lengths = np.random.default_rng(0).integers(4, 60, 256)
    assert lengths.sum() / (place(lengths, 128).rows * 128) > 0.97


def test_a_gap_is_filled_by_the_longest_sentence_that_fits_it():
    placed = place(np.array([3, 10, 6, 3, 7, 13]), 16)
    assert placed.rows == 3  # 13 + 3, 10 + 6, 7 + 3
    assert placed.first[[0, 1, 2, 5]].tolist() == [13, 16, 26, 0]


def test_sentences_as_long_as_a_row_get_one_each():
    assert place(np.full(5, 16), 16).rows == 5


@pytest.mark.parametrize("seed", range(20))
def test_shorter_rows_hold_every_token_once_and_are_as_many(seed):
    generator = np.random.default_rng(seed)
    row_tokens, multiple = int(generator.integers(8, 129)), int(generator.integers(1, 20))
    lengths = generator.integers(1, row_tokens + 1, generator.integers(1, 60))
    placed = place(lengths, row_tokens)
    short = shorten(placed, lengths, multiple)
    assert (short.rows, short.row_tokens <= row_tokens) == (placed.rows, True)
    assert short.row_tokens == row_tokens or short.row_tokens % multiple == 0
    taken = {first + token for first, length in zip(short.first, lengths, strict=True) for token in range(length)}
    assert len(taken) == lengths.sum()
    assert (short.first // short.row_tokens == (short.first + lengths - 1) // short.row_tokens).all()


def test_rows_of_a_call_get_tokens_alike():
    lengths = np.array([40, 38, 30, 24, 20, 20, 16, 12, 10, 8, 6, 5])  # 229: two rows of 128
    short = shorten(place(lengths, 128), lengths, 8)
    assert (short.rows, short.row_tokens) == (2, 120)


def test_sentences_stay_where_they_are_if_levelling_makes_a_row_too_long():
    lengths = np.array([7, 7, 6, 6, 6])  # LPT: 7 + 6 + 6 and 7 + 6; two rows of 18 hold 7 + 7 and 6 + 6 + 6
    placed = place(lengths, 18)
    short = shorten(placed, lengths, 1)
    assert (placed.rows, short.row_tokens) == (2, 18)
    assert sorted(short.first.tolist()) == [0, 7, 18, 24, 30]


@pytest.mark.parametrize("multiple", [None, 4])
def test_every_sentence_is_found_where_its_first_token_is(multiple):
    inputs = batch([3, 16, 1, 9, 7], 16)
    packed = pack(inputs, 16, DTYPES, multiple)
    ids, segments, positions = (packed[name].ravel() for name in ("input_ids", "segment_ids", "position_ids"))
    for sentence, first in enumerate(packed["first_tokens"]):
        own = segments == sentence + 1
        length = int(inputs["attention_mask"][sentence].sum())
        assert np.flatnonzero(own).tolist() == list(range(first, first + length))
        assert positions[own].tolist() == list(range(length))
        assert ids[own].tolist() == inputs["input_ids"][sentence, :length].tolist()
    assert not ids[segments == 0].any()
    assert {array.dtype for array in packed.values()} == {np.dtype("int32")}


def test_rows_that_begin_with_padding_are_packed_as_those_that_end_with_it():
    right = batch([3, 16, 1, 9, 7], 16)
    lengths = right["attention_mask"].sum(axis=1)
    left = {
        name: np.stack([np.roll(row, 16 - length) for row, length in zip(array, lengths, strict=True)])
        for name, array in right.items()
    }
    expected = pack(right, 16, DTYPES)
    for name, array in pack(left, 16, DTYPES).items():
        np.testing.assert_array_equal(array, expected[name])
