import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from temper.artifacts.signature import PREPROCESSOR_FILES
from temper.data.examples import Examples
from temper.data.preprocessing import build_preprocessor
from temper.errors import ArtifactError, ConfigError, DataError
from temper.study.sections.model import model_options

SENTENCES = ["a fine film", "a dull film", "fine , fine , fine and a film of films", "Ünïcode 漢字"]


def texts(*rows: str | tuple[str, ...]) -> Examples:
    pairs = [row if isinstance(row, tuple) else (row,) for row in rows]
    return Examples(origin="rows", labels=[0] * len(pairs), texts=pairs)


def checkpoint(folder, task: str = "text-classification"):
    options = model_options({"task": task, "source": "checkpoint", "checkpoint": str(folder), "revision": None})
    return build_preprocessor(options, texts("x"))


def edit(path: Path, **changes: object) -> None:
    content = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({key: value for key, value in content.items() if value is not None}))


def test_a_trained_tokenizer_has_equal_bytes_in_every_process(text_model, tmp_path: Path):
    code = """
import json, sys
from temper.data.preprocessing import build_preprocessor
from temper.data.examples import Examples
from temper.study.sections.model import model_options
model, sentences, folder = json.loads(sys.argv[1])
examples = Examples("x", [0] * len(sentences), [(text,) for text in sentences])
preprocessor = build_preprocessor(model_options(model), examples)
preprocessor.encode(examples, 5)
preprocessor.save(folder)"""
    digests = set()
    for seed in ("1", "2"):
        argument = json.dumps([text_model, SENTENCES, str(tmp_path / seed)])
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        subprocess.run([sys.executable, "-c", code, argument], env=environment, check=True)
        files = sorted((tmp_path / seed).iterdir())
        assert [file.name for file in files] == list(PREPROCESSOR_FILES["text-classification"])
        digests.add(hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest())
        assert not any(str(tmp_path) in file.read_text() for file in files)
    assert len(digests) == 1


def test_rows_are_cut_with_their_special_tokens(text_model):
    preprocessor = build_preprocessor(model_options(text_model), texts(*SENTENCES))
    encoded = preprocessor.encode(texts("film", " ".join(["film"] * 30)), 10)
    pad, _, cls, sep = range(4)
    assert [len(row) for row in encoded.inputs["input_ids"]] == encoded.token_lengths
    assert encoded.token_lengths[1] == 10
    assert encoded.truncated_rows == 1
    for row in encoded.inputs["input_ids"]:
        assert row.dtype == np.int64
        assert (row[0], row[-1]) == (cls, sep)
        assert pad not in row
    pair = preprocessor.encode(texts(("a film", "fine")), 10).inputs["input_ids"][0]
    assert (pair == sep).sum() == 2


def test_the_signature_follows_the_tokenizer(text_model, tiny_checkpoint: Path):
    own = build_preprocessor(model_options(text_model), texts(*SENTENCES)).signature(("no", "yes"))
    assert [spec.name for spec in own.inputs] == ["input_ids", "attention_mask"]
    bert = checkpoint(tiny_checkpoint).signature(("no", "yes"))
    assert [spec.name for spec in bert.inputs] == ["input_ids", "token_type_ids", "attention_mask"]
    assert bert.inputs[0].axes == ("batch_size", "sequence_length")


def test_the_model_s_own_limit_caps_max_tokens(text_model, tiny_checkpoint: Path):
    assert build_preprocessor(model_options(text_model), texts(*SENTENCES)).max_tokens(99) == 32
    assert checkpoint(tiny_checkpoint).max_tokens(99) == 8  # max_position_embeddings
    (tiny_checkpoint / "config.json").unlink()
    assert checkpoint(tiny_checkpoint).max_tokens(999) == 512  # model_max_length


def test_a_checkpoint_s_tokenizer_is_saved_whole_and_without_paths(tiny_checkpoint: Path, tmp_path: Path):
    edit(tiny_checkpoint / "tokenizer_config.json", name_or_path="/somewhere/else")
    preprocessor = checkpoint(tiny_checkpoint)
    before = preprocessor.encode(texts("A fine  FILM", "unknown"), 4).inputs
    preprocessor.save(tmp_path / "saved")
    files = {path.name: path.read_text() for path in (tmp_path / "saved").iterdir()}
    assert set(files) == set(PREPROCESSOR_FILES["text-classification"])
    assert "/somewhere" not in files["tokenizer_config.json"]
    assert str(tmp_path) not in files["tokenizer_config.json"]
    assert json.loads(files["tokenizer.json"])["truncation"] is None
    after = checkpoint(tmp_path / "saved").encode(texts("A fine  FILM", "unknown"), 4).inputs
    assert [row.tolist() for row in before["input_ids"]] == [row.tolist() for row in after["input_ids"]]


