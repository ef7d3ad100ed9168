"""Rows of `engines:` held against the model's axes and the workloads that they are to run. Only planning imports it."""

from collections.abc import Iterable, Sequence

from temper.engines.profile import Profiles, Shape
from temper.params_file import params_error
from temper.schema import DynamicEngineRow, EngineRow, StaticEngineRow


def _shapes(row: EngineRow) -> dict[str, Shape]:
    """The row's shapes, each with the key it stands under."""
    if isinstance(row, DynamicEngineRow):
        return {key: getattr(row, key) for key in ("min_shape", "opt_shape", "max_shape")}
    if isinstance(row, StaticEngineRow):
        return {f"static_shapes[{at}]": shape for at, shape in enumerate(row.static_shapes)}
    return {}


def check_shapes(place: str, row: EngineRow, axes: Sequence[str]) -> None:
    """Check that a row's shapes are of the model's dynamic axes, and a dynamic profile's in order.

    Args:
        place: the row's path in params.yaml.
        row: of `engines:`.
        axes: the model's dynamic axes, in order.

    Raises:
        ConfigError: they are not.
    """
    shapes = _shapes(row)
    if any(len(shape) != len(axes) for shape in shapes.values()):
        keys = "static_shapes" if isinstance(row, StaticEngineRow) else "min_shape, opt_shape and max_shape"
        raise params_error(
            f"{place} has shapes {[list(shape) for shape in shapes.values()]}, but the dynamic axes are {list(axes)}",
            f"give {len(axes)} number(s) in each of {keys}",
        )
    if isinstance(row, DynamicEngineRow) and not all(
        low <= best <= high for low, best, high in zip(row.min_shape, row.opt_shape, row.max_shape, strict=True)
    ):
        raise params_error(
            f"{place}: min_shape {list(row.min_shape)}, opt_shape {list(row.opt_shape)} and max_shape "
            f"{list(row.max_shape)} are not in order",
            "let min ≤ opt ≤ max hold on every axis",
        )


def check_fit(place: str, workload: str, shapes: Iterable[Shape], row: EngineRow, name: str) -> None:
    """Check that an engine takes a workload: as it is, or padded to one of its static shapes.

    Args:
        place: path of the row that runs the workload.
        workload: its name.
        shapes: sizes of the dynamic axes of its calls.
        row: the engine's row, whose shapes were checked.
        name: the engine's.

    Raises:
        ConfigError: a call would be outside.
    """
    profiles = Profiles.from_row(row.model_dump())
    for shape in shapes:
        if profiles.fitting(shape) is None:
            raise params_error(
                f"{place} runs workload {workload!r} {list(shape)}, outside the shapes of engines.{name} ({profiles})",
                "widen the engine's shapes or drop the workload",
            )
