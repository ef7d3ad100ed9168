"""Tokens without transformers: importing it, and PyTorch with it, takes many times as long as an answer."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from temper.artifacts.signature import Signature
from temper.data.encoded import PREPROCESSOR_FOLDER
from temper.data.encoding import Encoded
from temper.data.examples import Examples
from temper.package.runtime.errors import PackageError
from temper.package.runtime.text import TextEncoder

COMPARED_ROWS = 64  # of the study's test rows, whose tokens transformers made


class LightTokenizer:
    """The tokenizer of a package (temper/package/runtime/text.py), as `temper.data.encoding.Preprocessor` encodes."""

    def __init__(self, encoder: TextEncoder) -> None:
        self._encoder = encoder

    def encode(self, examples: Examples, max_tokens: int | None, *, words: bool = False) -> Encoded:
        """Rows unpadded, cut to max_tokens, which is the one that the encoder was made for."""
        assert examples.texts is not None
        assert max_tokens == self._encoder.max_tokens
        values, cut = self._encoder.encode(examples.texts)
        lengths = [len(row) for row in next(iter(values.values()))]
        return Encoded(
            inputs={name: list(rows) for name, rows in values.items()},
            token_lengths=lengths,
            truncated_rows=len(cut),
            rows_without_tokens=0,
        )


def light_tokenizer(data: Path, signature: Signature, max_tokens: int, texts_per_row: int) -> LightTokenizer | None:
    """The tokenizer by the tokenizers library alone; None where it does not give what transformers gave.

    Some classes of transformers do more than their tokenizer.json says. Test rows of the study are therefore encoded again.

    Args:
        data: prepared data.
        signature: of the padded rows.
        max_tokens: longest row.
        texts_per_row: 1, or 2 for pairs.
    """
    names = [spec.name for spec in signature.inputs]
    try:
        made = TextEncoder(data / PREPROCESSOR_FOLDER, names, max_tokens=max_tokens, texts_per_row=texts_per_row)
    except PackageError:
        return None
    if not (data / "test.parquet").is_file():
        return None
    with pq.ParquetFile(data / "test.parquet") as file:
        rows: dict[str, list[Any]] = next(file.iter_batches(COMPARED_ROWS, columns=["text", *names])).to_pydict()
    texts = [text.split("\t") if texts_per_row == 2 else [text] for text in rows["text"]]
    if any(len(text) != texts_per_row for text in texts):
        return None
    values, _ = made.encode(texts)
    same = all(
        np.array_equal(mine, theirs) for name in names for mine, theirs in zip(values[name], rows[name], strict=True)
    )
    return LightTokenizer(made) if same else None
