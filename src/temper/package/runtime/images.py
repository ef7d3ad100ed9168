"""Images as the pixels that the model was trained and measured on, by Pillow and NumPy.

The settings are those of transformers' image processors (preprocessor_config.json), of which the ones listed in _KNOWN are
done here, in their order: resize, crop the centre, rescale, normalise. The package was checked to give the very same pixels.
"""

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import InputError, PackageError

FILES = ("preprocessor_config.json",)
# what a file may hold, whatever is said of it: Pillow would start Ghostscript for EPS, and has readers of fifty more
FORMATS = ("JPEG", "PNG", "BMP", "WEBP")
MOST_PIXELS = 100_000_000  # looked at before anything is decoded: 300 MB as RGB
_KNOWN = {
    *("do_resize", "size", "resample", "do_center_crop", "crop_size", "do_rescale", "rescale_factor"),
    *("do_normalize", "image_mean", "image_std", "do_convert_rgb", "crop_pct"),
}
_SAY_NOTHING = {"image_processor_type", "feature_extractor_type", "data_format", "input_data_format", "return_tensors"}
# Pillow cuts values above 255 off instead of scaling them: such a file would turn white in silence
_DEEP_MODES = ("I", "F", "I;16", "I;16B", "I;16L", "I;16N")


def _refused(happened: str, fix: str) -> PackageError:
    return PackageError(
        asked=f"preprocess images as {FILES[0]} says", happened=happened, affected="every image", fix=fix
    )


class ImageEncoder:
    """An image processor.

    Attributes:
        settings: of preprocessor_config.json.
    """

    def __init__(self, folder: Path) -> None:
        """Read its settings.

        Raises:
            PackageError: they ask for something that is not done here.
        """
        self.settings: dict[str, Any] = json.loads((folder / FILES[0]).read_text(encoding="utf-8"))
        asked = {key for key, value in self.settings.items() if value not in (None, False) and key not in _SAY_NOTHING}
        if len(self.settings.get("image_mean") or [0, 0, 0]) != 3:
            raise _refused(
                "its model takes grey images, which this runtime does not do", "serve it where Temper is installed"
            )
        unknown = sorted(asked - _KNOWN)
        if unknown:
            raise _refused(
                f"it asks for {', '.join(unknown)}, which this runtime does not do",
                "use a model without these settings",
            )

    def read(self, content: bytes, name: str) -> npt.NDArray[np.float32]:
        """Pixels of an image file's bytes.

        Args:
            content: of a file that Pillow reads.
            name: of the file, for the error.

        Returns:
            float32 [channels, height, width].

        Raises:
            InputError: it is no image, broken, too large, or has more than 8 bits a channel.
        """
        from PIL import Image, ImageOps

        try:
            with Image.open(io.BytesIO(content), formats=FORMATS) as image:
                if image.width * image.height > MOST_PIXELS:
                    raise ValueError(
                        f"{image.width:,} × {image.height:,} pixels, and {MOST_PIXELS:,} is the most that is read"
                    )
                mode = image.mode
                if mode not in _DEEP_MODES:
                    upright = ImageOps.exif_transpose(image)
                    return self.encode(np.array(upright.convert("RGB"), dtype=np.uint8))
        except PackageError:
            raise
        except Exception as error:  # Pillow's plugins raise OSError, SyntaxError, ValueError, struct.error and more
            happened = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
            raise InputError(
                asked=f"read the image {name}", happened=happened, affected="this image", fix="send a whole image file"
            ) from None
        raise InputError(
            asked=f"read the image {name}",
            happened=f"its mode is {mode}: more than 8 bits a channel",
            affected="this image",
            fix="save it with 8 bits a channel",
        )

    def encode(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Pixels as the model takes them.

        Args:
            pixels: uint8 [height, width, 3].

        Returns:
            float32 [3, height, width] of the model.
        """
        has = self.settings
        if has.get("do_resize"):
            resample, crop_pct = int(has.get("resample", 2)), has.get("crop_pct")
            if crop_pct is None:
                pixels = _resized(pixels, has["size"], resample)
            else:
                pixels = _resized_and_cropped(pixels, has["size"]["shortest_edge"], crop_pct, resample)
        if has.get("do_center_crop"):
            pixels = _cropped(pixels, has["crop_size"])
        values = pixels.transpose(2, 0, 1).astype(np.float32)
        if has.get("do_rescale"):
            # in double precision, as transformers does it, then rounded once
            values = (pixels.transpose(2, 0, 1).astype(np.float64) * has["rescale_factor"]).astype(np.float32)
        if has.get("do_normalize"):
            mean, std = (np.asarray(has[key], np.float32).reshape(-1, 1, 1) for key in ("image_mean", "image_std"))
            values = (values - mean) / std
        return np.ascontiguousarray(values, dtype=np.float32)


def _resized(pixels: npt.NDArray[np.uint8], size: Mapping[str, int], resample: int) -> npt.NDArray[np.uint8]:
    from PIL import Image

    height, width = pixels.shape[:2]
    if "shortest_edge" in size and "longest_edge" not in size:
        short, long = sorted((height, width))
        other = int(size["shortest_edge"] * long / short)
        wanted = (size["shortest_edge"], other) if height <= width else (other, size["shortest_edge"])
    elif {"height", "width"} <= size.keys():
        wanted = size["height"], size["width"]
    else:
        raise _refused(f"its size is {dict(size)}", "give height and width, or shortest_edge")
    image = Image.fromarray(pixels).resize((wanted[1], wanted[0]), resample=Image.Resampling(resample))
    return np.array(image, dtype=np.uint8)


def _resized_and_cropped(
    pixels: npt.NDArray[np.uint8], edge: int, share: float, resample: int
) -> npt.NDArray[np.uint8]:
    """ConvNeXT's way: resized so far that the middle is this share of it; from 384 pixels on the whole, warped."""
    if edge >= 384:
        return _resized(pixels, {"height": edge, "width": edge}, resample)
    resized = _resized(pixels, {"shortest_edge": int(edge / share)}, resample)
    return _cropped(resized, {"height": edge, "width": edge})


def _cropped(pixels: npt.NDArray[np.uint8], size: Mapping[str, int]) -> npt.NDArray[np.uint8]:
    """The middle; where the image is smaller, black around it."""
    height, width = pixels.shape[:2]
    rows, columns = size["height"], size["width"]
    top, left = (height - rows) // 2, (width - columns) // 2
    if top >= 0 and left >= 0:
        return pixels[top : top + rows, left : left + columns]
    whole = np.zeros((max(rows, height), max(columns, width), pixels.shape[2]), np.uint8)
    at = int(np.ceil((whole.shape[0] - height) / 2)), int(np.ceil((whole.shape[1] - width) / 2))
    whole[at[0] : at[0] + height, at[1] : at[1] + width] = pixels
    return _cropped(whole, size)
