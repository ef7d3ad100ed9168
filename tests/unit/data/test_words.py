"""Answers of words: where their tokens are, on disk, in a batch, and what a loss sees."""

import numpy as np
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from temper.artifacts.signature import Signature, TensorSpec
from temper.data.columns import words_in
from temper.data.encoded import (
    NO_ANSWER,
    answer_numbers,
    answers_in,
    collate,
    labels_of,
    read_split,
    unpadded,
    write_split,
)
from temper.data.encoding import first_tokens
from temper.data.examples import Examples

AXES = ("batch_size", "sequence_length")


def signature(side="right"):
    return Signature(
        task="text-classification",
        inputs=tuple(
            TensorSpec(name=name, dtype="int64", axes=AXES, pad_value=0) for name in ("input_ids", "attention_mask")
        ),
        label_names=("O", "B-X"),
        padding_side=side,
        labels="token_classification",
        answers_at="tokens",
    )


IDS = [[2, 5, 6, 7, 3], [2, 8, 3]]
LABELS = [[NO_ANSWER, 1, NO_ANSWER, 0, NO_ANSWER], [NO_ANSWER, 1, NO_ANSWER]]


@pytest.fixture(params=["right", "left"])
def split(request, tmp_path):
    examples = Examples("rows", [np.array(row) for row in LABELS], texts=[("a b",), ("c",)])
    inputs = {"input_ids": [np.array(row) for row in IDS], "attention_mask": [np.ones(len(row), int) for row in IDS]}
    write_split(tmp_path / "x.parquet", examples, inputs, signature(request.param))
    return read_split(tmp_path / "x.parquet", signature(request.param)), signature(request.param)


def test_a_split_has_the_labels_of_words_with_their_rows(split):
    read, _ = split
    assert len(read) == 2
    assert read.labels.tolist() == [1, 0, 1]
    assert read.groups.tolist() == [0, 0, 1]
    assert [own.tolist() for own in read.places] == [[1, 3], [1]]
    other = read.take([1, 0, 1])
    assert other.labels.tolist() == [1, 1, 0, 1]
    assert other.groups.tolist() == [0, 1, 1, 2]


def test_answers_are_those_of_first_tokens_on_either_side(split):
    read, own = split
    batch = collate(read, [1, 0], own, sequence_length=None)["input_ids"]
    logits = np.stack([batch, -batch], axis=-1).astype(float)
    assert answers_in(read, [1, 0], logits, own)[:, 0].tolist() == [8, 5, 7]
    labels = labels_of(read, [1, 0], own)
    assert batch[labels != NO_ANSWER].tolist() == [8, 5, 7]
    assert labels[labels != NO_ANSWER].tolist() == [1, 1, 0]


def test_of_a_batch_filled_up_the_surplus_is_nobody_s(split):
    read, own = split
    batch = collate(read, [1, 1, 1], own, sequence_length=None)["input_ids"]
    assert answers_in(read, [1], batch[..., None].astype(float), own)[:, 0].tolist() == [8]


def test_a_word_beyond_what_a_model_takes_has_no_answer(split):
    read, own = split
    batch = collate(read, [0], own, sequence_length=3)["input_ids"]
    found = answers_in(read, [0], batch[..., None].astype(float), own)[:, 0]
    assert found.tolist() == [5, 0]


def test_tokens_without_padding_hold_the_answers(split):
    read, own = split
    batch = collate(read, [0, 1], own, sequence_length=8)
    tokens = unpadded(batch["input_ids"][..., None], batch, own)[:, 0]
    assert tokens.tolist() == [2, 5, 6, 7, 3, 2, 8, 3]
    assert tokens[answer_numbers(read, own)].tolist() == [5, 7, 8]


def byte_level(prefix):
    """Tokens of at most two letters, whose offsets hold the blank before a word."""
    tokenizer = Tokenizer(models.BPE(vocab={"a": 0, "b": 1, "Ġ": 2, "ab": 3, "Ġa": 4}, merges=[("a", "b"), ("Ġ", "a")]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix)
    return tokenizer


@pytest.mark.parametrize("prefix", [True, False])
@pytest.mark.parametrize("text", ["ab abab b", " ab\tab", "ab  a"])
def test_each_word_is_answered_by_the_first_token_that_has_a_letter_of_it(prefix, text):
    encoding = byte_level(prefix).encode(text)
    found = first_tokens(text, encoding)
    assert len(found) == len(text.split())
    for place, (start, end) in zip(found, words_in(text), strict=True):
        own = [n for n, (low, high) in enumerate(encoding.offsets) if low < end and high > start]
        assert place == own[0] or text[slice(*encoding.offsets[own[0]])].isspace()


def test_a_word_that_is_cut_off_has_no_token():
    tokenizer = byte_level(False)
    tokenizer.enable_truncation(2)
    assert first_tokens("ab b a", tokenizer.encode("ab b a")).tolist() == [0, -1, -1]
