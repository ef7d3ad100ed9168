import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from pydantic import ValidationError

from temper.data.image_folder import Options, input_files, load
from temper.data.prepare import prepare_data
from temper.errors import DataError

LABELS = ("cat", "dog", "eel")


def fill(folder: str, images: int, labels=LABELS) -> None:
    """Images of different sizes; label and number decide the colour."""
    for label in labels:
        Path(folder, label).mkdir(parents=True)
        for number in range(images):
            colour = (80 * LABELS.index(label), number, 0)
            Image.new("RGB", (8 + number, 12), colour).save(f"{folder}/{label}/{number:02}.png")


@pytest.fixture
def data(study: Path) -> dict[str, Any]:
    fill("raw/train", 10)
    fill("raw/test", 3)
    return {
        "source": "image_folder",
        "train": "raw/train",
        "validation": None,
        "test": "raw/test",
        "test_share": None,
        "label_names": list(LABELS),
        "validation_rows": 6,
        "calibration_rows": 8,
        "max_tokens": None,
    }


def loaded(data: dict[str, Any], seed: int = 3):
    return load(Options.model_validate(data), seed)


def colours(examples) -> list[tuple[int, ...]]:
    return [tuple(map(int, image[0, 0])) for image in examples.images]


def test_rows_are_sorted_by_path_labelled_by_folder_and_of_their_own_sizes(data):
    splits = loaded(data)
    assert splits.train.labels == [0] * 10 + [1] * 10 + [2] * 10
    assert colours(splits.test) == [(80 * label, number, 0) for label in range(3) for number in range(3)]
    assert [image.shape for image in splits.test.images][:2] == [(12, 8, 3), (12, 9, 3)]
    assert splits.validation is None
    assert splits.label_names == LABELS
    assert splits.warnings == ()
    assert splits.notes["source"]["test"]["images"] == 9


def test_the_order_of_the_labels_is_that_of_params(data):
    assert loaded({**data, "label_names": ["eel", "cat", "dog"]}).test.labels == [1, 1, 1, 2, 2, 2, 0, 0, 0]


def test_a_share_of_each_label_becomes_test_by_the_seed(data):
    share = {**data, "test": None, "test_share": 0.3}
    splits = loaded(share)
    assert [splits.test.labels.count(label) for label in range(3)] == [3, 3, 3]
    assert [splits.train.labels.count(label) for label in range(3)] == [7, 7, 7]
    assert not set(colours(splits.test)) & set(colours(splits.train))
    assert colours(loaded(share).test) == colours(splits.test)
    assert colours(loaded(share, seed=4).test) != colours(splits.test)
    assert [loaded({**share, "test_share": 0.001}).test.labels.count(label) for label in range(3)] == [1, 1, 1]


def test_the_images_are_watched_and_a_missing_folder_is_left_to_the_job(data):
    files = input_files(Options.model_validate(data))
    assert len(files) == 39
    assert files[0] == "raw/train/cat/00.png"
    assert input_files(Options.model_validate({**data, "train": "gone", "test": "gone"})) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"test": None}, r"either a folder for test or test_share"),
        ({"test_share": 0.2}, r"either a folder for test or test_share"),
        ({"test": None, "test_share": 1.0}, r"less than 1"),
        ({"validation": "raw/validation"}, r"both are given"),
        ({"label_names": ["cat", "cat"]}, r"holds a name twice"),
        ({"max_tokens": 8}, r"max_tokens"),
    ],
)
def test_options_that_contradict_themselves_are_refused(data, changes, message):
    with pytest.raises(ValidationError, match=message):
        Options.model_validate({**data, **changes})


def broken(name: str, content: bytes):
    return lambda: Path("raw/train", name).write_bytes(content)


def only_one_cat() -> None:
    for path in sorted(Path("raw/train/cat").iterdir())[1:]:
        path.unlink()


