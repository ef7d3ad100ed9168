import pytest
from pydantic import TypeAdapter

from temper import schema
from temper.engines.rows import check_fit, check_shapes
from temper.errors import ConfigError

AXES = ("batch_size", "sequence_length")
COMMON = {"library": "tensorrt_rtx", "version": "installed", "onnx": "fp32"}


def row(**shapes):
    return TypeAdapter(schema.Engine).validate_python({**COMMON, **shapes})


def refusal(check, *arguments):
    with pytest.raises(ConfigError) as caught:
        check(*arguments)
    return caught.value


def test_shapes_that_fit_the_axes_are_taken():
    check_shapes("engines.a", row(static_shapes=((1, 8), (12, 64))), AXES)
    check_shapes("engines.a", row(min_shape=(1, 8), opt_shape=(1, 8), max_shape=(2, 8)), AXES)


def test_a_static_shape_with_another_number_of_axes_is_refused():
    error = refusal(check_shapes, "engines.a", row(static_shapes=((1, 8), (12,))), AXES)
    assert error.happened.endswith(
        "has shapes [[1, 8], [12]], but the dynamic axes are ['batch_size', 'sequence_length']"
    )
    assert error.fix == "give 2 number(s) in each of static_shapes"


@pytest.mark.parametrize("shape", [(1, 128), (1, 5), (12, 64), (7, 64)])
def test_a_workload_that_some_static_shape_holds_fits(shape):
    check_fit("candidates.a", "b", [shape], row(static_shapes=((1, 128), (12, 64))), "int8")


@pytest.mark.parametrize("shape", [(2, 65), (13, 1), (1, 129)])
def test_a_workload_that_no_static_shape_holds_is_refused(shape):
    error = refusal(check_fit, "candidates.a", "b", [(1, 8), shape], row(static_shapes=((1, 128), (12, 64))), "int8")
    assert error.happened == (
        f"candidates.a runs workload 'b' {list(shape)}, outside the shapes of engines.int8 "
        "(static shapes [1, 128], [12, 64])"
    )
