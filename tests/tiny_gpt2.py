"""A tiny GPT-2 with a classifier as a user has it: saved by transformers, its tokenizer without a token to pad with."""

from pathlib import Path
from typing import Any

from temper.data import synthetic
from temper.data.prepare import prepare_data
from temper.training.checkpoint import make_checkpoint
from tests.tiny_study import DATA, SEED

END = "<|endoftext|>"
POSITIONS = 64
VOCABULARY = 400


def save_tokenizer(folder: Path, *, padding_side: str, **settings: Any) -> None:
    """Byte-level BPE with one special token, which stands in no row, as GPT-2's own."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY, special_tokens=[END], initial_alphabet=alphabet, show_progress=False
    )
    texts = synthetic.load(synthetic.Options.model_validate(DATA), SEED).train.texts
    tokenizer.train_from_iterator((text for row in texts or [] for text in row), trainer)
    assert tokenizer.get_vocab_size() == VOCABULARY
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=END,
        padding_side=padding_side,
        model_input_names=["input_ids", "attention_mask"],
        **settings,
    )
    fast.save_pretrained(folder)


def save_model(folder: Path, model_type: str, **config: Any) -> None:
    """A classifier of two labels with random weights, large enough that rows and places differ."""
    import torch
    from transformers import CONFIG_MAPPING, AutoModelForSequenceClassification

    labels = {0: "negative", 1: "positive"}
    sizes = {"vocab_size": VOCABULARY, "initializer_range": 0.3, "bos_token_id": 0, "eos_token_id": 0}
    torch.manual_seed(SEED)
    made = CONFIG_MAPPING[model_type](
        **sizes, **config, id2label=labels, label2id={name: label for label, name in labels.items()}
    )
    AutoModelForSequenceClassification.from_config(made).save_pretrained(folder)


def user_checkpoint(folder: Path, *, padding_side: str, positions: int = POSITIONS) -> Path:
    """The folder that a user gives: config.json has no pad_token_id."""
    save_tokenizer(folder, padding_side=padding_side)
    save_model(folder, "gpt2", n_embd=32, n_layer=2, n_head=2, n_positions=positions)
    return folder


def model_section(folder: Path) -> dict[str, Any]:
    """`model:` of params.yaml for a checkpoint's folder."""
    return {"task": "text-classification", "source": "checkpoint", "checkpoint": str(folder), "revision": None}


def make(root: Path, *, padding_side: str) -> Path:
    """data/ and checkpoint/ below `root`, made from user/; returns `root`."""
    model = model_section(user_checkpoint(root / "user", padding_side=padding_side))
    data, checkpoint = str(root / "data"), str(root / "checkpoint")
    prepare_data(data={**DATA, "max_tokens": POSITIONS}, model=model, seed=SEED, folder=data)
    make_checkpoint(model=model, train={"method": "none"}, seed=SEED, data_folder=data, folder=checkpoint)
    return root
