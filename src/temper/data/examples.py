"""Labelled rows as a source gives them, before they are encoded."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt


class Images(Protocol):
    """Rows of images: an array, or what reads each from its file when it is asked for (temper/data/images.py)."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[npt.NDArray[np.uint8]]:
        """uint8, [height, width, 3]: red, green, blue."""
        ...

    def __getitem__(self, rows: slice | npt.NDArray[np.int64], /) -> "Images":
        """The given rows, in the given order."""
        ...


@dataclass(frozen=True, eq=False)
class Examples:
    """Labelled rows; exactly one of `texts` and `images` is there.

    origin: where they came from, for messages, such as the path of their file.
    labels: one number per row, as the task of the data has it: of single_label the place among the label names.
    groups: number of what each row belongs to, from 0 on by when it came first; None: each row stands for itself.
    texts: one or two texts per row.
    images: uint8, [rows, height, width, 3]; or files, each image with a height and width of its own.
    """

    origin: str
    labels: list[Any]
    texts: list[tuple[str, ...]] | None = None
    images: Images | None = None
    groups: list[int] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: Sequence[int]) -> "Examples":
        """The given rows, in the given order."""
        return Examples(
            origin=self.origin,
            labels=[self.labels[row] for row in rows],
            texts=None if self.texts is None else [self.texts[row] for row in rows],
            images=None if self.images is None else self.images[np.asarray(rows, dtype=np.int64)],
            groups=None if self.groups is None else [self.groups[row] for row in rows],
        )