def test_a_missing_pad_token_becomes_the_end_of_sequence_token_or_an_error(text_model, tmp_path: Path):
    build_preprocessor(model_options(text_model), texts(*SENTENCES)).save(tmp_path)
    edit(tmp_path / "tokenizer_config.json", pad_token=None, eos_token="[SEP]")
    assert checkpoint(tmp_path).signature(("no", "yes")).inputs[0].pad_value == 3
    edit(tmp_path / "tokenizer_config.json", eos_token=None)
    with pytest.raises(ArtifactError, match=r"neither a pad token nor an end-of-sequence token"):
        checkpoint(tmp_path)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda folder: shutil.rmtree(folder), r"there is no such folder"),
        (lambda folder: (folder / "vocab.txt").unlink(), r"no tokenizer.json, nor a vocabulary"),
        (lambda folder: (folder / "tokenizer.json").write_text('{"version"'), r"JSONDecodeError|Exception"),
        (
            lambda folder: edit(folder / "tokenizer_config.json", auto_map={"AutoTokenizer": ["mine.Own", None]}),
            r"code of its own[\s\S]*never run here",
        ),
        (
            lambda folder: edit(folder / "config.json", model_type="own", auto_map={"AutoConfig": "mine.Own"}),
            r"code of its own, which is never run here",
        ),
        (
            lambda folder: edit(folder / "tokenizer_config.json", model_input_names=["attention_mask"]),
            "and not input_ids",
        ),
        (
            lambda folder: edit(folder / "tokenizer_config.json", model_input_names=["input_values"]),
            "names the input 'input_values'",
        ),
    ],
)
def test_a_broken_checkpoint_is_an_error_that_says_what_is_wrong(tiny_checkpoint: Path, spoil, message: str):
    spoil(tiny_checkpoint)
    with pytest.raises(ArtifactError, match=message):
        checkpoint(tiny_checkpoint)


def test_a_hub_out_of_reach_is_an_error_that_names_the_folder_way(monkeypatch: pytest.MonkeyPatch):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with pytest.raises(ArtifactError, match=r"no folder of that name[\s\S]*put the checkpoint's folder there"):
        checkpoint("distilbert-base-uncased")


def test_max_tokens_must_leave_room_beside_the_special_tokens(text_model):
    preprocessor = build_preprocessor(model_options(text_model), texts(*SENTENCES))
    with pytest.raises(DataError, match=r"to 2 tokens[\s\S]*need at least 3"):
        preprocessor.encode(texts("film"), 2)


def test_images_become_normalised_pixels_and_the_processor_loads_again(image_model, tmp_path: Path):
    images = np.stack([np.zeros((8, 8, 3), np.uint8), np.full((8, 8, 3), 255, np.uint8)])
    examples = Examples(origin="rows", labels=[0, 1], images=images)
    preprocessor = build_preprocessor(model_options(image_model), examples)
    black, white = preprocessor.encode(examples, None).inputs["pixel_values"]
    assert black.shape == (3, 16, 16)
    assert black.dtype == np.float32
    np.testing.assert_allclose([black.max(), white.min()], [-1.0, 1.0], atol=1e-6)
    assert preprocessor.signature(("0", "1")).inputs[0].axes == ("batch_size", 3, 16, 16)
    preprocessor.save(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["preprocessor_config.json"]
    again = checkpoint(tmp_path, "image-classification").encode(examples, None).inputs["pixel_values"]
    assert np.array_equal(again[1], white)


def test_an_image_processor_for_texts_is_refused(text_model, image_model):
    with pytest.raises(ConfigError, match=r"text-classification with model.preprocessor.kind: image_processor"):
        build_preprocessor(model_options({**text_model, "preprocessor": image_model["preprocessor"]}), texts("x"))


def word_level(folder: Path, **config: object) -> Path:
    """A checkpoint's tokenizer with nine words and a configuration without weights."""
    folder.mkdir()
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "fine", "film", "dull"]
    (folder / "vocab.txt").write_text("\n".join(words) + "\n")
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "BertTokenizer"}))
    (folder / "config.json").write_text(json.dumps({"model_type": "bert", "vocab_size": len(words), **config}))
    return folder


@pytest.mark.parametrize(
    ("config", "rows", "words", "fix"),
    [
        ({"vocab_size": 8}, [("a film",), ("a dull film",)], "'dull' has number 8, and", "resize"),
        ({"vocab_size": 5}, [("a",)], "'a' has number 5, and", "resize_token_embeddings"),
        ({"type_vocab_size": 1}, [("a", "film")], "second text has token_type_ids 1, and the model has", "model_input_names"),
    ],
)  # fmt: skip
def test_a_number_beyond_a_table_of_the_model_is_found_before_anything_runs(tmp_path, config, rows, words, fix):
    preprocessor = checkpoint(word_level(tmp_path / "made", **config))
    with pytest.raises(DataError) as caught:
        preprocessor.encode(texts(*rows), 8)
    assert words in caught.value.happened
    assert f"row {len(rows)})" in caught.value.happened.replace("header: ", "header: row ")
    assert fix in caught.value.fix


def test_tokens_without_an_embedding_that_no_row_holds_are_named_and_stop_nothing(tmp_path, capsys):
    preprocessor = checkpoint(word_level(tmp_path / "made", vocab_size=8))
    assert "1 tokens of its tokenizer have no embedding" in capsys.readouterr().out
    assert preprocessor.encode(texts("a fine film"), 8).token_lengths == [5]
    checkpoint(word_level(tmp_path / "whole", vocab_size=12))  # a table may be larger, as a multiple of 64 is
    assert capsys.readouterr().out == ""
