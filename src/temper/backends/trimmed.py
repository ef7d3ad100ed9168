"""A runner that is called without the columns that are padding in all rows of a batch; cutting them is part of every call."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np

from temper.artifacts.signature import SEQUENCE_AXIS, Signature, Tensors
from temper.backends.runner import Logits, Runner
from temper.errors import BackendError
from temper.lengths.packing import ATTENTION_MASK
from temper.lengths.trimming import PAD_TO_MULTIPLE_OF, trimmed


class TrimmedRunner(Runner):
    """Answers as the runner behind it does: what is left out is masked there."""

    def __init__(self, runner: Runner, signature: Signature, *, asked: str) -> None:
        """Nothing is opened yet.

        Args:
            runner: not yet entered.
            signature: of what it loads.
            asked: in words, for errors.

        Raises:
            BackendError: nothing says what padding is.
        """
        names = [spec.name for spec in signature.inputs]
        if ATTENTION_MASK not in names:
            raise BackendError(
                asked=f"{asked} with trim_padding: true",
                happened=f"its inputs {names} hold no {ATTENTION_MASK}, which says what padding is",
                affected="this record only",
                fix="give the candidate a backend row with trim_padding: false: images and packed rows have nothing to trim",
            )
        self._runner, self._side = runner, signature.padding_side
        self._multiple, self._least = 1, 1

    def __enter__(self) -> Self:
        self._runner.__enter__()
        self._least = self._runner.limits().get(SEQUENCE_AXIS, (1, 0))[0]
        self._multiple = PAD_TO_MULTIPLE_OF if self._runner.compiles_shapes else 1
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._runner.__exit__(*exc_info)

    def _kept(self, inputs: Tensors) -> Tensors:
        kept = trimmed(inputs, self._side, multiple_of=self._multiple, at_least=self._least)
        return {name: np.ascontiguousarray(array) for name, array in kept.items()}

    def infer(self, inputs: Tensors) -> Logits:
        return self._runner.infer(self._kept(inputs))

    def describe(self) -> dict[str, Any]:
        return {**self._runner.describe(), "trim_padding": True}

    def limits(self) -> Mapping[str, tuple[int, int]]:
        return self._runner.limits()

    def fits(self, sizes: Mapping[str, int]) -> bool:
        return self._runner.fits(sizes)

    def computed_sizes(self, sizes: Sequence[int]) -> tuple[int, ...]:
        return self._runner.computed_sizes(sizes)

    def shape_of(self, inputs: Tensors, given: tuple[int, ...]) -> tuple[int, ...]:
        """Sizes of the dynamic axes in the call that runs; tokens come last in `given`."""
        kept = self._kept(inputs)
        return self._runner.shape_of(kept, (*given[:-1], kept[ATTENTION_MASK].shape[1]))

    def computed_tokens(self, inputs: Tensors, given: tuple[int, ...]) -> int:
        return self._runner.computed_tokens(self._kept(inputs), self.shape_of(inputs, given))

    def device_time_ms(self, inputs: Tensors) -> float | None:
        return self._runner.device_time_ms(self._kept(inputs))

    @property
    def warmup_calls_per_shape(self) -> int:
        return self._runner.warmup_calls_per_shape

    @property
    def compiles_shapes(self) -> bool:
        return self._runner.compiles_shapes


def without_padding(batches: Sequence[Tensors], signature: Signature) -> list[Tensors]:
    """The batches as a runner that compiles no shapes is called with them."""
    return [
        {name: np.ascontiguousarray(array) for name, array in trimmed(batch, signature.padding_side).items()}
        for batch in batches
    ]
