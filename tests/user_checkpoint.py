"""A fine-tuned checkpoint and labelled rows as a user has them: saved by transformers, no file of a study."""

from pathlib import Path

from temper.data.examples import Examples
from temper.data.preprocessing import train_tokenizer
from temper.study.sections.model import TokenizerOptions

ROWS = [(f"a charming film {number}", "positive") for number in range(30)] + [
    (f"the plot is dull and the cat number {number} is not in it", "negative") for number in range(30)
]
POSITIONS = 64


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


def save_rows(file: Path) -> Path:
    """Sixty rows as TSV; labels in another spelling than the checkpoint's."""
    file.write_text("review\tmark\n" + "".join(f"{text}\t{label}\n" for text, label in ROWS))
    return file
