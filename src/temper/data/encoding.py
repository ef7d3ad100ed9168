"""What turns rows into the inputs of a model, of texts or of images."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from temper.artifacts.manifest import canonical_json, copy_files
from temper.artifacts.signature import PREPROCESSOR_FILES, Signature
from temper.data.columns import NOTHING_WRITTEN, words_in
from temper.data.examples import Examples
from temper.errors import ArtifactError
from temper.reading.bounded import Unreadable
from temper.reading.json_file import read_object

# What transformers adds about the loading itself: paths and flags of this machine, or code that is never run here.
_LOADING_KEYS = ("name_or_path", "is_local", "local_files_only", "auto_map", "processor_class")


@dataclass(frozen=True, eq=False)
class Encoded:
    """Model inputs of some rows.

    inputs: by input name, one array per row: int64 [tokens] for text, float32 [3, height, width] for images.
    token_lengths: tokens per row after cutting; empty for images.
    truncated_rows: rows that were longer than max_tokens.
    rows_without_tokens: rows of which the tokenizer leaves nothing but special tokens.
    places: by row, int64 [words]: the first token of each word, -1 of a word that has none; None where words are not asked for.
    """

    inputs: dict[str, list[npt.NDArray[Any]]]
    token_lengths: list[int]
    truncated_rows: int
    rows_without_tokens: int
    places: list[npt.NDArray[np.int64]] | None = None


class Preprocessor(Protocol):
    """Turns examples into model inputs, and saves itself so that transformers' Auto classes load it."""

    def max_tokens(self, asked: int | None) -> int | None:
        """The longest row it will give when `asked` is wanted: the model's own limit caps it. None for images."""
        ...

    def encode(self, examples: Examples, max_tokens: int | None, *, words: bool = False) -> Encoded:
        """Model inputs of all rows, unpadded, cut to max_tokens with the special tokens kept; and where words stand."""
        ...

    def signature(self, label_names: tuple[str, ...]) -> Signature:
        """Names, dtypes and axes of the inputs, in order."""
        ...

    def save(self, folder: str | Path) -> None:
        """Write the task's PREPROCESSOR_FILES, with equal bytes for equal preprocessors and no absolute paths."""
        ...


def first_tokens(text: str, encoding: Any) -> npt.NDArray[np.int64]:
    """The first token of each word of a text, int64 [words]; -1 of a word that has none: cut off, or nothing to the tokenizer.

    A token that spans several words is the first one's.

    Args:
        text: what was encoded.
        encoding: of the tokenizers library: its offsets in the text, which may begin with the blank before a word.
    """
    spans = words_in(text)
    word_at = np.full(len(text) + 1, -1, dtype=np.int64)
    for number, (start, end) in enumerate(spans):
        word_at[start:end] = number
    found = np.full(len(spans), -1, dtype=np.int64)
    for place, ((start, end), special) in enumerate(zip(encoding.offsets, encoding.special_tokens_mask, strict=True)):
        words = word_at[start:end]
        words = words[words >= 0]
        if not special and len(words) and found[words[0]] < 0:
            found[words[0]] = place
    return found


def save_files(preprocessor: Any, task: str, folder: str | Path) -> None:
    """Write a tokenizer's or image processor's files as `Preprocessor.save` has them.

    Raises:
        ArtifactError: its settings are not JSON within the bounds of temper/reading.
    """
    with tempfile.TemporaryDirectory(prefix="temper-preprocessor.") as scratch:
        preprocessor.save_pretrained(scratch)
        settings = Path(scratch) / PREPROCESSOR_FILES[task][-1]
        try:
            content = read_object(settings)
        except Unreadable as error:
            raise ArtifactError(
                asked=f"keep the settings of the preprocessor, {settings.name}",
                happened=str(error),
                affected=NOTHING_WRITTEN,
                fix=f"correct it in the checkpoint's {settings.name}",
            ) from None
        kept = {key: value for key, value in content.items() if key not in _LOADING_KEYS and not key.endswith("_file")}
        settings.write_text(canonical_json(kept), encoding="utf-8")
        copy_files(PREPROCESSOR_FILES[task], scratch, folder)
