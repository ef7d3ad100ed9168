"""Rows of both sections of engines, held against the workloads that run on them."""

import pytest

from temper.study.schema import BucketedEngineRow, StaticEngineRow
from temper.study.study import ENGINE_SECTIONS, read_study
from tests.unit.study.sections.test_buckets import ROW as BUCKETS
from tests.unit.study.test_study import PARAMS, altered, refusal

COMMON = {key: PARAMS["engines"]["fp16"][key] for key in ("library", "version", "onnx")}
BUCKETED = {**COMMON, "buckets": "main"}
LOADED = {"backend": "rtx", "loads": "engines/short", "workloads": ["b1-s32", "b8-s32"]}
REAL = {"batch_size": 8, "real_lengths": "bucketed"}


def static(*changes, shapes=None, workloads=None):
    row = {**COMMON, "static_shapes": [[8, 32], [1, 64]] if shapes is None else shapes}
    candidate = LOADED if workloads is None else {**LOADED, "workloads": workloads}
    return (("engines/short", row), ("candidates/short", candidate), *changes)


def bucketed(*changes, workloads=("b1-s32", "b8-s32"), **row):
    named = [("workloads/real", REAL)] if "real" in workloads else []
    if named:  # the baseline runs what any candidate does
        named.append(("candidates/torch-fp32/workloads", ["b1-s32", "b8-s32", "real"]))
    return (
        ("buckets/main", {**BUCKETS, "batch_size": 8, **row}),
        ("bucketed_engines/short", dict(BUCKETED)),
        ("candidates/short", {**LOADED, "workloads": list(workloads)}),
        *named,
        *changes,
    )


def test_a_row_with_static_shapes_is_one_of_them():
    row = read_study(altered(*static())).engines["short"]
    assert isinstance(row, StaticEngineRow)
    assert row.static_shapes == ((8, 32), (1, 64))


def test_a_row_with_buckets_is_an_engine_like_any_other():
    study = read_study(altered(*bucketed(workloads=["b1-s32", "b8-s32", "real"])))
    assert isinstance(study.engine_rows["short"], BucketedEngineRow)
    assert study.jobs["choose_buckets"] == ("main",)
    assert study.jobs["build_engine"] == ("fp32", "fp16", "int8", "short")


@pytest.mark.parametrize(
    ("changes", "happened"),
    [
        (
            static(shapes=[[4, 64], [8, 31]]),
            "candidates.short runs workload 'b8-s32' [8, 32], outside the shapes of engines.short "
            "(static shapes [8, 31], [4, 64])",
        ),
        (
            static(("workloads/real", REAL), ("candidates/torch-fp32/workloads", ["b1-s32", "b8-s32", "real"]),
                   workloads=["real"]),
            "candidates.short runs workload 'real' [8, 64], outside the shapes of engines.short "
            "(static shapes [1, 64], [8, 32])",
        ),
        (
            bucketed(batch_size=7),
            "candidates.short runs workload 'b8-s32' [8, 32], outside the shapes of bucketed_engines.short "
            "(static shapes [7, 64], of buckets.main)",
        ),
        (
            bucketed(batch_size=7, workloads=["real"]),
            "candidates.short runs workload 'real' [8, 64], outside the shapes of bucketed_engines.short",
        ),
        (static(shapes=[[8]]), "engines.short has shapes [[8]], but the dynamic axes are ['batch_size', "),
        (static(shapes=[]), "engines.short.static_shapes Tuple should have at least 1 item"),
        (static(shapes=[[8, 32], [8, 32]]), "engines.short.static_shapes (8, 32) stands twice"),
        (static(("engines/short/min_shape", [1, 8])), "engines.short.min_shape is an unknown key"),
        (static(("engines/short/static_shapes/0", [0, 8])), "engines.short.static_shapes.0.0 has to be greater"),
        ([("engines/short", 3)], "engines.short has to be keys with values (found '3')"),
        (
            bucketed(("bucketed_engines/short", {**BUCKETED, "buckets": "other"})),
            "bucketed_engines.short.buckets names 'other', but there is no such row in buckets (there are: main)",
        ),
        (
            [("buckets/main", BUCKETS), ("bucketed_engines/fp16", BUCKETED)],
            "'fp16' is a row of engines and bucketed_engines; both would be artifacts/engines/fp16/",
        ),
        (
            bucketed(("bucketed_engines/short/version", "1.5.0.114")),
            "candidates.short runs bucketed_engines.short, built with tensorrt_rtx 1.5.0.114, on the backend rtx",
        ),
        (bucketed(split="test"), "buckets.main.split what serves the test rows may not be chosen by them"),
        (bucketed(cost={"hidden": 3}), "buckets.main.cost "),
        (bucketed(multiple_of=65), "buckets.main.multiple_of is 65, more than data.max_tokens (64)"),
    ],
    ids=lambda value: value[:60] if isinstance(value, str) else "",
)  # fmt: skip
def test_a_row_that_cannot_be_is_refused(changes, happened):
    assert refusal(*changes).happened.startswith(happened)


def test_a_static_shape_takes_what_is_smaller_on_every_axis():
    read_study(altered(*static(("workloads/b1-s32", {"batch_size": 1, "sequence_length": 64}))))


def test_an_engine_that_is_not_there_names_both_sections():
    error = refusal(("candidates/rtx-fp32/loads", "engines/nowhere"))
    assert f"there is no such row in {ENGINE_SECTIONS} " in error.happened


PACKED = {"step": "pack_rows", "onnx": "fp32", "row_tokens": 64}


def packed(*changes, shapes, workloads=("b1-s32", "b8-s32")):
    return (
        ("precisions/packed", dict(PACKED)),
        ("engines/short", {**COMMON, "onnx": "packed", "static_shapes": shapes}),
        ("candidates/short", {**LOADED, "workloads": list(workloads)}),
        *changes,
    )


def test_an_engine_on_packed_rows_takes_any_batch_up_to_its_most_sentences():
    read_study(altered(*packed(shapes=[[8, 1], [8, 4]])))
    error = refusal(*packed(shapes=[[4, 8]]))
    assert "candidates.short runs workload 'b8-s32' [8, 32], outside the shapes of engines.short" in error.happened


@pytest.mark.parametrize(
    ("changes", "happened"),
    [
        (packed(shapes=[[8]]), "engines.short has shapes [[8]], but the dynamic axes are ['batch_size', 'rows']"),
        (
            packed(("precisions/packed/pad_to_multiple_of", 8), shapes=[[8, 4]]),
            "engines.short starts from onnx/packed, whose packed rows differ in length from call to call",
        ),
        (
            packed(("precisions/packed/row_tokens", 63), shapes=[[8, 4]]),
            "precisions.packed.row_tokens is 63, below data.max_tokens (64): a sentence would not fit",
        ),
        (
            [
                ("precisions/packed", dict(PACKED)),
                ("calibrations/other", {**PARAMS["calibrations"]["main"], "onnx": "packed"}),
            ],
            "calibrations.other.onnx is 'packed', which takes packed rows",
        ),
        (
            [
                ("precisions/packed", dict(PACKED)),
                ("buckets/main", BUCKETS),
                ("bucketed_engines/short", {**BUCKETED, "onnx": "packed"}),
            ],
            "bucketed_engines.short starts from onnx/packed, which is on packed rows",
        ),
    ],
)
def test_packed_rows_are_refused_where_they_cannot_be(changes, happened):
    assert refusal(*changes).happened.startswith(happened)
