"""Several loadings of one artifact that are called at once, each by a thread of its own: what a full processor does."""

import contextlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self

from temper.artifacts.signature import Tensors
from temper.backends.runner import Logits, Runner
from temper.measurement.task import open_side


class Saturated(Runner):
    """A call is a batch for each caller; it ends when the last of them has its answer.

    Each loading is opened, called and closed in its own thread: libraries keep pools of threads for each thread that calls them.
    """

    def __init__(self, side: Mapping[str, Any], callers: int) -> None:
        self._side, self._callers = side, callers

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as opened:
            self._threads = [opened.enter_context(ThreadPoolExecutor(1)) for _ in range(self._callers)]
            self._runners: list[Runner] = []
            for thread in self._threads:
                runner = open_side(self._side)
                thread.submit(runner.__enter__).result()
                opened.callback(_closed_in, thread, runner)
                self._runners.append(runner)
            self._opened = opened.pop_all()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._opened.close()

    def infer(self, inputs: Tensors) -> Logits:
        asked = [
            thread.submit(runner.infer, inputs) for thread, runner in zip(self._threads, self._runners, strict=True)
        ]
        answers = [each.result() for each in asked]  # of all callers
        return answers[0]

    def describe(self) -> dict[str, Any]:
        return {**self._runners[0].describe(), "callers": self._callers}

    def limits(self) -> Mapping[str, tuple[int, int]]:
        return self._runners[0].limits()

    def fits(self, sizes: Mapping[str, int]) -> bool:
        return self._runners[0].fits(sizes)

    def computed_sizes(self, sizes: Sequence[int]) -> tuple[int, ...]:
        return self._runners[0].computed_sizes(sizes)

    def shape_of(self, inputs: Tensors, given: tuple[int, ...]) -> tuple[int, ...]:
        return self._runners[0].shape_of(inputs, given)

    @property
    def warmup_calls_per_shape(self) -> int:
        return self._runners[0].warmup_calls_per_shape

    @property
    def compiles_shapes(self) -> bool:
        return self._runners[0].compiles_shapes


def _closed_in(thread: ThreadPoolExecutor, runner: Runner) -> None:
    thread.submit(runner.__exit__, None, None, None).result()


def opened(side: Mapping[str, Any]) -> Runner:
    """A runner of a side, not yet loaded; of several callers where it says so."""
    callers = int(side.get("callers", 1))
    return open_side(side) if callers == 1 else Saturated(side, callers)
