import time
from pathlib import Path

import numpy as np
import pytest

from temper.artifacts.signature import Signature, TensorSpec
from temper.data.encoded import (
    Split,
    check_split,
    collate,
    padding_share,
    read_split,
    write_split,
    write_split_manifest,
)
from temper.data.examples import Examples
from temper.errors import ArtifactError

AXES = ("batch_size", "sequence_length")
LENGTHS = [3, 5, 2]


def text_signature(side: str = "right", dtype: str = "int64") -> Signature:
    ids = TensorSpec(name="input_ids", dtype=dtype, axes=AXES, pad_value=9)
    mask = TensorSpec(name="attention_mask", dtype=dtype, axes=AXES, pad_value=0)
    return Signature(task="text-classification", inputs=(ids, mask), label_names=("no", "yes"), padding_side=side)


IMAGES = Signature(
    task="image-classification",
    inputs=(TensorSpec(name="pixel_values", dtype="float32", axes=("batch_size", 3, 2, 2), pad_value=0),),
    label_names=("no", "yes"),
    padding_side="right",
)


def text_split(lengths: list[int]) -> Split:
    inputs = {
        "input_ids": [np.arange(1, length + 1) for length in lengths],
        "attention_mask": [np.ones(length, np.int64) for length in lengths],
    }
    return Split(labels=np.zeros(len(lengths), np.int64), texts=["x"] * len(lengths), inputs=inputs)


def test_text_comes_back_as_written_with_equal_bytes(tmp_path: Path):
    split = text_split(LENGTHS)
    examples = Examples(origin="rows", labels=[1, 0, 1], texts=[("a", "b"), ("c", "d"), ("é", "漢")])
    for name in ("one", "two"):
        write_split(tmp_path / name, examples, split.inputs, text_signature())
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    back = read_split(tmp_path / "one", text_signature())
    assert back.labels.tolist() == [1, 0, 1]
    assert back.texts == ["a\tb", "c\td", "é\t漢"]
    assert [row.tolist() for row in back.inputs["input_ids"]] == [[1, 2, 3], [1, 2, 3, 4, 5], [1, 2]]


def test_images_come_back_as_written(tmp_path: Path):
    pixels = [np.full((3, 2, 2), value, np.float32) for value in (0.25, -1.5)]
    examples = Examples(origin="rows", labels=[0, 1], images=np.zeros((2, 2, 2, 3), np.uint8))
    write_split(tmp_path / "images", examples, {"pixel_values": pixels}, IMAGES)
    back = read_split(tmp_path / "images", IMAGES)
    batch = collate(back, [1, 0], IMAGES, sequence_length=None)["pixel_values"]
    assert back.texts == ["", ""]
    assert batch.dtype == np.float32
    assert batch.flags.c_contiguous
    assert np.array_equal(batch, np.stack([pixels[1], pixels[0]]))
    assert padding_share(back, [0, 1], IMAGES, None) == 0.0


@pytest.mark.parametrize(
    ("side", "sequence_length", "expected"),
    [
        ("right", None, [[1, 2, 9], [1, 2, 3]]),
        ("left", None, [[9, 1, 2], [1, 2, 3]]),
        ("right", 4, [[1, 2, 9, 9], [1, 2, 3, 9]]),
        ("right", 2, [[1, 2], [1, 2]]),
        ("left", 2, [[1, 2], [1, 2]]),
    ],
)
def test_collate_pads_on_the_tokenizer_s_side_and_cuts_the_end(side, sequence_length, expected):
    batch = collate(text_split(LENGTHS), [2, 0], text_signature(side, "int32"), sequence_length=sequence_length)
    assert list(batch) == ["input_ids", "attention_mask"]
    assert batch["input_ids"].dtype == np.int32
    assert batch["input_ids"].tolist() == expected
    assert batch["attention_mask"].flags.c_contiguous


@pytest.mark.parametrize(("sequence_length", "share"), [(None, 5 / 15), (10, 20 / 30), (4, 3 / 12), (2, 0.0)])
def test_padding_is_counted(sequence_length, share):
    split, signature = text_split(LENGTHS), text_signature()
    assert padding_share(split, range(3), signature, sequence_length) == pytest.approx(share)


def test_two_thousand_rows_collate_in_a_tenth_of_a_second():
    split = text_split([5 + row % 60 for row in range(2000)])
    start = time.process_time()  # CPU time: other work on this machine must not fail the test
    collate(split, range(2000), text_signature(), sequence_length=64)
    assert time.process_time() - start < 0.1


def test_a_split_is_checked_with_its_signature_and_with_no_other_split(tmp_path: Path):
    for name in ("train", "test"):
        examples = Examples(origin="rows", labels=[0], texts=[("a",)])
        write_split(tmp_path / f"{name}.parquet", examples, text_split([3]).inputs, text_signature())
    (tmp_path / "signature.json").write_text(text_signature().as_json())
    write_split_manifest(tmp_path, "train", max_tokens=12)
    (tmp_path / "test.parquet").write_text("altered")
    assert check_split(tmp_path, "train")["max_tokens"] == 12
    for name in ("train.parquet", "signature.json"):
        before = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(before + b" ")
        with pytest.raises(ArtifactError, match=name):
            check_split(tmp_path, "train")
        (tmp_path / name).write_bytes(before)


def test_a_split_that_is_absent_broken_or_of_another_signature_is_an_error(tmp_path: Path):
    examples = Examples(origin="rows", labels=[0], texts=[("a",)])
    write_split(tmp_path / "split", examples, text_split([3]).inputs, text_signature())
    (tmp_path / "broken").write_bytes((tmp_path / "split").read_bytes()[:100])
    cases = [("absent", text_signature()), ("broken", text_signature()), ("split", IMAGES)]
    for name, signature in cases:
        with pytest.raises(ArtifactError, match=f"read the encoded split {tmp_path / name}"):
            read_split(tmp_path / name, signature)