@pytest.mark.parametrize(
    ("spoil", "changes", "message"),
    [
        (lambda: shutil.rmtree("raw/test"), {}, r"below raw/test[\s\S]*there is no such folder"),
        (lambda: [shutil.rmtree(f"raw/test/{label}") for label in LABELS], {}, r"it holds no folders"),
        (broken("dog/03.png", b"\x89PNG\r\n"), {}, r"1 of 30 images cannot be read: raw/train/dog/03.png \("),
        (broken("dog/zz.jpg", b""), {}, r"1 of 31 images cannot be read: raw/train/dog/zz.jpg \("),
        (lambda: [path.unlink() for path in Path("raw/train/eel").iterdir()], {}, r"folder of eel holds no image"),
        (broken("loose.png", b""), {}, r"1 images lie in no label's folder \(raw/train/loose.png\)"),
        (lambda: None, {"label_names": ["cat", "dog"]}, r"folders eel, which are not among the labels cat, dog"),
        (only_one_cat, {"test": None, "test_share": 0.2}, r"label cat has one image"),
    ],
)
def test_a_folder_that_is_not_what_params_says_is_an_error_and_nothing_is_written(
    data, image_model, spoil, changes, message
):
    spoil()
    with pytest.raises(DataError, match=message) as caught:
        prepare_data(data={**data, **changes}, model=image_model, seed=3, folder="prepared/data")
    assert caught.value.fix
    assert not Path("prepared").exists()


def test_what_was_done_to_images_is_printed_and_in_the_data_card(data, image_model, capsys):
    grey, photograph = Image.new("L", (9, 9), 7), Image.Exif()
    photograph[0x0112] = 3
    grey.save("raw/train/cat/grey.png")
    grey.save("raw/test/cat/grey.png")
    Image.new("CMYK", (9, 9), (7, 8, 9, 10)).save("raw/train/dog/print.JPG", format="jpeg")
    Image.new("RGB", (9, 9), (1, 2, 3)).save("raw/train/dog/turned.jpg", exif=photograph)
    Path("raw/train/dog/notes.txt").write_text("mine")
    Path("raw/train/.DS_Store").write_text("its own")
    prepare_data(data=data, model=image_model, seed=3, folder="data")
    warnings = json.loads(Path("data/data_card.json").read_text())["warnings"]
    assert warnings[:4] == [
        "1 images converted from CMYK to RGB",
        "2 images converted from L to RGB",
        "1 images turned upright by their EXIF orientation",
        "1 files are no images and were left out (raw/train/dog/notes.txt)",
    ]
    assert "warning: 2 images converted from L to RGB" in capsys.readouterr().out


def test_images_are_prepared_whatever_their_size_and_repeats_of_train_are_counted(data, image_model, capsys):
    shutil.copytree("raw/test", "raw/validation")
    for place, size in (("cat/00.png", (8, 12)), ("dog/01.png", (12, 9))):  # another colour; the same pixels, turned
        colour = (1, 2, 3) if place == "cat/00.png" else (80, 1, 0)
        Image.new("RGB", size, colour).save(f"raw/test/{place}")
    changes = {"validation": "raw/validation", "validation_rows": None}
    prepare_data(data={**data, **changes}, model=image_model, seed=3, folder="data")
    card = json.loads(Path("data/data_card.json").read_text())
    assert {name: split["rows"] for name, split in card["splits"].items()} == {
        "train": 30, "validation": 9, "test": 9, "calibration": 8,
    }  # fmt: skip
    assert card["rows_also_in_train"] == {"validation": 9, "test": 7}
    assert "test: 7 of 9 rows also stand in train" in capsys.readouterr().out


def test_a_label_without_a_folder_is_recorded(data, image_model, capsys):
    shutil.rmtree("raw/test/eel")
    prepare_data(data=data, model=image_model, seed=3, folder="data")
    assert "warning: test: no rows with the label eel" in capsys.readouterr().out
    assert json.loads(Path("data/data_card.json").read_text())["splits"]["test"]["rows_per_label"]["eel"] == 0


def test_equal_files_give_equal_bytes_in_whatever_order_they_were_made(data, image_model):
    prepare_data(data=data, model=image_model, seed=3, folder="one")
    shutil.rmtree("raw/train")
    fill("raw/train", 10, tuple(reversed(LABELS)))
    prepare_data(data=data, model=image_model, seed=3, folder="two")
    for path in (path for path in sorted(Path("one").rglob("*")) if path.is_file()):
        assert path.read_bytes() == (Path("two") / path.relative_to("one")).read_bytes(), path.name


def test_deep_images_get_the_advice_for_deep_images(data):
    Image.new("I;16", (8, 8), 40_000).save("raw/train/cat/deep.png")
    with pytest.raises(DataError) as caught:
        loaded(data)
    assert "more than 8 bits a channel" in caught.value.happened
    assert caught.value.fix.startswith("save it with 8 bits a channel")
    Path("raw/train/dog/broken.png").write_bytes(b"\x89PNG")
    with pytest.raises(DataError) as both:
        loaded(data)
    assert "put these files there again" in both.value.fix
    assert "8 bits a channel" in both.value.fix
