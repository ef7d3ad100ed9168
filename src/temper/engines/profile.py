"""Optimization profiles of an engine: the sizes of the dynamic axes that it accepts and those it is tuned for."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from temper.artifacts.signature import TensorSpec
from temper.errors import ConfigError

Shape = tuple[int, ...]
SPOILED = "this engine only; nothing was built"


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
            affected=SPOILED,
            fix="correct the shapes of the row under engines: in params.yaml",
        )

    @classmethod
    def static(cls, shape: Iterable[int]) -> Self:
        """The profile of one shape and no other."""
        sizes = tuple(shape)
        return cls(sizes, sizes, sizes)

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """A profile from the keys min_shape, opt_shape and max_shape of a row of params.yaml or a manifest."""
        return cls(tuple(row["min_shape"]), tuple(row["opt_shape"]), tuple(row["max_shape"]))

    def as_row(self) -> dict[str, list[int]]:
        """The profile for a manifest; `from_row` reads it."""
        return {key: list(sizes) for key, sizes in asdict(self).items()}

    @property
    def is_static(self) -> bool:
        """Whether it is of one shape."""
        return self.min_shape == self.max_shape

    def holds(self, sizes: Shape) -> bool:
        """Whether a call of these sizes runs in this profile as it is, without padding."""
        return all(low <= size <= high for low, size, high in zip(self.min_shape, sizes, self.max_shape, strict=True))

    def limits(self, axes: tuple[str, ...]) -> dict[str, tuple[int, int]]:
        """Smallest and largest size by axis name.

        Args:
            axes: the signature's dynamic axes, in order.

        Raises:
            ConfigError: the profile has another number of axes.
        """
        self.require(axes)
        return {axis: (self.min_shape[at], self.max_shape[at]) for at, axis in enumerate(axes)}

    def shapes(self, tensor_spec: TensorSpec, axes: tuple[str, ...]) -> tuple[Shape, Shape, Shape]:
        """Concrete min, opt and max shape of one input.

        Args:
            tensor_spec: the input.
            axes: the signature's dynamic axes, in order.

        Raises:
            ConfigError: the profile has another number of axes.
        """
        self.require(axes)
        low, best, high = (
            tensor_spec.shape(dict(zip(axes, sizes, strict=True)))
            for sizes in (self.min_shape, self.opt_shape, self.max_shape)
        )
        return low, best, high

    def require(self, axes: tuple[str, ...]) -> None:
        """Raise ConfigError where the profile has another number of axes than a signature."""
        if len(axes) != len(self.min_shape):
            raise self._error(f"min_shape {self.min_shape} for a model with the dynamic axes {', '.join(axes)}")


@dataclass(frozen=True)
class Profiles:
    """All optimization profiles of one engine, in the engine's order: one dynamic, or one for each static shape.

    Raises:
        ConfigError: there is none, or one of several is not static.
    """

    profiles: tuple[Profile, ...]

    def __post_init__(self) -> None:
        if not self.profiles or (len(self.profiles) > 1 and not all(each.is_static for each in self.profiles)):
            raise ConfigError(
                asked="an engine with one dynamic profile, or with static shapes",
                happened=f"{len(self.profiles)} profiles: {[each.as_row() for each in self.profiles]}",
                affected=SPOILED,
                fix="give min_shape, opt_shape and max_shape, or static_shapes, in the row under engines:",
            )

    @classmethod
    def dynamic(cls, profile: Profile) -> Self:
        """One profile for all calls."""
        return cls((profile,))

    @classmethod
    def static(cls, shapes: Iterable[Sequence[int]]) -> Self:
        """One profile for each shape, fewest elements first, so that the first that holds a call is the cheapest."""
        distinct = {tuple(shape) for shape in shapes}
        return cls(tuple(Profile.static(shape) for shape in sorted(distinct, key=lambda at: (math.prod(at), at))))

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """Profiles of a row of params.yaml: `static_shapes`, or min_shape, opt_shape and max_shape.

        Raises:
            ConfigError: a shape is none.
        """
        if "static_shapes" in row:
            return cls.static(row["static_shapes"])
        return cls.dynamic(Profile.from_row(row))

    @classmethod
    def from_manifest(cls, manifest: Mapping[str, Any]) -> Self:
        """Profiles as engine.json lists them; the manifests of before had one, under `profile`."""
        rows = manifest["profiles"] if "profiles" in manifest else [manifest["profile"]]
        return cls(tuple(Profile.from_row(row) for row in rows))

    def as_rows(self) -> list[dict[str, list[int]]]:
        """The profiles for a manifest; `from_manifest` reads them."""
        return [profile.as_row() for profile in self.profiles]

    @property
    def are_static(self) -> bool:
        """Whether each is of one shape: smaller calls are then padded."""
        return all(profile.is_static for profile in self.profiles)

    def fitting(self, sizes: Sequence[int]) -> int | None:
        """Number of the profile that a call runs in: of static ones the first that the call can be padded to.

        Args:
            sizes: of the dynamic axes, in their order.

        Returns:
            None where no profile takes such a call.
        """
        asked = tuple(sizes)
        for number, profile in enumerate(self.profiles):
            padded = profile.is_static and all(
                1 <= size <= most for size, most in zip(asked, profile.max_shape, strict=True)
            )
            if padded or profile.holds(asked):
                return number
        return None

    def limits(self, axes: tuple[str, ...]) -> dict[str, tuple[int, int]]:
        """Smallest and largest size by axis name, over all profiles; not every pair of sizes need fit one of them.

        Args:
            axes: the signature's dynamic axes, in order.

        Raises:
            ConfigError: a profile has another number of axes.
        """
        for profile in self.profiles:
            profile.require(axes)
        if not self.are_static:
            return self.profiles[0].limits(axes)
        return {axis: (1, max(each.max_shape[at] for each in self.profiles)) for at, axis in enumerate(axes)}

    def __str__(self) -> str:
        """The accepted sizes, for messages: '[1, 8] to [32, 64]' or 'static shapes [1, 128], [12, 64]'."""
        if self.are_static:
            return "static shapes " + ", ".join(str(list(each.max_shape)) for each in self.profiles)
        return f"{list(self.profiles[0].min_shape)} to {list(self.profiles[0].max_shape)}"
