"""Rows of both sections of engines, held against the model's axes and their workloads. Only planning imports it."""

from collections.abc import Iterable, Mapping
from typing import Any

from temper.artifacts.signature import BATCH_AXIS, DYNAMIC_AXES, PACKED_AXES
from temper.engines.profile import Profiles, Shape
from temper.lengths.trimming import PAD_TO_MULTIPLE_OF
from temper.measurement.timed_inputs import has_real_lengths
from temper.study.refusal import params_error
from temper.study.schema import BucketedEngineRow, DynamicEngineRow, EngineRow, StaticEngineRow, Study


def _shapes(row: EngineRow) -> dict[str, Shape]:
    """The row's shapes, each with the key it stands under; those of a bucketed row are not known while planning."""
    if isinstance(row, DynamicEngineRow):
        return {key: getattr(row, key) for key in ("min_shape", "opt_shape", "max_shape")}
    if isinstance(row, StaticEngineRow):
        return {f"static_shapes[{at}]": shape for at, shape in enumerate(row.static_shapes)}
    return {}


def check_shapes(study: Study, place: str, row: EngineRow) -> None:
    """Check that a row's shapes are of the dynamic axes of what it is built from, and a dynamic profile's in order.

    Args:
        study: with the ONNX row that it names.
        place: the row's path in params.yaml.
        row: of one of the sections of engines.

    Raises:
        ConfigError: they are not.
    """
    shapes, packed = _shapes(row), study.row_tokens(row.onnx) is not None
    axes = PACKED_AXES if packed else DYNAMIC_AXES[study.model.task]
    if any(len(shape) != len(axes) for shape in shapes.values()):
        keys = "static_shapes" if isinstance(row, StaticEngineRow) else "min_shape, opt_shape and max_shape"
        raise params_error(
            f"{place} has shapes {[list(shape) for shape in shapes.values()]}, but the dynamic axes are {list(axes)}",
            f"give {len(axes)} number(s) in each of {keys}",
        )
    if isinstance(row, BucketedEngineRow) and packed:
        raise params_error(
            f"{place} starts from onnx/{row.onnx}, which is on packed rows: they have one length",
            "give the numbers of rows in static_shapes, under engines",
        )
    if packed and (study.packing(row.onnx) or {}).get("pad_to_multiple_of") is not None:
        raise params_error(
            f"{place} starts from onnx/{row.onnx}, whose packed rows differ in length from call to call, and an engine's are "
            "all row_tokens long",
            "build it from a pack_rows row without pad_to_multiple_of; OpenVINO and ONNX Runtime run the one with it",
        )
    if isinstance(row, DynamicEngineRow) and not all(
        low <= best <= high for low, best, high in zip(row.min_shape, row.opt_shape, row.max_shape, strict=True)
    ):
        raise params_error(
            f"{place}: min_shape {list(row.min_shape)}, opt_shape {list(row.opt_shape)} and max_shape "
            f"{list(row.max_shape)} are not in order",
            "let min ≤ opt ≤ max hold on every axis",
        )


def _profiles(study: Study, row: EngineRow) -> Profiles:
    """What the engine takes, as sizes of padded batches."""
    row_tokens = study.row_tokens(row.onnx)
    if isinstance(row, BucketedEngineRow):  # its last limit is data.max_tokens, and no row is longer
        return Profiles.static([(study.buckets[row.buckets].batch_size, study.data["max_tokens"])])
    if row_tokens is not None:  # any number of sentences up to its most: what needs more rows is run in parts
        return Profiles.static([(max(shape[0] for shape in _shapes(row).values()), row_tokens)])
    return Profiles.from_row(row.model_dump())


def _sizes(workload: Mapping[str, Any], axes: tuple[str, ...], longest: int) -> list[Shape]:
    """Sizes of a workload's batches; of real lengths the smallest and the largest."""
    if has_real_lengths(workload):
        return [(1, PAD_TO_MULTIPLE_OF), (int(workload[BATCH_AXIS]), longest)]
    return [tuple(int(workload[axis]) for axis in axes)]


def check_fit(study: Study, place: str, workloads: Iterable[str], engine_name: str) -> None:
    """Check that an engine takes workloads: as they are, or padded to one of its static shapes.

    Args:
        study: with the rows that are named; the engine's shapes were checked.
        place: of the row in params.yaml that runs them.
        workloads: names of rows of `workloads:`.
        engine_name: name of a row of engines.

    Raises:
        ConfigError: a call would be outside.
    """
    row, axes = study.engine_rows[engine_name], DYNAMIC_AXES[study.model.task]
    profiles = _profiles(study, row)
    for workload in workloads:
        for sizes in _sizes(study.workloads[workload], axes, study.data["max_tokens"]):
            if profiles.fitting(sizes) is None:
                of = f", of buckets.{row.buckets}" if isinstance(row, BucketedEngineRow) else ""
                raise params_error(
                    f"{place} runs workload {workload!r} {list(sizes)}, outside the shapes of "
                    f"{study.engine_section(engine_name)}.{engine_name} ({profiles}{of})",
                    "widen the engine's shapes or drop the workload",
                )
