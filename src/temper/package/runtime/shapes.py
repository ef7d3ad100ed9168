"""The shapes an engine was built for, and how a call becomes one of them. NumPy alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .packing import ATTENTION_MASK, SEGMENT_IDS, Tensors
from .signature import BATCH_AXIS, SEQUENCE_AXIS, Signature

ROWS_AXIS = "rows"  # of packed tokens
Sizes = tuple[int, ...]


@dataclass(frozen=True)
class Profile:
    """Sizes of the engine's dynamic axes that one of its profiles takes: between `low` and `high`, or `high` alone."""

    low: Sizes
    high: Sizes

    @property
    def is_static(self) -> bool:
        """Whether it is of one shape: smaller calls are padded to it."""
        return self.low == self.high

    def runs_in(self, sizes: Sizes) -> Sizes | None:
        """The sizes that a call is computed in; None where it is too large.

        A call below a dynamic profile's least sizes is padded to them.
        """
        if any(size > most for size, most in zip(sizes, self.high, strict=True)):
            return None
        return self.high if self.is_static else tuple(max(pair) for pair in zip(sizes, self.low, strict=True))


class Shapes:
    """All profiles of one engine, cheapest first."""

    def __init__(self, signature: Signature, profiles: Sequence[Mapping[str, Sequence[int]]]) -> None:
        """Read what the manifest says.

        Args:
            signature: what the engine takes.
            profiles: min_shape and max_shape of each.
        """
        self._specs, self._side = signature.inputs, signature.padding_side
        found = (axis for spec in signature.inputs for axis in spec.axes if isinstance(axis, str))
        named = set(found)
        order = (BATCH_AXIS, ROWS_AXIS if signature.row_tokens is not None else SEQUENCE_AXIS)
        self.axes = tuple(axis for axis in order if axis in named)
        self._profiles = [Profile(tuple(each["min_shape"]), tuple(each["max_shape"])) for each in profiles]

    def sizes_of(self, inputs: Tensors) -> Sizes:
        """Sizes of the dynamic axes of a call."""
        sizes: dict[str | int, int] = {}
        for spec in self._specs:
            sizes.update(zip(spec.axes, inputs[spec.name].shape, strict=True))
        return tuple(sizes[axis] for axis in self.axes)

    def fitting(self, sizes: Sizes) -> tuple[int, Sizes] | None:
        """Number of the first profile that takes a call, and the sizes that it runs in; None where none does."""
        for number, profile in enumerate(self._profiles):
            runs = profile.runs_in(sizes)
            if runs is not None:
                return number, runs
        return None

    def static(self) -> list[tuple[int, Sizes]]:
        """Number and sizes of each profile that is of one shape."""
        return [(number, each.high) for number, each in enumerate(self._profiles) if each.is_static]

    def largest(self, number: int) -> Sizes:
        """The largest call of a profile."""
        return self._profiles[number].high

    def shape(self, name: str, sizes: Sizes) -> tuple[int, ...]:
        """Shape of an input in a call of these sizes."""
        by_axis = dict(zip(self.axes, sizes, strict=True))
        spec = next(spec for spec in self._specs if spec.name == name)
        return tuple(by_axis[axis] if isinstance(axis, str) else axis for axis in spec.axes)

    def corner(self, name: str, whole: npt.NDArray[Any], shape: tuple[int, ...]) -> npt.NDArray[Any]:
        """The part of an input's place that a call's array takes: rows at the top, tokens on the side without padding."""
        spec = next(spec for spec in self._specs if spec.name == name)
        part = tuple(
            slice(full - size, None) if self._side == "left" and axis == SEQUENCE_AXIS else slice(size)
            for axis, full, size in zip(spec.axes, whole.shape, shape, strict=True)
        )
        return whole[part]

    def cut(self, inputs: Tensors) -> list[Tensors] | None:
        """A call as calls that fit, by their rows: of padded rows as many as fit from the first on, each at its own length.

        None where a single row does not fit, and for packed rows, which are cut before they are packed.
        """
        count = len(next(iter(inputs.values())))
        if self.fitting(self.sizes_of(inputs)) is not None:
            return [inputs]
        if SEGMENT_IDS in inputs:
            return None
        for rows in range(count - 1, 0, -1):
            first = self._trimmed({name: array[:rows] for name, array in inputs.items()})
            if self.fitting(self.sizes_of(first)) is not None:
                rest = self.cut(self._trimmed({name: array[rows:] for name, array in inputs.items()}))
                return None if rest is None else [first, *rest]
        return None

    def _trimmed(self, inputs: Tensors) -> Tensors:
        if ATTENTION_MASK not in inputs:
            return inputs
        longest = max(1, int(np.add.reduce(inputs[ATTENTION_MASK], axis=1, dtype=np.int64).max()))
        kept = slice(-longest, None) if self._side == "left" else slice(longest)
        return {name: array[:, kept] for name, array in inputs.items()}
