import pytest

from temper.engines.profile import Profile, Profiles
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


def test_a_row_gives_one_dynamic_profile_or_one_for_each_static_shape_the_cheapest_first():
    assert Profiles.from_row(DYNAMIC.as_row()).profiles == (DYNAMIC,)
    static = Profiles.from_row({"static_shapes": [[12, 64], [1, 128], [12, 64], [64, 2]]})
    assert [profile.opt_shape for profile in static.profiles] == [(1, 128), (64, 2), (12, 64)]
    assert static.are_static
    assert not Profiles.dynamic(DYNAMIC).are_static


def test_the_order_in_a_row_does_not_matter():
    shapes = [[12, 64], [1, 128], [8, 16]]
    assert Profiles.static(shapes) == Profiles.static(reversed(shapes))


def test_a_manifest_gives_them_back_also_one_of_before():
    for profiles in (Profiles.dynamic(DYNAMIC), Profiles.static([[1, 8], [2, 8]])):
        assert Profiles.from_manifest({"profiles": profiles.as_rows()}) == profiles
    assert Profiles.from_manifest({"profile": DYNAMIC.as_row()}) == Profiles.dynamic(DYNAMIC)


@pytest.mark.parametrize(
    ("sizes", "number"),
    [
        ((1, 128), 2),
        ((1, 1), 0),
        ((2, 8), 1),
        ((4, 8), 1),
        ((2, 9), 3),
        ((12, 64), 3),
        ((2, 65), None),
        ((13, 1), None),
    ],
)
def test_a_call_fits_in_the_first_static_shape_that_it_can_be_padded_to(sizes, number):
    profiles = Profiles.static([[12, 64], [1, 32], [1, 128], [4, 8]])
    assert [profile.max_shape for profile in profiles.profiles] == [(1, 32), (4, 8), (1, 128), (12, 64)]
    assert profiles.fitting(sizes) == number


@pytest.mark.parametrize(("sizes", "number"), [((1, 16), 0), ((8, 64), 0), ((1, 15), None), ((9, 16), None)])
def test_a_dynamic_profile_takes_what_is_inside_and_pads_nothing(sizes, number):
    assert Profiles.dynamic(DYNAMIC).fitting(sizes) == number


def test_limits_of_static_shapes_are_those_of_all_of_them():
    profiles = Profiles.static([[12, 64], [1, 128]])
    assert profiles.limits(TEXT.dynamic_axes) == {"batch_size": (1, 12), "sequence_length": (1, 128)}
    assert Profiles.static([[8]]).limits(IMAGE.dynamic_axes) == {"batch_size": (1, 8)}
    with pytest.raises(ConfigError):
        profiles.limits(IMAGE.dynamic_axes)


@pytest.mark.parametrize("several", [(), (DYNAMIC, DYNAMIC), (Profile.static((1, 8)), DYNAMIC)])
def test_several_profiles_must_be_static(several):
    with pytest.raises(ConfigError, match="static_shapes"):
        Profiles(several)


def test_they_are_written_as_a_message_shows_them():
    assert str(Profiles.dynamic(DYNAMIC)) == "[1, 16] to [8, 64]"
    assert str(Profiles.static([[2, 8], [1, 8]])) == "static shapes [1, 8], [2, 8]"
