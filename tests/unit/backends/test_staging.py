import numpy as np
import pytest

from temper.artifacts.signature import TensorSpec
from temper.backends.staging import ALIGNMENT, Layout, Padded
from tests.tiny_onnx import IMAGE, TEXT


def test_inputs_stand_one_after_the_other_and_the_logits_last():
    layout = Layout.of(TEXT.inputs, {"batch_size": 3, "sequence_length": 17}, (3, 2))
    assert layout.offsets == {"input_ids": 0, "attention_mask": 512, "logits": 1024}
    assert (layout.input_bytes, layout.logits_bytes, layout.total_bytes) == (512 + 3 * 17 * 8, 24, 1048)
    assert all(offset % ALIGNMENT == 0 for offset in layout.offsets.values())


def test_a_view_is_its_own_part_of_the_buffer():
    layout = Layout.of(IMAGE.inputs, {"batch_size": 2}, (2, 2))
    buffer = np.zeros(layout.total_bytes, np.uint8)
    layout.view(buffer, "pixel_values")[...] = 1
    layout.view(buffer, "logits")[...] = 2
    assert layout.view(buffer, "pixel_values").shape == (2, 2, 2, 2)
    assert layout.view(buffer, "pixel_values").sum() == 16
    assert layout.view(buffer, "logits").dtype == np.float32
    assert layout.view(buffer, "logits").sum() == 8


@pytest.mark.parametrize("smaller", [(1, 1), (3, 40), (8, 1), (7, 63)])
def test_a_smaller_shape_needs_no_more_room(smaller):
    sizes = [dict(zip(("batch_size", "sequence_length"), shape, strict=True)) for shape in (smaller, (8, 64))]
    small, large = (Layout.of(TEXT.inputs, each, (each["batch_size"], 2)) for each in sizes)
    assert small.total_bytes <= large.total_bytes


@pytest.mark.parametrize(("side", "columns"), [("right", [0, 1]), ("left", [2, 3])])
def test_the_corner_of_a_padded_input(side, columns):
    whole = np.zeros((3, 4), np.int64)
    corner = Padded.corner(TEXT.inputs[0], whole, (2, 2), side)
    corner.target[...] = 1
    assert np.argwhere(whole).tolist() == [[row, column] for row in (0, 1) for column in columns]


def test_an_image_is_padded_by_rows_alone():
    spec = TensorSpec(name="pixel_values", dtype="float32", axes=("batch_size", 2, 2, 2), pad_value=0)
    corner = Padded.corner(spec, np.zeros((4, 2, 2, 2), np.float32), (3, 2, 2, 2), "left")
    assert corner.target.shape == (3, 2, 2, 2)
    assert corner.target.ctypes.data == corner.whole.ctypes.data
