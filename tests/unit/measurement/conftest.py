from collections.abc import Callable, Mapping
from typing import Any, Self

import numpy as np
import pytest

from temper.artifacts.signature import Tensors
from temper.backends.runner import Runner


class FakeRunner(Runner):
    """Answers each row with its first token, so that rows can be told apart, and keeps what it was asked."""

    warmup_calls_per_shape, compiles_shapes = 1, False  # which a test may set

    def __init__(self, limits: Mapping[str, tuple[int, int]], on_call: Callable[[], None]) -> None:
        self.calls: list[Tensors] = []
        self._limits, self._on_call = limits, on_call

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        pass

    def infer(self, inputs: Tensors) -> np.ndarray:
        self.calls.append(inputs)
        self._on_call()
        first = inputs["input_ids"][:, 0].astype(np.float32)
        return np.stack([first, -first], axis=1)

    def describe(self) -> dict[str, Any]:
        return {"library": "fake"}

    def limits(self) -> Mapping[str, tuple[int, int]]:
        return self._limits


@pytest.fixture
def fake_runner() -> Callable[..., FakeRunner]:
    """Makes a runner with limits, and something that happens during each call."""
    return lambda limits=None, on_call=lambda: None: FakeRunner(limits or {}, on_call)
