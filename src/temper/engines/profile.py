"""The optimization profile of an engine: the sizes of the dynamic axes that it accepts and the one it is tuned for."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from temper.errors import ConfigError
from temper.signature import TensorSpec

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Profile:
    """Sizes of the signature's dynamic axes in its order: (batch, sequence) for text, (batch,) for images.

    Raises:
        ConfigError: the three have different lengths, hold a size below 1, or are not min ≤ opt ≤ max on every axis.
    """

    min_shape: Shape
    opt_shape: Shape
    max_shape: Shape

    def __post_init__(self) -> None:
        ordered = len(self.min_shape) == len(self.opt_shape) == len(self.max_shape) and all(
            1 <= low <= best <= high
            for low, best, high in zip(self.min_shape, self.opt_shape, self.max_shape, strict=True)
        )
        if not ordered or not self.min_shape:
            raise self._error(f"min {self.min_shape}, opt {self.opt_shape}, max {self.max_shape}")

    @staticmethod
    def _error(happened: str) -> ConfigError:
        return ConfigError(
            asked="an engine with 1 ≤ min_shape ≤ opt_shape ≤ max_shape on each dynamic axis",
            happened=happened,
            spoiled="this engine only; nothing was built",
            fix="correct min_shape, opt_shape and max_shape of the row under engines: in params.yaml",
        )

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """A profile from the keys min_shape, opt_shape and max_shape of a row of params.yaml or a manifest."""
        return cls(tuple(row["min_shape"]), tuple(row["opt_shape"]), tuple(row["max_shape"]))

    def as_row(self) -> dict[str, list[int]]:
        """The profile for a manifest; `from_row` reads it."""
        return {key: list(sizes) for key, sizes in asdict(self).items()}

    def limits(self, axes: tuple[str, ...]) -> dict[str, tuple[int, int]]:
        """Smallest and largest size by axis name.

        Args:
            axes: the signature's dynamic axes, in order.

        Raises:
            ConfigError: the profile has another number of axes.
        """
        self._require(axes)
        return {axis: (self.min_shape[at], self.max_shape[at]) for at, axis in enumerate(axes)}

    def shapes(self, tensor_spec: TensorSpec, axes: tuple[str, ...]) -> tuple[Shape, Shape, Shape]:
        """Concrete min, opt and max shape of one input.

        Args:
            tensor_spec: the input.
            axes: the signature's dynamic axes, in order.

        Raises:
            ConfigError: the profile has another number of axes.
        """
        self._require(axes)
        low, best, high = (
            tensor_spec.shape(dict(zip(axes, sizes, strict=True)))
            for sizes in (self.min_shape, self.opt_shape, self.max_shape)
        )
        return low, best, high

    def _require(self, axes: tuple[str, ...]) -> None:
        if len(axes) != len(self.min_shape):
            raise self._error(f"min_shape {self.min_shape} for a model with the dynamic axes {', '.join(axes)}")
