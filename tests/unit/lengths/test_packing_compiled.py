"""Packing in C gives what packing in NumPy gives, to the bit; without a compiler NumPy does it and says so."""

import shutil

import numpy as np
import pytest

from temper.lengths.packing import Packer, pack

NAMES = ("input_ids", "token_type_ids", "first_tokens", "segment_ids", "position_ids")
DTYPES = dict.fromkeys(NAMES, "int32")
needs_compiler = pytest.mark.skipif(
    not any(map(shutil.which, ("cc", "gcc", "clang"))), reason="this machine has no C compiler"
)


def batch(generator, row_tokens, left):
    tokens = int(generator.integers(1, row_tokens + 1))
    lengths = generator.integers(1, tokens + 1, int(generator.integers(1, 300)))
    mask = (np.arange(tokens) < lengths[:, None]).astype(np.int64)
    mask = np.ascontiguousarray(mask[:, ::-1]) if left else mask
    ids = generator.integers(1, 2**31 - 1, mask.shape)
    return {"input_ids": ids, "token_type_ids": generator.integers(0, 2, mask.shape), "attention_mask": mask}


def same(one, other):
    assert list(one) == list(other)
    for name, array in one.items():
        assert array.dtype == other[name].dtype
        assert np.array_equal(array, other[name]), name


@needs_compiler
@pytest.mark.parametrize("multiple", [None, 1, 8], ids=["whole rows", "shortest rows", "rows of eights"])
@pytest.mark.parametrize("left", [False, True], ids=["padding behind", "padding before"])
def test_it_gives_numpy_s_rows_to_the_bit(left, multiple):
    generator = np.random.default_rng(7)
    packer = Packer(1, DTYPES)
    for _ in range(150):
        row_tokens = int(generator.integers(1, 200))
        packer = packer_of(packer, row_tokens, multiple)
        inputs = batch(generator, row_tokens, left)
        assert packer.by == "C"
        same(packer(inputs), pack(inputs, row_tokens, DTYPES, multiple))


def packer_of(packer, row_tokens, multiple):
    """One for other rows, with the functions that are compiled already."""
    return Packer(row_tokens, DTYPES, multiple, compiled=lambda: packer._library)


@needs_compiler
@pytest.mark.parametrize(
    "change",
    [
        lambda array: array.astype(np.int32),
        np.asfortranarray,
        lambda array: np.repeat(array, 2, axis=0)[::2],
    ],
    ids=["of 32 bits", "columns first", "every second row"],
)
def test_arrays_of_another_form_are_packed_by_numpy(change):
    inputs = batch(np.random.default_rng(1), 64, left=False)
    changed = {name: change(array) for name, array in inputs.items()}
    same(Packer(64, DTYPES)(changed), pack(inputs, 64, DTYPES))


def test_without_a_compiler_numpy_does_it_and_it_is_said(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    packer = Packer(64, DTYPES)
    assert packer.by == "NumPy: no C compiler (cc, gcc, clang)"
    inputs = batch(np.random.default_rng(2), 64, left=False)
    same(packer(inputs), pack(inputs, 64, DTYPES))


def test_a_compiler_that_makes_nothing_is_said(monkeypatch, tmp_path):
    broken = tmp_path / "cc"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert Packer(64, DTYPES).by == "NumPy: the C compiler does not make it: CalledProcessError"


def test_a_model_of_other_types_is_packed_by_numpy():
    dtypes = dict.fromkeys(NAMES, "int64")
    packer = Packer(64, dtypes)
    assert packer.by == "NumPy: its model takes other types than int32"
    inputs = batch(np.random.default_rng(3), 64, left=True)
    same(packer(inputs), pack(inputs, 64, dtypes))
