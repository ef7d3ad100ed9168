"""Handwritten digits of scikit-learn: 1,797 images of 8 by 8 pixels that come with the library."""

from typing import Literal

import numpy as np
from pydantic import PositiveInt

from temper.data.columns import NOTHING_WRITTEN
from temper.data.examples import Examples
from temper.data.source import SourceOptions, Splits
from temper.errors import DataError

BRIGHTEST = 16  # load_digits counts set pixels in 4 x 4 blocks of the original scan

LIBRARIES: tuple[str, ...] = ("scikit-learn",)


class Options(SourceOptions):
    """test_rows: rows drawn for the test split; the others are train."""

    source: Literal["digits"]
    validation_rows: PositiveInt
    max_tokens: None
    test_rows: PositiveInt


def load(options: Options, seed: int) -> Splits:
    """Draw test from the images; grey becomes three equal channels, 0 to 255.

    Returns:
        images uint8 [rows, 8, 8, 3], labels 0 to 9.

    Raises:
        DataError: test_rows leaves no rows for train.
    """
    from sklearn.datasets import load_digits

    bunch = load_digits()
    grey = np.rint(bunch.images * (255 / BRIGHTEST)).astype(np.uint8)
    images = np.repeat(grey[..., np.newaxis], 3, axis=-1)
    if options.test_rows >= len(images):
        raise DataError(
            asked=f"draw {options.test_rows:,} test rows from scikit-learn's digits",
            happened=f"they are {len(images):,} images",
            affected=NOTHING_WRITTEN,
            fix=f"set data.test_rows well below {len(images):,} in params.yaml",
        )
    order = np.random.default_rng(seed).permutation(len(images))
    test, train = np.sort(order[: options.test_rows]), np.sort(order[options.test_rows :])
    labels = [int(label) for label in bunch.target]
    everything = Examples(origin="scikit-learn's digits", labels=labels, images=images)
    return Splits(
        train=everything.take(train.tolist()),
        validation=None,
        test=everything.take(test.tolist()),
        label_names=tuple(str(digit) for digit in range(10)),
        notes={"source": "scikit-learn's handwritten digits (UCI optdigits, its test part)"},
    )
