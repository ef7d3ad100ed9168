"""Images in one folder for each label: <folder>/<label>/*.jpg, *.png, …, of any size and colour mode."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, model_validator

from temper.artifacts.manifest import sha256
from temper.data.columns import NOTHING_WRITTEN
from temper.data.examples import Examples
from temper.data.images import DEEP, ENDINGS, ImageFiles, read_pixels
from temper.data.source import SourceOptions, Splits
from temper.errors import DataError

LIBRARIES: tuple[str, ...] = ("pillow",)
_COPY_AGAIN = "put these files there again (their copy may have failed), or remove them"
_SHOWN = 5  # files that a message names


class Options(SourceOptions):
    """Folders, each with a folder of images for each label. Paths are relative to the study's folder.

    train, validation, test: a folder each. Validation is null where it is drawn from train, and so is test.
    test_share: share of each label's images in train that become test rows; null where test is a folder.
    label_names: names of the labels' folders, in the order of the model's outputs.
    """

    source: Literal["image_folder"]
    max_tokens: None
    train: str
    validation: str | None
    test: str | None
    test_share: Annotated[float, Field(gt=0, lt=1)] | None
    label_names: Annotated[list[str], Field(min_length=2)]

    @model_validator(mode="after")
    def _keys_agree(self) -> "Options":
        self.check_validation(self.validation)
        if (self.test is None) == (self.test_share is None):
            raise ValueError("give either a folder for test or test_share, and null for the other")
        if len(set(self.label_names)) < len(self.label_names):
            raise ValueError(f"label_names holds a name twice: {self.label_names}")
        return self


def _error(folder: str, happened: str, fix: str) -> DataError:
    return DataError(asked=f"read the images below {folder}", happened=happened, affected=NOTHING_WRITTEN, fix=fix)


def _some(names: Sequence[str]) -> str:
    return f"{', '.join(names[:_SHOWN])}{', …' if len(names) > _SHOWN else ''}"


def _files(folder: str) -> list[str]:
    """Every file below a folder but hidden ones, sorted: the order must not depend on the file system."""
    found = (path for path in Path(folder).rglob("*") if path.is_file())
    return sorted(
        path.as_posix() for path in found if not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


def _is_image(path: str) -> bool:
    return path.lower().endswith(ENDINGS)


def _check_folders(folder: str, label_names: Sequence[str]) -> None:
    """Raise DataError unless the folder holds folders with images, each of them of a known label."""
    if not Path(folder).is_dir():
        raise _error(
            folder,
            "there is no such folder below the study's folder",
            "correct its path in params.yaml, or bring it: the study's README.md says where from",
        )
    folders = sorted(path.name for path in Path(folder).iterdir() if path.is_dir() and not path.name.startswith("."))
    if not folders:
        raise _error(folder, "it holds no folders", "put the images of each label into a folder with the label's name")
    unknown = [name for name in folders if name not in label_names]
    if unknown:
        raise _error(
            folder,
            f"it holds the folders {_some(unknown)}, which are not among the labels {_some(label_names)}",
            "correct data.label_names in params.yaml or the names of the folders",
        )
    empty = [name for name in folders if not any(map(_is_image, _files(f"{folder}/{name}")))]
    if empty:
        raise _error(
            folder,
            f"the folder{'s' if len(empty) > 1 else ''} of {_some(empty)} hold{'' if len(empty) > 1 else 's'} no image "
            f"({', '.join(ENDINGS)})",
            "copy the images there again; a label that is to have none has no folder",
        )
    outside = [path for path in _files(folder) if _is_image(path) and Path(path).parent == Path(folder)]
    if outside:
        raise _error(
            folder,
            f"{len(outside):,} images lie in no label's folder ({_some(outside)})",
            "move them into the folder of their label, or away",
        )


class _Reader:
    """Reads every image once, before anything is made of it, and counts what a reader of results should know."""

    def __init__(self, label_names: Sequence[str]) -> None:
        self._label_names = label_names
        self._counted: Counter[str] = Counter()
        self._other: list[str] = []
        self.origins: dict[str, Any] = {}

    def read(self, split: str, folder: str) -> Examples:
        """The rows of one folder, sorted by path.

        Raises:
            DataError: the folder is absent, holds unknown or empty labels, or an image that cannot be read.
        """
        _check_folders(folder, self._label_names)
        files = _files(folder)
        images = [path for path in files if _is_image(path)]
        self._other += [path for path in files if not _is_image(path)]
        digest, broken = hashlib.sha256(), []
        fixes: set[str] = set()
        for path in images:
            try:
                pixels = read_pixels(path)
            except DataError as error:
                broken.append(f"{path} ({error.happened})")
                fixes.add(error.fix)
                continue
            self._counted.update(
                [f"converted from {pixels.converted_from} to RGB"] * (pixels.converted_from is not None)
                + ["turned upright by their EXIF orientation"] * pixels.turned
                + ["with further frames, of which the first is read"] * (pixels.frames_left_out > 0)
            )
            digest.update(f"{Path(path).relative_to(folder).as_posix()} {sha256(path)}\n".encode())
        if broken:
            raise _error(
                folder,
                f"{len(broken):,} of {len(images):,} images cannot be read: {_some(broken)}",
                DEEP if fixes == {DEEP} else "; ".join([_COPY_AGAIN, *({DEEP} & fixes)]),
            )
        self.origins[split] = {"path": folder, "images": len(images), "sha256": digest.hexdigest()}
        labels = [self._label_names.index(Path(path).relative_to(folder).parts[0]) for path in images]
        return Examples(origin=folder, labels=labels, images=ImageFiles(images))

    def findings(self) -> tuple[str, ...]:
        """In words, for the data card."""
        found = [f"{count:,} images {what}" for what, count in sorted(self._counted.items())]
        if self._other:
            found.append(f"{len(self._other):,} files are no images and were left out ({_some(self._other)})")
        return tuple(found)


def _draw_test(train: Examples, share: float, label_names: Sequence[str], seed: int) -> tuple[list[int], list[int]]:
    """Rows for train and for test: the share of each label's rows, rounded, at least one on either side."""
    generator = np.random.default_rng(seed)
    chosen: list[int] = []
    for label in sorted(set(train.labels)):
        rows = [row for row, found in enumerate(train.labels) if found == label]
        if len(rows) < 2:
            raise _error(
                train.origin,
                f"the label {label_names[label]} has one image, which cannot be in train and in test",
                "add images of it, remove its folder, or give a folder for data.test",
            )
        count = min(max(round(share * len(rows)), 1), len(rows) - 1)
        chosen += generator.permutation(rows)[:count].tolist()
    drawn = set(chosen)
    return [row for row in range(len(train)) if row not in drawn], sorted(chosen)


def load(options: Options, seed: int) -> Splits:
    """Find the images and read each once; they are read again when they are encoded.

    Returns:
        images of their own sizes, in RGB, labels by the name of their folder.

    Raises:
        DataError: a folder is absent, holds no folders, one that is no label's, one without images, images outside of
            them, or a file that is no whole image.
    """
    reader = _Reader(options.label_names)
    train = reader.read("train", options.train)
    validation = None if options.validation is None else reader.read("validation", options.validation)
    if options.test is not None:
        test = reader.read("test", options.test)
    else:
        assert options.test_share is not None  # one of the two is given
        kept, drawn = _draw_test(train, options.test_share, options.label_names, seed)
        train, test = train.take(kept), train.take(drawn)
    return Splits(
        train=train,
        validation=validation,
        test=test,
        label_names=tuple(options.label_names),
        notes={"source": reader.origins},
        warnings=reader.findings(),
    )


def input_files(options: Options) -> list[str]:
    """The images that a run with these options reads; none of a folder that is missing."""
    folders = [folder for folder in (options.train, options.validation, options.test) if folder is not None]
    return [path for folder in folders for path in _files(folder) if _is_image(path)]
