"""Texts as the rows of tokens that the model was trained and measured on, by the tokenizers library alone."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import InputError, PackageError

Rows = Mapping[str, Sequence[npt.NDArray[np.int64]]]
_PANIC = "PanicException"  # of libraries in Rust, by name: each has its own
FILES = ("tokenizer.json", "tokenizer_config.json")
# what a tokenizer gives beside its ids, by the names that transformers has for a model's inputs
_PARTS = {"input_ids": "ids", "attention_mask": "attention_mask", "token_type_ids": "type_ids"}


class TextEncoder:
    """A tokenizer that cuts rows at the model's length and pads nothing.

    Attributes:
        max_tokens: longest row.
        texts_per_row: 1, or 2 for pairs.
    """

    def __init__(self, folder: Path, names: Sequence[str], *, max_tokens: int, texts_per_row: int) -> None:
        """Load it.

        Args:
            folder: holds FILES.
            names: of the model's inputs, in order.
            max_tokens: longest row in tokens, special tokens included; longer ones are cut.
            texts_per_row: 1, or 2 for pairs.

        Raises:
            InputError: the model takes an input that no tokenizer gives.
        """
        from tokenizers import Tokenizer

        self.max_tokens, self.texts_per_row = max_tokens, texts_per_row
        self.names = tuple(names)
        unknown = [name for name in self.names if name not in _PARTS]
        if unknown:
            raise InputError(
                asked=f"make the inputs {', '.join(names)} of texts",
                happened=f"the tokenizers library gives no {', '.join(unknown)}",
                affected="every text",
                fix="use a model whose inputs are among " + ", ".join(_PARTS),
            )
        try:
            settings = json.loads((folder / FILES[1]).read_text(encoding="utf-8"))
            side = {"left": "left"}.get(settings.get("truncation_side"), "right")
            self._tokenizer: Any = Tokenizer.from_file(str(folder / FILES[0]))
        except BaseException as error:  # the library's errors are of Exception itself, its panics not even that
            if not isinstance(error, Exception) and type(error).__name__ != _PANIC:
                raise
            raise PackageError(
                asked=f"load the tokenizer in {folder}",
                happened=f"{type(error).__name__}: {' '.join(str(error).split())[:300]}",
                affected="every text",
                fix="put the tokenizer's files there again, whole",
            ) from None
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(max_tokens, strategy="longest_first", direction=side)

    def encode(self, rows: Sequence[Sequence[str]]) -> tuple[Rows, list[int]]:
        """Tokens of each row.

        Args:
            rows: `texts_per_row` texts each.

        Returns:
            By input name an int64 array [tokens] for each row; and the rows, from 0, that were cut.
        """
        try:
            if len(rows) == 1:  # a batch is handed to threads, which takes longer than a sentence does
                encodings = [self._tokenizer.encode(*rows[0])]
            else:
                encodings = self._tokenizer.encode_batch(
                    [tuple(row) if self.texts_per_row == 2 else row[0] for row in rows]
                )
        except BaseException as error:  # a panic of the library is no Exception, and would end a server
            if not isinstance(error, Exception) and type(error).__name__ != _PANIC:
                raise
            raise PackageError(
                asked=f"make tokens of {len(rows)} rows",
                happened=f"the tokenizer failed: {' '.join(str(error).split())[:300]}",
                affected="these rows",
                fix="put the tokenizer's files there again, whole",
            ) from None
        values = {
            name: [np.asarray(getattr(encoding, _PARTS[name]), np.int64) for encoding in encodings]
            for name in self.names
        }
        return values, [number for number, encoding in enumerate(encodings) if encoding.overflowing]
