"""An artifact opened on a backend so that it answers padded batches, whatever it takes itself."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from temper.artifacts.signature import BATCH_AXIS, ROWS_AXIS, SEQUENCE_AXIS, Signature, Tensors, read_signature
from temper.backends.runner import Logits, Runner
from temper.backends.trace import Execution
from temper.backends.trimmed import TrimmedRunner, without_padding
from temper.environment import plugins
from temper.lengths.packing import FIRST_TOKENS, SEGMENT_IDS, Packer, pack


class PackedRunner(Runner):
    """A runner of a model on packed rows, called with padded batches; packing is part of every call."""

    def __init__(self, runner: Runner, signature: Signature) -> None:
        assert signature.row_tokens is not None
        self._runner, self._row_tokens = runner, signature.row_tokens
        self._dtypes, self._multiple_of = _dtypes(signature), signature.row_tokens_multiple_of

    def __enter__(self) -> Self:
        self._pack = Packer(self._row_tokens, self._dtypes, self._multiple_of)
        self._runner.__enter__()
        self._most_rows = self._runner.limits().get(ROWS_AXIS, (1, 2**31))[1]
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._runner.__exit__(*exc_info)

    def infer(self, inputs: Tensors) -> Logits:
        calls = self._calls(inputs)
        if len(calls) == 1:
            return self._runner.infer(calls[0])
        return np.concatenate([self._runner.infer(call) for call in calls])

    def describe(self) -> dict[str, Any]:
        rows: dict[str, Any] = {"packed_row_tokens": self._row_tokens, "packed_by": self._pack.by}
        if self._multiple_of is not None:
            rows["packed_row_tokens_multiple_of"] = self._multiple_of
        return {**self._runner.describe(), **rows}

    def limits(self) -> Mapping[str, tuple[int, int]]:
        own = self._runner.limits()
        batch = {BATCH_AXIS: (1, own[BATCH_AXIS][1])} if BATCH_AXIS in own else {}
        return {**batch, SEQUENCE_AXIS: (1, self._row_tokens)}

    def shape_of(self, inputs: Tensors, given: tuple[int, ...] = ()) -> tuple[int, ...]:
        """What tells batches apart that are computed in other shapes: sentences, and of each call its rows.

        And their tokens, where they differ from call to call.
        """
        calls = self._calls(inputs)
        sizes = map(_rows, calls) if self._multiple_of is None else (size for call in calls for size in _sizes(call))
        return len(next(iter(inputs.values()))), *sizes

    def computed_tokens(self, inputs: Tensors, given: tuple[int, ...] = ()) -> int:
        """Tokens that are computed for this batch, padding of its rows and of the engine's shape included."""
        calls = self._calls(inputs)
        rows = (self._runner.computed_sizes((len(call[FIRST_TOKENS]), _rows(call)))[1] for call in calls)
        return sum(each * _sizes(call)[1] for each, call in zip(rows, calls, strict=True))

    def device_time_ms(self, inputs: Tensors) -> float | None:
        times_ms = [self._runner.device_time_ms(call) for call in self._calls(inputs)]
        timed = [each for each in times_ms if each is not None]
        return sum(timed) if timed else None

    @property
    def warmup_calls_per_shape(self) -> int:
        return self._runner.warmup_calls_per_shape

    @property
    def compiles_shapes(self) -> bool:
        return self._runner.compiles_shapes

    def _calls(self, inputs: Tensors) -> list[Tensors]:
        """The batch on packed rows; in halves where the runner takes fewer rows than it needs."""
        packed = self._pack(inputs)
        count = len(next(iter(inputs.values())))
        if count == 1 or _rows(packed) <= self._most_rows:
            return [packed]
        parts = slice(0, count // 2), slice(count // 2, None)
        return [call for part in parts for call in self._calls({name: array[part] for name, array in inputs.items()})]


def _rows(packed: Tensors) -> int:
    return len(packed[SEGMENT_IDS])


def _sizes(packed: Tensors) -> tuple[int, int]:
    rows, row_tokens = packed[SEGMENT_IDS].shape
    return rows, row_tokens


def _dtypes(signature: Signature) -> dict[str, str]:
    return {spec.name: spec.dtype for spec in signature.inputs}


_TRIM_THEMSELVES = ("tensorrt_rtx", "tensorrt")  # they choose a static shape by what is left


def _signature(artifact: str) -> Signature | None:
    """The signature of an artifact; None where it has none."""
    file = Path(artifact) / "signature.json"
    return read_signature(file) if file.is_file() else None


def _trims(runner: str, options: Mapping[str, Any]) -> bool:
    return bool(options.get("trim_padding")) and runner not in _TRIM_THEMSELVES


def open_artifact(runner: str, artifact: str, options: Mapping[str, Any], version: str) -> Runner:
    """A runner, not yet entered, that takes padded batches.

    Args:
        runner: file name in temper/backends/.
        artifact: folder of the checkpoint, ONNX file or engine.
        options: of the backend's row.
        version: of its library, or 'installed'.

    Raises:
        BackendError: padding is to be trimmed of what has none.
    """
    opened: Runner = plugins.load("backends", runner).open_runner(artifact, options, version)
    signature = _signature(artifact)
    if signature is None:
        return opened
    if _trims(runner, options):
        return TrimmedRunner(opened, signature, asked=f"run {artifact}")
    return opened if signature.row_tokens is None else PackedRunner(opened, signature)


def trace_artifact(
    runner: str, artifact: str, options: Mapping[str, Any], version: str, workloads: Mapping[str, Sequence[Tensors]]
) -> Mapping[str, Execution | None]:
    """What is executed for the padded batches of each workload, as the backend's `traces` or `trace` says it.

    Args:
        runner, artifact, options, version: as of `open_artifact`.
        workloads: the batches, by name.
    """
    signature = _signature(artifact)
    if signature is not None and signature.row_tokens is not None:
        rows = signature.row_tokens, _dtypes(signature), signature.row_tokens_multiple_of
        workloads = {name: [pack(batch, *rows) for batch in own] for name, own in workloads.items()}
    elif signature is not None and _trims(runner, options):
        workloads = {name: without_padding(own, signature) for name, own in workloads.items()}
    module = plugins.load("backends", runner)
    if hasattr(module, "traces"):
        found: Mapping[str, Execution | None] = module.traces(artifact, options, version, workloads)
        return found
    return {name: module.trace(artifact, options, version, batches) for name, batches in workloads.items()}
