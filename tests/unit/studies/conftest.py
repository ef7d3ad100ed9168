"""Checkpoints and data as a user has them, and a checkout to make a study in."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from temper.data.preprocessing import train_tokenizer
from temper.data.source import Examples
from temper.model_options import TokenizerOptions
from temper.studies.new import Made, make_study
from temper.studies.new_data import Given
from temper.studies.questions import Questions

ROOT = Path(__file__).resolve().parents[3]
ROWS = [(f"a charming film {number}", "positive") for number in range(30)] + [
    (f"the plot is dull and the cat number {number} is not in it", "negative") for number in range(30)
]
POSITIONS = 64
NONE = Given(None, None, None, None)


def save_checkpoint(folder: Path, names: tuple[str, ...] = ("NEGATIVE", "POSITIVE")) -> Path:
    """A DistilBERT of one layer with a classifier, saved by transformers."""
    import torch
    from transformers import DistilBertConfig, DistilBertForSequenceClassification

    texts = [(text,) for text, _ in ROWS]
    examples = Examples(origin="rows", labels=[0] * len(texts), texts=texts)
    tokenizer = train_tokenizer(
        TokenizerOptions(kind="tokenizer", algorithm="bpe", vocabulary_size=320), examples, POSITIONS
    )
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    labels = dict(enumerate(names))
    config = DistilBertConfig(
        vocab_size=len(tokenizer),
        dim=16,
        hidden_dim=32,
        n_layers=1,
        n_heads=2,
        max_position_embeddings=POSITIONS,
        id2label=labels,
        label2id={name: number for number, name in labels.items()},
    )
    DistilBertForSequenceClassification(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_checkpoint(tmp_path_factory.mktemp("user") / "my-model")


@pytest.fixture
def checkpoint(saved: Path, tmp_path: Path) -> Path:
    """The checkpoint's folder, to be spoiled."""
    return Path(shutil.copytree(saved, tmp_path / "my-model"))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Sixty rows; labels in another spelling than the checkpoint's."""
    file = tmp_path / "reviews.tsv"
    file.write_text("review\tmark\n" + "".join(f"{text}\t{label}\n" for text, label in ROWS))
    return file


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "checkout"
    (folder / "studies").mkdir(parents=True)
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copyfile(ROOT / name, folder / name)
    return folder


@pytest.fixture
def new(checkout: Path) -> Callable[..., Made]:
    """Makes a study by flags; whatever is asked is answered with the suggestion."""

    def make(*, lists: Given = NONE, **flags: Any) -> Made:
        given = {name: None if value is None else str(value) for name, value in flags.items()}
        return make_study(checkout, Questions(given, suggested_without_asking=True, ask=nobody), lists)

    return make


def nobody(question: str) -> str:
    raise EOFError


def edit(file: Path, **changes: Any) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


def left(checkout: Path) -> list[str]:
    """What lies below studies/, hidden things too."""
    return sorted(path.name for path in (checkout / "studies").iterdir())
