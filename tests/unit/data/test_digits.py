import numpy as np
import pytest

from temper.data.digits import Options, load
from temper.errors import DataError


def options(test_rows: int) -> Options:
    return Options(source="digits", validation_rows=100, calibration_rows=50, max_tokens=None, test_rows=test_rows)


def test_digits_are_rgb_bytes_and_disjoint_splits():
    splits = load(options(300), 5)
    assert splits.train.images.shape == (1497, 8, 8, 3)
    assert splits.train.images.dtype == np.uint8
    assert (splits.test.images.min(), splits.test.images.max()) == (0, 255)
    assert splits.label_names == tuple("0123456789")
    assert set(splits.test.labels) == set(range(10))
    assert np.array_equal(load(options(300), 5).test.images, splits.test.images)
    assert not np.array_equal(load(options(300), 6).test.images, splits.test.images)


def test_more_test_rows_than_images_is_an_error():
    with pytest.raises(DataError, match=r"draw 1,797 test rows[\s\S]*1,797 images"):
        load(options(1797), 5)
