import pytest

from temper.engines.profile import Profile
from temper.errors import ConfigError
from tests.tiny_onnx import IMAGE, TEXT

DYNAMIC = Profile((1, 16), (4, 32), (8, 64))


def test_shapes_of_a_text_input_are_batch_and_sequence():
    assert DYNAMIC.shapes(TEXT.inputs[0], TEXT.dynamic_axes) == ((1, 16), (4, 32), (8, 64))


def test_an_image_input_keeps_its_fixed_axes():
    assert Profile((1,), (4,), (8,)).shapes(IMAGE.inputs[0], IMAGE.dynamic_axes) == (
        (1, 2, 2, 2),
        (4, 2, 2, 2),
        (8, 2, 2, 2),
    )


def test_limits_name_the_axes():
    assert DYNAMIC.limits(TEXT.dynamic_axes) == {"batch_size": (1, 8), "sequence_length": (16, 64)}


def test_a_row_of_a_manifest_comes_back_as_the_same_profile():
    assert Profile.from_row(DYNAMIC.as_row()) == DYNAMIC


@pytest.mark.parametrize(
    ("low", "best", "high"),
    [
        ((2, 16), (1, 16), (4, 16)),
        ((1, 16), (8, 16), (4, 16)),
        ((0, 16), (1, 16), (1, 16)),
        ((1,), (1, 16), (1, 16)),
        ((), (), ()),
    ],
)
def test_a_profile_out_of_order_is_an_error(low, best, high):
    with pytest.raises(ConfigError) as caught:
        Profile(low, best, high)
    assert "params.yaml" in caught.value.fix


def test_a_text_profile_for_an_image_model_names_the_axes():
    with pytest.raises(ConfigError) as caught:
        DYNAMIC.limits(IMAGE.dynamic_axes)
    assert "batch_size" in caught.value.happened
    assert "(1, 16)" in caught.value.happened
