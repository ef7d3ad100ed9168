"""Rows end to end, by C and by NumPy alike."""

import numpy as np
import pytest

from temper.package.runtime.unpadded_place import Placer, padded_tokens
from tests.unit.backends.test_pytorch_unpadded import LENGTHS, batch


def by_numpy(*, fill):
    return Placer(fill=fill, compiled=lambda: "nobody asked")


@pytest.mark.parametrize("make", [Placer, by_numpy])
def test_rows_are_set_end_to_end_and_what_fills_up_is_a_row_of_its_own(make):
    inputs = batch(types=True)
    placed = make(fill=True)(inputs)
    tokens = placed.tokens
    assert (tokens, placed.rows, placed.longest) == (32, 4, 64)
    starts = placed.integers[2 * tokens :]
    assert starts.tolist() == [0, 5, 6, 18, 27, 32]
    for number, name in enumerate(("input_ids", "token_type_ids")):
        own = placed.integers[number * tokens : (number + 1) * tokens]
        for row, length in enumerate(LENGTHS):
            assert own[starts[row] : starts[row + 1]].tolist() == inputs[name][row, :length].tolist()
        assert own[27:].tolist() == [0] * 5
    assert make(fill=False)(inputs).tokens == 27


def test_c_and_numpy_place_alike_and_say_who_did_it():
    compiled, other, generator = Placer(fill=True), by_numpy(fill=True), np.random.default_rng(1)
    if not compiled.by.startswith("NumPy"):
        assert compiled.by == "C"
    assert other.by == "NumPy: nobody asked"
    for rows in (1, 12, 256):
        inputs = batch(generator.integers(1, 65, size=rows).tolist(), columns=64)
        mine, its = compiled(inputs), other(inputs)
        assert (mine.tokens, mine.rows, mine.longest) == (its.tokens, its.rows, its.longest)
        np.testing.assert_array_equal(mine.integers, its.integers)
        strange = {name: np.asfortranarray(array.astype(np.int32)) for name, array in inputs.items()}
        np.testing.assert_array_equal(compiled(strange).integers, its.integers)


@pytest.mark.parametrize(("count", "expected"), [(1, 8), (512, 512), (513, 544), (2048, 2048), (2049, 2112)])
def test_tokens_are_rounded_up_to_few_sizes(count, expected):
    assert padded_tokens(count) == expected
