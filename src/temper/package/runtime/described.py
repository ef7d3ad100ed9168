"""A package without its model: what it says of itself, and the encoder of its rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .answers import KINDS, answers_of
from .batches import Padding
from .errors import InputError, PackageError
from .images import ImageEncoder
from .manifest import read_manifest
from .signature import TEXT, Signature, read_signature
from .text import TextEncoder

Values = Mapping[str, Sequence[npt.NDArray[Any]]]


@dataclass(frozen=True, eq=False)
class Encoded:
    """Rows as the model takes them.

    Attributes:
        values: by input name an array for each row, unpadded.
        lengths: tokens of each row; 1 for images.
        cut: rows, from 0, that were longer than the model takes.
    """

    values: Values
    lengths: list[int]
    cut: frozenset[int]


class Package:
    """A package without its model: what it says of itself, and the encoder of its rows.

    Attributes:
        folder: of the package.
        manifest: its content.
        signature: of the model file.
        padding: how rows become a call's arrays.
        batch_size: rows of a call where none is given: as when the accuracy was measured.
    """

    def __init__(self, folder: Path, *, verify_model: bool = True) -> None:
        """Check and read it.

        Args:
            folder: of the package.
            verify_model: hold the model's files against their digests, too.

        Raises:
            PackageError: a file is not as it was packaged, or a library is another version.
        """
        self.folder = folder
        self.manifest = read_manifest(folder, without=() if verify_model else ("model/model.",))
        self.signature: Signature = read_signature(folder / "model/signature.json")
        if self.signature.labels not in KINDS:
            raise PackageError(
                asked=f"load the package in {folder}",
                happened=f"its answers are of the kind {self.signature.labels}, which is not answered here",
                affected="every answer of it; nothing was loaded",
                fix="temper predict answers with it where Temper is installed",
            )
        facts = self.manifest["calls"]
        self.batch_size: int = facts["batch_size"]
        self.is_text = self.signature.task == TEXT
        _check_versions(self.manifest)
        self._text, self._image = None, None
        if self.is_text:
            names = [
                spec["name"] for spec in facts["inputs"]
            ]  # of the padded rows; a packed model's own inputs are others
            self._text = TextEncoder(
                folder / "preprocessing", names, max_tokens=facts["max_tokens"], texts_per_row=facts["texts_per_row"]
            )
        else:
            self._image = ImageEncoder(folder / "preprocessing")
        given = facts["inputs"]
        self.padding = Padding(
            side=self.signature.padding_side,
            values={spec["name"]: spec["pad_value"] for spec in given},
            dtypes={spec["name"]: spec["dtype"] for spec in given},
            multiple_of=facts["pad_to_multiple_of"],
            max_tokens=facts["max_tokens"],
            batch_sizes=tuple(facts["batch_sizes"]),
        )

    @property
    def name(self) -> str:
        """Of the study: the model's name for a server."""
        return str(self.manifest["study"]["name"])

    @property
    def texts_per_row(self) -> int:
        """1, or 2 where rows are pairs."""
        return 1 if self._text is None else self._text.texts_per_row

    def encode(self, rows: Sequence[Any]) -> Encoded:
        """Texts or images as the model takes them.

        Args:
            rows: texts, or lists of two texts where rows are pairs; of an image model the bytes of image files.

        Raises:
            InputError: a row is no text, no pair, empty, or no image.
        """
        if self._text is None:
            assert self._image is not None
            pixels = [self._image.read(_bytes(row, number), f"{number + 1}") for number, row in enumerate(rows)]
            return Encoded({spec.name: pixels for spec in self.signature.inputs}, [1] * len(pixels), frozenset())
        values, cut = self._text.encode([_texts(row, number, self.texts_per_row) for number, row in enumerate(rows)])
        return Encoded(values, [len(row) for row in next(iter(values.values()))], frozenset(cut))

    def warm_values(self, rows: int, tokens: int) -> Values:
        """Made-up rows that a first call may take its memory with.

        Args:
            rows: how many.
            tokens: of each; images have their size.
        """
        if self.is_text:
            return {name: [np.ones(tokens, dtype)] * rows for name, dtype in self.padding.dtypes.items()}
        shapes = {spec.name: [int(size) for size in spec.axes[1:]] for spec in self.signature.inputs}
        return {name: [np.zeros(shapes[name], dtype)] * rows for name, dtype in self.padding.dtypes.items()}

    def answers(self, logits: npt.NDArray[np.float32], cut: frozenset[int] = frozenset()) -> Any:
        """Answers of logits [rows, labels], as of `answers_of`.

        Raises:
            PackageError: a logit is not a number.
        """
        return answers_of(logits, self.signature, cut)


def _refused(number: int, happened: str, fix: str) -> InputError:
    return InputError(asked=f"answer row {number + 1}", happened=happened, affected="this request", fix=fix)


def _texts(row: Any, number: int, count: int) -> Sequence[str]:
    texts = [row] if isinstance(row, str) else row
    if not isinstance(texts, Sequence) or len(texts) != count or not all(isinstance(text, str) for text in texts):
        wanted = "one text" if count == 1 else "a list of two texts"
        raise _refused(number, f"it is {_shown(row)}, where {wanted} is expected", f"give {wanted} for each row")
    for text in texts:
        if not text.strip():
            raise _refused(number, "its text is empty", "leave it out")
        if "\0" in text:
            raise _refused(number, "its text holds a NUL character", "remove it")
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            raise _refused(
                number, "its text holds half of a surrogate pair, which is no letter", "send whole UTF-8"
            ) from None
    return texts


def _bytes(row: Any, number: int) -> bytes:
    if isinstance(row, (bytes, bytearray)):
        return bytes(row)
    raise _refused(number, f"it is {_shown(row)}, where the bytes of an image file are expected", "send image files")


def _shown(value: Any) -> str:
    text = f"{type(value).__name__} {value!r}"
    return text if len(text) <= 80 else text[:79] + "…"


def _check_versions(manifest: Mapping[str, Any]) -> None:
    """The libraries that decide the answers are those that they were measured with.

    Raises:
        PackageError: one is absent, or there in another version.
    """
    found = {}
    for name, wanted in manifest["libraries"].items():
        try:
            there = metadata.version(name)
        except metadata.PackageNotFoundError:
            there = "absent"
        if there.partition("+")[0] != wanted:
            found[name] = f"{name} is {there}, measured with {wanted}"
    if found:
        raise PackageError(
            asked="answer as it was measured",
            happened="; ".join(found.values()),
            affected="every answer: another version may give another one, at another speed",
            fix="pip install -r requirements.txt",
        )
