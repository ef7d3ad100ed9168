from dataclasses import replace

import numpy as np
import pytest
from sklearn.datasets import load_digits
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from temper.data.encoded import Split, row_lengths
from temper.errors import DataError
from temper.quantization.calibration import entropy, minmax, percentile
from temper.quantization.calibration.rows import PIXELS_PER_CALL, TOKENS_PER_CALL, Calls, choose
from tests.tiny_onnx import IMAGE

SEED = 5


@pytest.fixture
def chosen(tiny_study, split):
    """Rows of the tiny study's calibration split as a calibration's `rows` wants them."""

    def chosen(rows, samples=8, seed=SEED, split=split):
        tokenizer = tiny_study.fp32 / "tokenizer.json"
        return choose(split, tiny_study.signature, rows=rows, samples=samples, seed=seed, tokenizer=tokenizer)

    return chosen


def ids(split: Split) -> list[list[int]]:
    return [row.tolist() for row in split.inputs["input_ids"]]


def test_drawn_are_the_first_rows(chosen, split):
    found = chosen("drawn")
    assert ids(found) == ids(split)[:8]
    assert len(found) == 8
    assert found.texts == split.texts[:8]
    np.testing.assert_array_equal(found.labels, split.labels[:8])


def test_random_ids_keep_lengths_and_special_tokens(chosen, split, tiny_study):
    tokenizer = Tokenizer.from_file(str(tiny_study.fp32 / "tokenizer.json"))
    special = {tokenizer.token_to_id(token) for token in ("[CLS]", "[SEP]", "[PAD]", "[UNK]")}
    before, after = ids(split)[:8], ids(chosen("random_ids"))
    changed = 0
    for old, new in zip(before, after, strict=True):
        assert len(old) == len(new)
        for was, is_ in zip(old, new, strict=True):
            assert (was in special and is_ == was) or (was not in special and is_ not in special)
            changed += was != is_
    drawn = {token for row in after for token in row} - special
    assert changed > 0.9 * sum(len(row) - 2 for row in before)
    assert len(drawn) > 20
    assert max(drawn) < tokenizer.get_vocab_size()
    np.testing.assert_array_equal(chosen("random_ids").inputs["attention_mask"][3], split.inputs["attention_mask"][3])


def test_shuffled_tokens_are_the_same_tokens_with_the_ends_in_their_place(chosen, split):
    before, after = ids(split)[:8], ids(chosen("shuffled_tokens"))
    assert before != after
    for old, new in zip(before, after, strict=True):
        assert sorted(old) == sorted(new)
        assert (old[0], old[-1]) == (new[0], new[-1])


@pytest.fixture
def with_numbers(tmp_path):
    """A tokenizer whose token of a number n is n + 10."""
    vocabulary = {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3} | {str(number): number + 10 for number in range(17)}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]"])
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    return tmp_path / "tokenizer.json"


def ends_of(split):
    """Rows of one token between two special ones, of many, and of more than two images have pixels."""
    rows = [np.asarray([2, *[5] * between, 3], np.int64) for between in (1, 20, 64, 140)]
    return replace(split, labels=split.labels[:4], texts=split.texts[:4], inputs={"input_ids": rows})


def test_digits_as_text_are_pixels_of_images_one_after_the_other(split, tiny_study, with_numbers):
    before = ends_of(split)
    found = choose(before, tiny_study.signature, rows="digits_as_text", samples=4, seed=SEED, tokenizer=with_numbers)
    images = {tuple(image) for image in load_digits().data.astype(int).tolist()}
    for old, new in zip(before.inputs["input_ids"], found.inputs["input_ids"], strict=True):
        assert (len(new), new[0], new[-1], new.dtype) == (len(old), 2, 3, np.int64)
        pixels = (new[1:-1] - 10).tolist()
        for start in range(0, len(pixels), 64):
            part = tuple(pixels[start : start + 64])
            assert any(image[: len(part)] == part for image in images)
    longest = found.inputs["input_ids"][3][1:-1]
    assert longest[:64].tolist() != longest[64:128].tolist()


def test_the_seed_decides_which_digits_and_more_samples_change_no_earlier_row(split, tiny_study, with_numbers):
    def digits(seed, samples):
        found = choose(
            split, tiny_study.signature, rows="digits_as_text", samples=samples, seed=seed, tokenizer=with_numbers
        )
        return ids(found)

    before = ids(split)
    first = digits(SEED, 8)
    assert first == digits(SEED, 8)
    assert first != digits(SEED + 1, 8)
    assert digits(SEED, 12)[:8] == first
    assert ids(split) == before


