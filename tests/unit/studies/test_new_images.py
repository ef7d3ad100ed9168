"""Studies of a folder of images by label."""

import os
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from temper.studies.about import read_about
from temper.study.study import read_study
from tests.unit.studies.conftest import NONE, params, refused


def images(folder, names=("NEGATIVE", "POSITIVE")):
    for name in names:
        (folder / name).mkdir(parents=True)
        for number in range(10):
            pixels = np.full((8, 8, 3), 10 * number + len(name), np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number}.png")
    return folder


def test_images_for_a_model_of_texts_are_refused(new, checkout, checkpoint, tmp_path):
    error = refused(checkout, new, name="mine", model=checkpoint, data=images(tmp_path / "photos"))
    assert "photos is a folder, and a distilbert for text-classification takes a file of texts" in error.happened


@pytest.fixture
def resnet(tmp_path):
    from transformers import ResNetConfig, ResNetForImageClassification, ViTImageProcessorPil

    labels = {0: "POSITIVE", 1: "NEGATIVE"}
    config = ResNetConfig(
        embedding_size=8,
        hidden_sizes=[8, 16],
        depths=[1, 1],
        layer_type="basic",
        id2label=labels,
        label2id={name: number for number, name in labels.items()},
    )
    ResNetForImageClassification(config).save_pretrained(tmp_path / "resnet")
    ViTImageProcessorPil(size={"height": 16, "width": 16}).save_pretrained(tmp_path / "resnet")
    return tmp_path / "resnet"


def test_a_folder_of_images_becomes_a_study(new, checkout, resnet, tmp_path):
    made = new(name="mine", model=resnet, data=images(tmp_path / "photos"), gpu="yes")
    content = params(checkout)
    assert read_study(content).study == "mine"
    assert content["data"]["source"] == "image_folder"
    assert content["data"]["label_names"] == ["POSITIVE", "NEGATIVE"]  # the checkpoint's order
    assert content["workloads"] == {"b1": {"batch_size": 1}, "b8": {"batch_size": 8}}
    assert content["calibration_methods"]["nncf"]["model_type"] == "other"
    assert content["calibrated_precisions"]["int8"]["quantize_bias"] is True  # ONNX Runtime's INT8 convolutions want it
    assert list(content["engines"]) == ["fp16", "bf16"]  # TensorRT-RTX has no INT8 convolution
    assert "10 images, 0.5 of each label" in made.lines[2]
    assert read_about(checkout / "studies/mine/about.yaml").needs.gpu


@pytest.mark.parametrize("settings", [{"do_resize": False}, {"size": {"shortest_edge": 8}}])
def test_images_that_stay_of_several_sizes_are_refused_before_a_study_is_made(
    new, checkout, resnet, tmp_path, settings
):
    from transformers import CLIPImageProcessorPil

    CLIPImageProcessorPil(**settings, do_center_crop=False).save_pretrained(resnet)
    photos = images(tmp_path / "photos")
    Image.fromarray(np.zeros((8, 12, 3), np.uint8)).save(photos / "NEGATIVE/wide.png")
    error = refused(checkout, new, name="mine", model=resnet, data=photos)
    assert "its image processor gives images of 2 sizes (8 × 8 (" in error.happened
    assert "12 × 8 (1)" in error.happened
    (photos / "NEGATIVE/wide.png").unlink()
    new(name="mine", model=resnet, data=photos)


def test_texts_for_a_model_of_images_are_refused(new, checkout, resnet, data):
    error = refused(checkout, new, name="mine", model=resnet, data=data)
    assert "reviews.tsv is no folder" in error.happened


def test_images_of_other_labels_are_refused(new, checkout, resnet, tmp_path):
    photos = images(tmp_path / "photos", ("cat", "dog"))
    error = refused(checkout, new, name="mine", model=resnet, data=photos)
    assert "'POSITIVE', 'NEGATIVE', the data has 'cat', 'dog'" in error.happened


def test_a_folder_with_a_broken_image_is_refused(new, checkout, resnet, tmp_path):
    photos = images(tmp_path / "photos")
    (photos / "POSITIVE/3.png").write_bytes(b"\x89PNG")
    error = refused(checkout, new, name="mine", model=resnet, data=photos)
    assert "POSITIVE/3.png" in error.happened


@pytest.mark.parametrize(
    ("flags", "lists"),
    [({"test": "dev.tsv"}, NONE), ({"max_tokens": 8}, NONE), ({}, replace(NONE, text=["text"]))],
)
def test_a_flag_for_texts_is_refused_where_the_data_is_images(new, checkout, resnet, tmp_path, flags, lists):
    photos = images(tmp_path / "photos")
    error = refused(checkout, new, name="mine", model=resnet, data=photos, lists=lists, **flags)
    assert "it is for texts, and the data is a folder of images" in error.happened


def test_a_broken_image_is_named_as_the_user_has_it(new, checkout, resnet, tmp_path):
    photos = images(tmp_path / "photos")
    (photos / "POSITIVE/broken.png").write_text("no image")
    error = refused(checkout, new, name="mine", model=resnet, data=photos)
    assert error.asked == f"read the images below {photos}"
    assert f"{photos}/POSITIVE/broken.png" in error.happened
    assert error.affected == "nothing: no study was made"


@pytest.mark.parametrize("kind", ["a linked image", "a linked folder", "a folder of its parent", "a pipe"])
def test_images_that_lie_elsewhere_are_not_copied(new, checkout, resnet, tmp_path, kind):
    photos = images(tmp_path / "photos")
    others = images(tmp_path / "others")
    if kind == "a linked image":
        (photos / "POSITIVE/x.png").symlink_to(others / "POSITIVE/1.png")
    elif kind == "a pipe":
        os.mkfifo(photos / "POSITIVE/x.png")
    else:
        (photos / "POSITIVE/more").symlink_to(others / "POSITIVE" if kind == "a linked folder" else "..")
    error = refused(checkout, new, name="mine", model=resnet, data=photos)
    assert (
        "is no ordinary file" if kind == "a pipe" else "link" if "folder" in kind else "leads out"
    ) in error.happened
