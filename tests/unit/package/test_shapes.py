"""Which of an engine's shapes a call runs in, and how one that fits none is cut."""

import numpy as np
import pytest

from temper.package.runtime.shapes import Shapes
from temper.package.runtime.signature import Signature, TensorSpec


def signature(*inputs, side="right", row_tokens=None):
    specs = tuple(TensorSpec(name, "int64", axes, 0) for name, axes in inputs)
    return Signature("text-classification", specs, ("no", "yes"), side, row_tokens)


PADDED = signature(*((name, ("batch_size", "sequence_length")) for name in ("input_ids", "attention_mask")))
PACKED = signature(
    ("first_tokens", ("batch_size",)), *((name, ("rows", 64)) for name in ("segment_ids", "input_ids")), row_tokens=64
)


def static(*shapes):
    return [{"min_shape": list(shape), "max_shape": list(shape)} for shape in shapes]


def call(*lengths, width=None):
    mask = np.zeros((len(lengths), width or max(lengths)), np.int64)
    for row, length in enumerate(lengths):
        mask[row, :length] = 1
    return {"input_ids": mask * 7, "attention_mask": mask}


def test_a_call_runs_in_the_first_static_shape_that_holds_it():
    shapes = Shapes(PADDED, static((1, 16), (8, 16), (8, 64)))
    assert shapes.fitting((1, 9)) == (0, (1, 16))
    assert shapes.fitting((2, 16)) == (1, (8, 16))
    assert shapes.fitting((1, 17)) == (2, (8, 64))
    assert shapes.fitting((9, 1)) is None


def test_the_shapes_that_can_be_warmed_up_are_those_of_one_shape():
    dynamic = {"min_shape": [2, 8], "max_shape": [32, 128]}
    assert Shapes(PADDED, [*static((1, 16), (8, 64)), dynamic]).static() == [(0, (1, 16)), (1, (8, 64))]


def test_a_server_warms_up_an_engines_own_shapes_and_another_model_has_none():
    from threading import Lock
    from types import SimpleNamespace

    from temper.package.runtime.model import Model

    ran = []
    for runner in (SimpleNamespace(warm=lambda: ran.append("engine")), SimpleNamespace()):
        model = object.__new__(Model)
        model._runner, model._lock = runner, Lock()
        model.warm_up_shapes()
    assert ran == ["engine"]


def test_a_call_below_a_dynamic_profiles_least_sizes_is_padded_to_them():
    shapes = Shapes(PADDED, [{"min_shape": [2, 8], "max_shape": [32, 128]}])
    assert shapes.fitting((1, 5)) == (0, (2, 8))
    assert shapes.fitting((3, 9)) == (0, (3, 9))
    assert shapes.fitting((3, 129)) is None


def test_rows_that_fit_no_shape_together_are_cut_where_they_do():
    shapes = Shapes(PADDED, static((1, 64), (4, 16)))
    cut = shapes.cut(call(9, 12, 40, 3, 4))
    assert [own["attention_mask"].shape for own in cut] == [(2, 12), (1, 40), (2, 4)]
    assert sum(int(own["attention_mask"].sum()) for own in cut) == 9 + 12 + 40 + 3 + 4
    assert shapes.cut(call(65)) is None


def test_packed_rows_are_cut_before_they_are_packed():
    shapes = Shapes(PACKED, static((1, 1), (16, 4)))
    assert shapes.axes == ("batch_size", "rows")
    rows = {"first_tokens": np.zeros(16, np.int64)}

    def packed(count):
        return rows | {name: np.zeros((count, 64), np.int64) for name in ("segment_ids", "input_ids")}

    assert shapes.fitting(shapes.sizes_of(packed(3))) == (1, (16, 4))
    assert shapes.cut(packed(5)) is None
    assert shapes.shape("input_ids", (16, 4)) == (4, 64)


@pytest.mark.parametrize(("side", "first"), [("right", 1), ("left", 0)])
def test_a_call_stands_on_the_side_that_is_not_padded(side, first):
    own = signature(("input_ids", ("batch_size", "sequence_length")), side=side)
    whole = np.zeros((2, 4), np.int64)
    Shapes(own, static((2, 4))).corner("input_ids", whole, (1, 2))[:] = 1
    assert whole.tolist() == [[first, first, 1 - first, 1 - first], [0, 0, 0, 0]]
