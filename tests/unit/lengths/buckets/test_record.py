"""Limits as an engine reads them."""

import json

import pytest

from temper.artifacts.manifest import write_manifest
from temper.errors import ArtifactError
from temper.lengths.buckets.record import KIND, read_buckets, shapes_of


@pytest.fixture
def file(tmp_path):
    folder = tmp_path / "buckets"
    folder.mkdir()
    write_manifest(folder / "main.json", kind=KIND, facts={"row": {"batch_size": 256}, "limits": [16, 24, 128]})
    return folder / "main.json"


def test_a_row_of_buckets_is_built_for_each_limit(file):
    row = {"library": "tensorrt_rtx", "version": "installed", "onnx": "fp16", "buckets": "main"}
    assert shapes_of(row, file) == [[256, 16], [256, 24], [256, 128]]


def test_shapes_that_stand_in_the_row_need_no_file():
    assert shapes_of({"static_shapes": ((8, 16), (8, 32))}, None) == [[8, 16], [8, 32]]


def test_a_row_of_min_opt_and_max_has_none():
    assert shapes_of({"min_shape": [1, 8], "opt_shape": [4, 16], "max_shape": [8, 32]}, None) == []


def test_limits_edited_by_hand_are_refused(file):
    content = json.loads(file.read_text())
    file.write_text(json.dumps({**content, "limits": [8]}))
    with pytest.raises(ArtifactError, match="altered since"):
        read_buckets(file)
