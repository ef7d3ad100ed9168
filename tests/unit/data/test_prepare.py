import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from temper.artifacts.manifest import read_manifest
from temper.artifacts.signature import PREPROCESSOR_FILES, Signature
from temper.data.encoded import collate, read_split
from temper.data.prepare import prepare_data
from temper.errors import DataError
from tests.tiny_gpt2 import END, model_section, user_checkpoint

SYNTHETIC = {
    "source": "synthetic",
    "validation_rows": 30,
    "calibration_rows": 20,
    "max_tokens": 12,
    "train_rows": 200,
    "test_rows": 50,
    "label_noise": 0.05,
}
DIGITS = {"source": "digits", "validation_rows": 100, "calibration_rows": 50, "max_tokens": None, "test_rows": 300}
SPLIT_FILES = {"train.parquet", "validation.parquet", "test.parquet", "calibration.parquet"}
WRITTEN = {
    "preprocessor",
    "data_card.json",
    "signature.json",
    *SPLIT_FILES,
    *(f"{name[:-8]}.json" for name in SPLIT_FILES),
}


def test_text_is_split_encoded_and_described(study: Path, text_model, capsys):
    prepare_data(data=SYNTHETIC, model=text_model, seed=3, folder="data")
    assert {path.name for path in Path("data").iterdir()} == WRITTEN
    assert {path.name for path in Path("data/preprocessor").iterdir()} == set(PREPROCESSOR_FILES["text-classification"])
    card = read_manifest("data/data_card.json", kind="data")
    assert {name: split["rows"] for name, split in card["splits"].items()} == {
        "train": 170, "validation": 30, "test": 50, "calibration": 20,
    }  # fmt: skip
    assert sum(card["splits"]["train"]["rows_per_label"].values()) == 170
    assert card["splits"]["test"]["tokens_per_row"]["max"] == 12
    assert card["splits"]["test"]["truncated_rows"] > 0
    assert "longer than 12 tokens and cut" in capsys.readouterr().out
    signature = Signature.model_validate_json(Path("data/signature.json").read_text())
    splits = {name: read_split(f"data/{name}.parquet", signature) for name in card["splits"]}
    assert set(splits["calibration"].texts) <= set(splits["train"].texts)
    assert collate(splits["test"], [0, 1], signature, sequence_length=12)["input_ids"].shape == (2, 12)


def test_images_are_split_encoded_and_described(study: Path, image_model):
    prepare_data(data=DIGITS, model=image_model, seed=3, folder="data")
    assert {path.name for path in Path("data").iterdir()} == WRITTEN
    assert {path.name for path in Path("data/preprocessor").iterdir()} == set(
        PREPROCESSOR_FILES["image-classification"]
    )
    card = json.loads(Path("data/data_card.json").read_text())
    assert card["splits"]["train"]["rows"] == 1397
    assert card["splits"]["train"]["tokens_per_row"] is None
    assert card["rows_also_in_train"] == {"validation": 0, "test": 0}


def test_a_repeat_in_another_process_gives_equal_bytes(study: Path, text_model):
    code = "import json, sys; from temper.data.prepare import prepare_data; prepare_data(**json.loads(sys.argv[1]))"
    for seed, folder in (("1", "one/data"), ("2", "two/data")):
        call = json.dumps({"data": SYNTHETIC, "model": text_model, "seed": 3, "folder": folder})
        subprocess.run([sys.executable, "-c", code, call], check=True, env={**os.environ, "PYTHONHASHSEED": seed})
    files = [path.relative_to("one") for path in sorted(Path("one/data").rglob("*")) if path.is_file()]
    assert Path("data/preprocessor/tokenizer.json") in files
    for path in files:
        assert (Path("one") / path).read_bytes() == (Path("two") / path).read_bytes(), path


def test_overlap_is_counted_and_warned_about(study: Path, tsv_data, text_model, capsys):
    prepare_data(data=tsv_data, model=text_model, seed=3, folder="data")
    card = json.loads(Path("data/data_card.json").read_text())
    assert card["rows_also_in_train"]["test"] == 20
    assert "test: 20 of 20 rows also stand in train" in capsys.readouterr().out
    assert card["notes"]["source"]["train"]["path"] == "train.tsv"


