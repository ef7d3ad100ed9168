"""Random classifiers of many families, small enough for seconds, as a user has them: saved by transformers with a tokenizer."""

from pathlib import Path
from typing import Any

from temper.data import synthetic
from temper.data.preprocessing import train_tokenizer
from temper.study.sections.model import TokenizerOptions
from tests.tiny_study import DATA, SEED

POSITIONS = 64
VOCABULARY = 400
# logits large enough to differ between rows; every size is a small one
SIZES: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "initializer_range": 0.3,
    "max_position_embeddings": POSITIONS,
}


def save_tokenizer(folder: Path, *, longest: int = POSITIONS, **settings: Any) -> None:
    """Byte-level BPE with [PAD], [UNK], [CLS] and [SEP]."""
    examples = synthetic.load(synthetic.Options.model_validate(DATA), SEED).train
    wanted = TokenizerOptions(kind="tokenizer", algorithm="bpe", vocabulary_size=VOCABULARY)
    tokenizer = train_tokenizer(wanted, examples, longest)
    for key, value in settings.items():
        setattr(tokenizer, key, value)
    tokenizer.save_pretrained(folder)


def save_classifier(
    folder: Path, names: tuple[str, ...] = ("negative", "positive"), model_type: str = "bert", **config: Any
) -> Path:
    """A folder with weights, configuration and tokenizer; `config` adds to the sizes."""
    import torch
    from transformers import CONFIG_MAPPING, AutoModelForSequenceClassification

    save_tokenizer(folder)
    torch.manual_seed(SEED)
    labels = dict(enumerate(names))
    made = CONFIG_MAPPING[model_type](
        **{
            **SIZES,
            "pad_token_id": 0,
            "id2label": labels,
            "label2id": {name: n for n, name in labels.items()},
            **config,
        }
    )
    AutoModelForSequenceClassification.from_config(made).save_pretrained(folder)
    return folder


def model_section(folder: Path) -> dict[str, Any]:
    """`model:` of params.yaml for a checkpoint's folder."""
    return {"task": "text-classification", "source": "checkpoint", "checkpoint": str(folder), "revision": None}


def rename_tensors(folder: Path, prefix: str, *, left_out: str = "") -> None:
    """Save the weights again under a wrapper's prefix, without those whose name begins with `left_out`."""
    from safetensors.torch import load_file, save_file

    file = folder / "model.safetensors"
    kept = {name: value for name, value in load_file(file).items() if not left_out or not name.startswith(left_out)}
    save_file({f"{prefix}{name}": value for name, value in kept.items()}, file, metadata={"format": "pt"})
