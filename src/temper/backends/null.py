"""Answers at once with zeros: what remains in its latency is the harness's own cost."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from pydantic import BaseModel, ConfigDict

from temper.artifacts.signature import Tensors, read_signature
from temper.backends.runner import Logits, Runner
from temper.backends.trace import Execution

LIBRARY = None
ACCEPTS = ("checkpoint", "onnx", "engines")
PREDICTS = False  # its zeros are no predictions: accuracy is recorded as not measured


class Options(BaseModel):
    """No options."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class NullRunner(Runner):
    """Zeros of the right shape."""

    def __init__(self, artifact: str) -> None:
        self._signature_file = Path(artifact) / "signature.json"

    def __enter__(self) -> Self:
        signature = read_signature(self._signature_file)
        self._signature, self._first_input = signature, signature.inputs[0].name
        return self

    def __exit__(self, *exc_info: object) -> None:
        pass

    def infer(self, inputs: Tensors) -> Logits:
        shape = inputs[self._first_input].shape  # packed rows come with the place of each sentence first: no length
        return np.zeros(self._signature.logits_shape(shape[0], shape[1] if len(shape) > 1 else None), dtype=np.float32)

    def describe(self) -> dict[str, Any]:
        return {"library": "none", "device": "cpu"}


def open_runner(artifact: str, options: Mapping[str, Any], version: str) -> Runner:
    """A runner that computes nothing."""
    Options.model_validate(options)
    return NullRunner(artifact)


def trace(artifact: str, options: Mapping[str, Any], version: str, batches: Sequence[Tensors]) -> Execution | None:
    """None: there is nothing to execute."""
    Options.model_validate(options)
    return None