def test_max_tokens_beyond_the_model_is_capped_and_said(study: Path, text_model, capsys):
    prepare_data(data={**SYNTHETIC, "max_tokens": 99}, model=text_model, seed=3, folder="data")
    assert "the model takes 32 tokens, fewer than data.max_tokens" in capsys.readouterr().out
    assert json.loads(Path("data/data_card.json").read_text())["max_tokens"] == 32


HEAD = "sentence\tlabel\n"


@pytest.mark.parametrize(
    ("train", "changes", "message"),
    [
        (HEAD + "x\t1\ny\t1\n" * 9, {}, r"train.tsv[\s\S]*all of its 14 rows have the label 'positive'"),
        (HEAD + "x\t1\n\t0\n \t1\n" * 9, {}, r"empty in 18 rows \(.* without a header: 2, 3, 5, 6, 8, …\)"),
        (HEAD + "x\t1\ny\t0\n" * 5, {"calibration_rows": 7}, r"it has 10 rows; 4 validation rows leave train, and 7"),
        (HEAD + "x\t1\ny\t0\n" * 5, {"validation_rows": 10}, r"it has 10 rows; 10 validation rows"),
        (HEAD, {}, r"not one row"),
    ],
)
def test_unusable_rows_are_an_error_and_nothing_is_written(
    study: Path, tsv_data: dict[str, Any], text_model: dict[str, Any], train: str, changes: dict[str, Any], message: str
):
    Path("train.tsv").write_text(train)
    with pytest.raises(DataError, match=message) as caught:
        prepare_data(data={**tsv_data, **changes}, model=text_model, seed=3, folder="prepared/data")
    assert caught.value.asked
    assert caught.value.fix
    assert not Path("prepared").exists()


def test_the_first_calibration_rows_of_a_sorted_file_have_every_label(study: Path, tsv_data, text_model):
    Path("train.tsv").write_text(HEAD + "".join(f"word{row}\t{int(row >= 200)}\n" for row in range(400)))
    changes = {"calibration_rows": 100, "validation_rows": 20}
    prepare_data(data={**tsv_data, **changes}, model=text_model, seed=3, folder="data")
    signature = Signature.model_validate_json(Path("data/signature.json").read_text())
    assert 5 <= sum(read_split("data/calibration.parquet", signature).labels[:20]) <= 15


def test_images_for_a_text_task_and_the_reverse_are_errors(study: Path, text_model, image_model):
    with pytest.raises(DataError, match=r"holds images, and model.task is text-classification"):
        prepare_data(data=DIGITS, model=text_model, seed=3, folder="data")
    with pytest.raises(DataError, match=r"holds texts, and model.task is image-classification"):
        prepare_data(data=SYNTHETIC, model=image_model, seed=3, folder="data")


@pytest.mark.parametrize("padding_side", ["right", "left"])
def test_a_text_longer_than_1024_tokens_is_cut_counted_and_warned_about(study: Path, tsv_data, capsys, padding_side):
    folder = user_checkpoint(Path("user"), padding_side=padding_side, positions=1024)  # no token to pad with
    with Path("test.tsv").open("a") as test:
        test.write("word " * 2000 + "end\t1\n")
    prepare_data(data={**tsv_data, "max_tokens": 2000}, model=model_section(folder), seed=3, folder="data")
    printed = capsys.readouterr().out
    assert "the model takes 1024 tokens, fewer than data.max_tokens" in printed
    assert "test: 1 of 21 rows were longer than 1024 tokens and cut" in printed
    assert f"user: no pad token; its end-of-sequence token '{END}' pads" in printed
    card = json.loads(Path("data/data_card.json").read_text())
    assert card["max_tokens"] == card["splits"]["test"]["tokens_per_row"]["max"] == 1024
    signature = Signature.model_validate_json(Path("data/signature.json").read_text())
    assert signature.padding_side == padding_side
    batch = collate(read_split("data/test.parquet", signature), [20, 0], signature, sequence_length=None)
    mask = batch["attention_mask"]
    assert mask[0].all()
    assert not mask[1, 0 if padding_side == "left" else -1]
