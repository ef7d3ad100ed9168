"""Images into model inputs by an image processor of transformers: of how many channels, and of which size."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from temper.artifacts.signature import BATCH_AXIS, Signature, TensorSpec
from temper.data.columns import NOTHING_WRITTEN
from temper.data.encoding import Encoded, save_files
from temper.data.examples import Examples, Images
from temper.errors import DataError

IMAGES_PER_CALL = 16  # bounds the memory, also for photographs; changes no result
_PROBED = 32  # pixels of a side, where there is no image to look at
_PROBES = ((32, 48), (48, 32), (64, 64))
_SHOWN = 4


def first_image(images: Images | None) -> npt.NDArray[np.uint8] | None:
    """The first of some images, uint8 [height, width, 3]; None where there is none."""
    return next(iter(images), None) if images is not None and len(images) else None


def fit_channels(processor: Any, channels: int | None) -> tuple[str, str] | None:
    """Let an image processor normalise as many channels as the model takes, in place.

    Args:
        processor: of transformers.
        channels: of the model; None where that is not known: then as many as the processor has means.

    Returns:
        None; or, where it cannot, why and what to do.
    """
    if channels not in (None, 1, 3):
        why = f"the model takes images of {channels} channels, and images are read as red, green and blue, or as grey"
        return why, "choose a checkpoint for 3 channels or for 1"
    for key in ("image_mean", "image_std"):
        values = getattr(processor, key, None)
        if channels != 1 or not isinstance(values, Sequence) or len(values) == 1:
            continue
        if len(set(values)) > 1 and getattr(processor, "do_normalize", True):
            why = f"the model takes grey images, and its image processor has {key} {list(values)} for {len(values)} channels"
            return why, f"give {key} in preprocessor_config.json one number, the one that the model was trained with"
        setattr(processor, key, [values[0]])
    return None


class ImagePreprocessor:
    """An image processor of transformers, on its Pillow backend.

    A processor with one mean is one of a model of grey images.
    """

    def __init__(self, processor: Any, example: npt.NDArray[np.uint8] | None = None) -> None:
        """See above.

        Args:
            processor: of transformers.
            example: an image of the data, uint8 [height, width, 3]: a processor may leave images the size that they have.
        """
        self._processor = processor
        self._example = example
        mean = getattr(processor, "image_mean", None)
        self._grey = isinstance(mean, Sequence) and len(mean) == 1

    def _pixels(self, images: Sequence[npt.NDArray[np.uint8]]) -> list[npt.NDArray[np.float32]]:
        given = [_grey(image) for image in images] if self._grey else list(images)
        batch = self._processor(given, return_tensors=None, input_data_format="channels_last")
        return [np.ascontiguousarray(values, dtype=np.float32) for values in batch["pixel_values"]]

    def max_tokens(self, asked: int | None) -> None:
        return None

    def encode(self, examples: Examples, max_tokens: int | None, *, words: bool = False) -> Encoded:
        """See Preprocessor.

        Raises:
            DataError: the processor leaves the images in several sizes.
        """
        assert examples.images is not None
        starts = range(0, len(examples), IMAGES_PER_CALL)
        rows = [row for start in starts for row in self._pixels(list(examples.images[start : start + IMAGES_PER_CALL]))]
        self._refuse_sizes(examples, Counter(row.shape[1:] for row in rows))
        return Encoded(inputs={"pixel_values": rows}, token_lengths=[], truncated_rows=0, rows_without_tokens=0)

    @property
    def resizes(self) -> bool:
        """Whether images of any size become images of one."""
        probes = [np.zeros((height, width, 3), np.uint8) for height, width in _PROBES]
        return len({row.shape for probe in probes for row in self._pixels([probe])}) == 1

    def check_sizes(self, examples: Examples) -> None:
        """Look at the size of each image once it is processed; none is kept.

        Raises:
            DataError: the processor leaves the images in several sizes.
        """
        assert examples.images is not None
        given = Counter(image.shape[:2] for image in examples.images)
        sizes: Counter[tuple[int, ...]] = Counter()
        for (height, width), count in given.items():
            sizes[self._pixels([np.zeros((height, width, 3), np.uint8)])[0].shape[1:]] += count
        self._refuse_sizes(examples, sizes)

    def _refuse_sizes(self, examples: Examples, sizes: "Counter[tuple[int, ...]]") -> None:
        if self._example is not None:
            sizes[self._pixels([self._example])[0].shape[1:]] += 0  # of another split
        if len(sizes) > 1:
            found = [f"{width} × {height} ({count:,})" for (height, width), count in sizes.most_common(_SHOWN)]
            raise DataError(
                asked=f"encode {examples.origin} for the model",
                happened=f"its image processor gives images of {len(sizes):,} sizes ({', '.join(found)}"
                f"{', …' if len(sizes) > _SHOWN else ''}), and a batch has one",
                affected=NOTHING_WRITTEN,
                fix='let preprocessor_config.json resize to one size ("do_resize": true, "size": {"height": H, "width": W}) or '
                'crop to it ("do_center_crop": true, "crop_size": …); or give images of one size',
            )

    def signature(self, label_names: tuple[str, ...]) -> Signature:
        example = np.zeros((_PROBED, _PROBED, 3), np.uint8) if self._example is None else self._example
        channels, height, width = self._pixels([example])[0].shape
        axes = (BATCH_AXIS, channels, height, width)
        inputs = (TensorSpec(name="pixel_values", dtype="float32", axes=axes, pad_value=0),)
        return Signature(task="image-classification", inputs=inputs, label_names=label_names, padding_side="right")

    def save(self, folder: str | Path) -> None:
        save_files(self._processor, "image-classification", folder)


def _grey(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """By Pillow's weights (ITU-R 601-2 luma), uint8 [height, width, 1]; equal channels are their value."""
    from PIL import Image

    return np.asarray(Image.fromarray(image).convert("L"), dtype=np.uint8)[..., None]
