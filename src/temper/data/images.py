"""Image files as pixels, and as the inputs of a model: one way for training, measuring and predicting.

Importing it stays light: Pillow and transformers are imported inside the functions.
"""

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np
import numpy.typing as npt

from temper.errors import DataError

# what a file may hold, whatever its name says: Pillow would start Ghostscript for EPS, and has readers of fifty more
FORMATS = ("JPEG", "PNG", "BMP", "WEBP")
MOST_PIXELS = 100_000_000  # looked at before anything is decoded: 300 MB as RGB
ENDINGS = (".jpg", ".jpeg", ".png", ".bmp", ".webp")
# Pillow cuts values above 255 off instead of scaling them: such a file would turn white in silence.
_DEEP_MODES = ("I", "F", "I;16", "I;16B", "I;16L", "I;16N")
DEEP = "save it with 8 bits a channel (ImageMagick: mogrify -depth 8 FILE), scaled as the model was trained"
_SPOILED = "this image, and what would have been computed from it"


@dataclass(frozen=True, eq=False)
class Pixels:
    """One image.

    values: uint8, [height, width, 3]: red, green, blue.
    converted_from: Pillow's name of the file's own mode, such as L (grey), P (palette), RGBA or CMYK; None for RGB.
    turned: whether its EXIF orientation had to be applied.
    frames_left_out: further frames of the file, of which only the first is an image here.
    """

    values: npt.NDArray[np.uint8]
    converted_from: str | None
    turned: bool
    frames_left_out: int


def _refuse(path: str | Path, happened: str, fix: str) -> NoReturn:
    raise DataError(asked=f"read the image {path}", happened=happened, affected=_SPOILED, fix=fix) from None


def read_pixels(path: str | Path) -> Pixels:
    """Read a file whole, upright as a viewer shows it, in RGB.

    Grey gets three equal channels; of RGBA the colours are kept and the transparency is dropped; CMYK is converted
    by Pillow without a colour profile.

    Raises:
        DataError: the file is absent, broken, no image, too large to be one, or has more than 8 bits a channel.
    """
    from PIL import Image, ImageOps

    try:
        mode_of_file = os.stat(path).st_mode
        if stat.S_ISDIR(mode_of_file):
            raise IsADirectoryError
        if not stat.S_ISREG(mode_of_file):
            raise OSError("it is a pipe, a socket or a device, and no file")
        with Image.open(path, formats=FORMATS) as image:
            if image.width * image.height > MOST_PIXELS:
                raise ValueError(
                    f"{image.width:,} × {image.height:,} pixels, and {MOST_PIXELS:,} is the most that is read"
                )
            frames = int(getattr(image, "n_frames", 1))
            mode = image.mode
            turned = image.getexif().get(0x0112, 1) in range(2, 9)  # Orientation; 1 is upright
            if mode not in _DEEP_MODES:
                upright = ImageOps.exif_transpose(image)
                values = np.array(upright.convert("RGB"), dtype=np.uint8)
    except FileNotFoundError:
        _refuse(path, "there is no such file", "correct its path")
    except IsADirectoryError:
        _refuse(path, "it is a folder", "name one image in it")
    except Exception as error:  # Pillow's plugins raise OSError, SyntaxError, ValueError, struct.error and more
        _refuse(
            path,
            f"{type(error).__name__}: {str(error).strip()[:300]}",
            f"put the file there again (its copy may have failed), save it as one of {', '.join(FORMATS)}, or remove it",
        )
    if mode in _DEEP_MODES:
        _refuse(path, f"its mode is {mode}: more than 8 bits a channel", DEEP)
    return Pixels(values, None if mode == "RGB" else mode, turned, frames - 1)


class ImageFiles:
    """Images that stay on disk; each is read when it is asked for. Indexed as an array of images would be."""

    def __init__(self, paths: Sequence[str]) -> None:
        self.paths = tuple(paths)

    def __len__(self) -> int:
        return len(self.paths)

    def __iter__(self) -> Iterator[npt.NDArray[np.uint8]]:
        """uint8 [height, width, 3], each of its own size."""
        return (read_pixels(path).values for path in self.paths)

    def __getitem__(self, rows: slice | npt.NDArray[np.int64]) -> "ImageFiles":
        """Those of the given rows, in the given order; nothing is read."""
        return ImageFiles([self.paths[row] for row in np.arange(len(self.paths))[rows]])
