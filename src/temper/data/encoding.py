"""What turns rows into the inputs of a model, of texts or of images."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy.typing as npt

from temper.artifacts.manifest import canonical_json, copy_files
from temper.artifacts.signature import PREPROCESSOR_FILES, Signature
from temper.data.columns import NOTHING_WRITTEN
from temper.data.source import Examples
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
    """

    inputs: dict[str, list[npt.NDArray[Any]]]
    token_lengths: list[int]
    truncated_rows: int
    rows_without_tokens: int


class Preprocessor(Protocol):
    """Turns examples into model inputs, and saves itself so that transformers' Auto classes load it."""

    def max_tokens(self, asked: int | None) -> int | None:
        """The longest row it will give when `asked` is wanted: the model's own limit caps it. None for images."""
        ...

    def encode(self, examples: Examples, max_tokens: int | None) -> Encoded:
        """Model inputs of all rows, unpadded, cut to max_tokens with the special tokens kept."""
        ...

    def signature(self, label_names: tuple[str, ...]) -> Signature:
        """Names, dtypes and axes of the inputs, in order."""
        ...

    def save(self, folder: str | Path) -> None:
        """Write the task's PREPROCESSOR_FILES, with equal bytes for equal preprocessors and no absolute paths."""
        ...


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
                spoiled=NOTHING_WRITTEN,
                fix=f"correct it in the checkpoint's {settings.name}",
            ) from None
        kept = {key: value for key, value in content.items() if key not in _LOADING_KEYS and not key.endswith("_file")}
        settings.write_text(canonical_json(kept), encoding="utf-8")
        copy_files(PREPROCESSOR_FILES[task], scratch, folder)