def test_digits_need_tokens_for_numbers(split, tiny_study, tmp_path):
    tokenizer = Tokenizer(WordLevel({"[UNK]": 0, "plot": 1}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.add_special_tokens(["[UNK]"])
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(DataError) as caught:
        choose(
            split,
            tiny_study.signature,
            rows="digits_as_text",
            samples=4,
            seed=SEED,
            tokenizer=tmp_path / "tokenizer.json",
        )
    assert caught.value.asked == "calibrate on handwritten digits as text"
    assert caught.value.happened == "tokenizer.json has no tokens for numbers"
    assert "docs/params.md" in caught.value.fix


@pytest.mark.parametrize("rows", ["random_ids", "shuffled_tokens"])
def test_the_seed_decides_and_more_samples_change_no_earlier_row(chosen, rows):
    first = ids(chosen(rows))
    assert first == ids(chosen(rows))
    assert first != ids(chosen(rows, seed=SEED + 1))
    assert ids(chosen(rows, samples=12))[:8] == first


@pytest.mark.parametrize("rows", ["random_ids", "shuffled_tokens"])
def test_the_split_itself_is_left_as_it_was(chosen, split, rows):
    before = ids(split)
    chosen(rows)
    assert ids(split) == before


def test_rows_of_one_label(chosen, split, tiny_study):
    label = tiny_study.signature.label_names[1]
    found = chosen({"label": label}, samples=3)
    assert found.labels.tolist() == [1, 1, 1]
    assert ids(found) == [row for row, of in zip(ids(split), split.labels, strict=True) if of == 1][:3]


def test_an_unknown_label_is_refused_with_those_there_are(chosen, tiny_study):
    with pytest.raises(DataError) as caught:
        chosen({"label": "lukewarm"})
    assert caught.value.asked == "calibrate on rows of the label 'lukewarm'"
    assert caught.value.happened == f"the labels are {', '.join(tiny_study.signature.label_names)}"
    assert "{label: …}" in caught.value.fix


def test_fewer_rows_of_a_label_than_samples_are_refused(chosen, split, tiny_study):
    label, there = tiny_study.signature.label_names[0], int((split.labels == 0).sum())
    with pytest.raises(DataError) as caught:
        chosen({"label": label}, samples=there + 1)
    assert caught.value.happened == f"the calibration split has {there} rows of the label {label!r}"


def test_one_row_over_and_over_is_refused(chosen, split):
    same = Split(
        labels=split.labels,
        texts=[split.texts[2]] * len(split),
        inputs={name: [values[2]] * len(split) for name, values in split.inputs.items()},
    )
    with pytest.raises(DataError) as caught:
        chosen("drawn", split=same)
    assert caught.value.happened.startswith("all 8 rows are the same, so they are one sample (")
    assert split.texts[2][:20] in caught.value.happened
    assert len(chosen("drawn", samples=1, split=same)) == 1


def test_rows_share_a_call_where_their_length_is_equal_and_none_is_padded(split, tiny_study):
    calls = Calls(split, tiny_study.signature, together=True)
    assert len(set(row_lengths(split, tiny_study.signature).tolist())) <= len(calls) < len(split)
    assert all((call["attention_mask"] == 1).all() for call in calls)
    rows = sorted(row.tolist() for call in calls for row in call["input_ids"])
    assert rows == sorted(ids(split))


def test_a_call_is_bounded_by_its_tokens(tiny_study):
    row = np.ones(TOKENS_PER_CALL // 4, np.int64)
    many = Split(
        labels=np.zeros(9, np.int64),
        texts=[""] * 9,
        inputs={"input_ids": [row] * 9, "attention_mask": [row] * 9},
    )
    calls = Calls(many, tiny_study.signature, together=True)
    assert [len(call["input_ids"]) for call in calls] == [4, 4, 1]


def test_images_share_a_call_up_to_a_number_of_pixels():
    row = np.zeros((2, 2, PIXELS_PER_CALL // 8), np.float32)
    images = Split(labels=np.zeros(5, np.int64), texts=[""] * 5, inputs={"pixel_values": [row] * 5})
    assert [len(call["pixel_values"]) for call in Calls(images, IMAGE, together=True)] == [2, 2, 1]


def test_alone_each_row_is_a_call_in_its_order(split, tiny_study):
    calls = Calls(split, tiny_study.signature, together=False)
    assert [call["input_ids"][0].tolist() for call in calls] == ids(split)
    assert [call["input_ids"][0].tolist() for call in calls[1:3]] == ids(split)[1:3]


METHODS = {
    minmax: minmax.Options(),
    entropy: entropy.Options(bins=512, quantized_bins=64),
    percentile: percentile.Options(bins=512, percentile=99.0),
}


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.__name__.rpartition(".")[2])
def test_rows_in_a_shared_call_give_the_same_ranges_as_each_alone(model, split, tiny_study, method):
    assert method.ROWS_SHARE_CALLS
    shared, alone = (
        method.collect(model, Calls(split, tiny_study.signature, together=together), METHODS[method]).ranges
        for together in (True, False)
    )
    assert shared.keys() == alone.keys()
    for name, ends in shared.items():
        assert ends == pytest.approx(alone[name], rel=1e-5, abs=1e-6), name
