import json
from pathlib import Path
from typing import Any

import pytest

ROWS = [("a fine film", 1), ("a dull film", 0), ("truly warm and clever", 1), ("a long , long bore", 0)] * 5


@pytest.fixture
def text_model() -> dict[str, Any]:
    return {
        "task": "text-classification",
        "source": "architecture",
        "model_type": "distilbert",
        "config": {"max_position_embeddings": 32},
        "preprocessor": {"kind": "tokenizer", "algorithm": "bpe", "vocabulary_size": 320},
    }


@pytest.fixture
def image_model() -> dict[str, Any]:
    size = {"height": 16, "width": 16, "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}
    return {
        "task": "image-classification",
        "source": "architecture",
        "model_type": "resnet",
        "config": {},
        "preprocessor": {"kind": "image_processor", **size},
    }


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A study's folder, which is the working directory, with train.tsv (a header) and test.tsv (none)."""
    monkeypatch.chdir(tmp_path)
    lines = "".join(f"{text}\t{label}\n" for text, label in ROWS)
    Path("train.tsv").write_text(f"sentence\tlabel\n{lines}")
    Path("test.tsv").write_text(lines)
    return tmp_path


@pytest.fixture
def tsv_data() -> dict[str, Any]:
    return {
        "source": "files",
        "validation_rows": 4,
        "calibration_rows": 8,
        "max_tokens": 16,
        "format": "tsv",
        "quoting": False,
        "train": {"path": "train.tsv", "columns": None},
        "validation": None,
        "test": {"path": "test.tsv", "columns": ["sentence", "label"]},
        "text": ["sentence"],
        "label": "label",
        "label_names": ["negative", "positive"],
    }


@pytest.fixture
def tiny_checkpoint(tmp_path: Path) -> Path:
    """The tokenizer files of a BERT-like checkpoint, without weights."""
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "fine", "film", "dull"]
    (folder / "vocab.txt").write_text("\n".join(words) + "\n")
    settings = {"tokenizer_class": "BertTokenizer", "model_max_length": 512, "do_lower_case": True}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    (folder / "config.json").write_text(json.dumps({"model_type": "bert", "max_position_embeddings": 8}))
    return folder
