import json
from pathlib import Path

import numpy as np
import pytest

from temper.artifacts.signature import Signature
from temper.data.examples import Examples
from temper.data.preprocessing import build_preprocessor
from temper.errors import ArtifactError, DataError
from temper.study.sections.model import model_options


def save(folder: Path, channels: int | None, **settings: object) -> Path:
    """An image processor with a configuration beside it."""
    folder.mkdir()
    processor = {"image_processor_type": "ViTImageProcessor", "size": {"height": 8, "width": 8}, **settings}
    (folder / "preprocessor_config.json").write_text(json.dumps(processor))
    if channels is not None:
        (folder / "config.json").write_text(json.dumps({"model_type": "vit", "num_channels": channels}))
    return folder


def examples(*shapes: tuple[int, int]) -> Examples:
    generator = np.random.default_rng(0)
    images = [generator.integers(0, 256, (*shape, 3), dtype=np.uint8) for shape in shapes]
    return Examples(origin="photos", labels=[0] * len(images), images=Listed(images))


class Listed(list):
    """Images of sizes of their own, indexed as an array of them."""

    def __getitem__(self, rows):
        return (
            Listed(list.__getitem__(self, rows)) if isinstance(rows, slice) else Listed(self[n] for n in rows.tolist())
        )


def made(folder: Path, given: Examples):
    section = {"task": "image-classification", "source": "checkpoint", "checkpoint": str(folder), "revision": None}
    return build_preprocessor(model_options(section), given)


@pytest.mark.parametrize("mean", [[0.5], [0.5, 0.5, 0.5]])
def test_a_model_of_grey_images_gets_one_channel(tmp_path, mean):
    given = examples((8, 8), (9, 12))
    preprocessor = made(save(tmp_path / "made", 1, image_mean=mean, image_std=mean), given)
    rows = preprocessor.encode(given, None).inputs["pixel_values"]
    assert [row.shape for row in rows] == [(1, 8, 8)] * 2
    red, green, blue = np.moveaxis(next(iter(given.images)).astype(np.float64), -1, 0)
    expected = np.rint(0.299 * red + 0.587 * green + 0.114 * blue) / 255 * 2 - 1
    assert np.abs(rows[0][0] - expected).max() <= 2 / 255 + 1e-6  # Pillow rounds its weights
    signature = preprocessor.signature(("a", "b"))
    assert signature.inputs[0].axes == ("batch_size", 1, 8, 8)
    preprocessor.save(tmp_path / "saved")  # an artifact has no config.json
    again = made(tmp_path / "saved", Examples(origin="none", labels=[])).encode(given, None).inputs["pixel_values"]
    assert np.array_equal(again[1], rows[1])


@pytest.mark.parametrize(
    ("channels", "settings", "words"),
    [
        (1, {"image_mean": [0.4, 0.5, 0.6]}, "grey images, and its image processor has image_mean [0.4, 0.5, 0.6]"),
        (4, {}, "the model takes images of 4 channels"),
        (2, {"image_mean": [0.5, 0.5]}, "the model takes images of 2 channels"),
    ],
)  # fmt: skip
def test_other_channels_are_refused_by_name(tmp_path, channels, settings, words):
    with pytest.raises(ArtifactError) as caught:
        made(save(tmp_path / "made", channels, **settings), examples((8, 8)))
    assert words in caught.value.happened


@pytest.mark.parametrize(
    ("settings", "shape", "expected"),
    [
        ({"do_resize": False}, (20, 28), (3, 20, 28)),
        ({"do_resize": False, "do_normalize": False}, (7, 7), (3, 7, 7)),
        ({"size": {"height": 16, "width": 12}}, (20, 28), (3, 16, 12)),
    ],
)
def test_the_size_is_the_data_s_where_the_processor_has_none(tmp_path, settings, shape, expected):
    given = examples(shape, shape)
    preprocessor = made(save(tmp_path / "made", 3, **settings), given)
    assert preprocessor.signature(("a", "b")).inputs[0].axes[1:] == expected
    assert preprocessor.encode(given, None).inputs["pixel_values"][1].shape == expected


@pytest.mark.parametrize("shapes", [[(8, 8), (8, 9)], [(8, 8), (4, 4), (4, 4)]])
def test_images_that_stay_of_several_sizes_are_refused_with_the_sizes(tmp_path, shapes):
    given = examples(*shapes)
    preprocessor = made(save(tmp_path / "made", 3, do_resize=False), given)
    with pytest.raises(DataError) as caught:
        preprocessor.encode(given, None)
    assert "its image processor gives images of 2 sizes (" in caught.value.happened
    assert "8 × 8 (1)" in caught.value.happened
    assert '"do_resize": true' in caught.value.fix


def test_a_split_of_another_size_than_train_is_refused(tmp_path):
    preprocessor = made(save(tmp_path / "made", 3, do_resize=False), examples((8, 8)))
    with pytest.raises(DataError, match="of 2 sizes"):
        preprocessor.encode(examples((6, 6)), None)


def test_a_signature_without_data_is_of_some_size(tmp_path):
    preprocessor = made(save(tmp_path / "made", 3), Examples(origin="none", labels=[]))
    assert isinstance(preprocessor.signature(("a", "b")), Signature)
