"""The one interface of all inference backends.

A backend is a file `temper/backends/<runner>.py` with six names: `Options` (its closed options in params.yaml),
`LIBRARY` (what it needs installed), `ACCEPTS` (the kinds of artifact it loads), `PREDICTS` (whether its logits are
predictions), `open_runner` and `trace`. Importing it must not import the library: planning reads `Options`, and a missing
library may break its own rows only.

`trace(artifact, options, version, batches) -> Execution | None` says what was executed, layer by layer. It opens an
instance of its own, so that profiling never slows the one that is timed; it runs every batch once, after one run that
warms up, and raises what `Runner.__enter__` and `infer` raise. None: the backend executes nothing worth listing. A file may
have `traces(artifact, options, version, workloads)` too, the same for batches by workload, on one instance for all.

A runner may have more methods than it must: `fits` (TakesSomeSizes) and `device_time_ms` (TimesItsDevice).
A runner that pads its inputs before it computes also has `computed_tokens(shape) -> int`: `computed_tokens` below.
Two attributes of a runner may be absent (`warmup_calls`, `compiles_shapes` below), and one function of the file:
`batch_dependent(options) -> bool`, whether a row's answer can depend on the other rows of its batch.
"""

import math
from collections.abc import Mapping
from types import ModuleType
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np
import numpy.typing as npt

from temper.artifacts.signature import Tensors

Logits = npt.NDArray[np.float32]


class Runner(Protocol):
    """A loaded artifact that answers. It never reads a clock."""

    def __enter__(self) -> Self:
        """Load the artifact and allocate what a call needs.

        Raises:
            Unavailable: this machine lacks the device, provider or precision; recorded as 'not measured'.
            BackendError: the artifact cannot be loaded, or would run elsewhere than asked.
        """
        ...

    def __exit__(self, *exc_info: object) -> None:
        """Free it."""
        ...

    def infer(self, inputs: Tensors) -> Logits:
        """Host arrays in, host logits out.

        Args:
            inputs: the arrays of the signature by name, with its dtypes and axes, C-contiguous.

        Returns:
            float32 logits of shape [batch_size, number of labels], complete in host memory.
        """
        ...

    def describe(self) -> dict[str, Any]:
        """What really ran, from the library's own mouth: library, version, device, provider, precision, threads."""
        ...

    def limits(self) -> Mapping[str, tuple[int, int]]:
        """Smallest and largest size it accepts, by name of the axis; an axis that is not named is free."""
        ...


@runtime_checkable
class TakesSomeSizes(Protocol):
    """A runner that does not take every batch size with every length within its limits. Optional."""

    def fits(self, sizes: Mapping[str, int]) -> bool:
        """Whether it takes a call of these sizes, by name of the axis."""
        ...


class TimesItsDevice(Protocol):
    """A runner whose device keeps a clock of its own. Optional."""

    def device_time_ms(self, inputs: Tensors) -> float:
        """Milliseconds that the device computed for one call: no copies, nothing of the host.

        Args:
            inputs: as of `infer`.
        """
        ...


def computed_tokens(runner: Runner, shape: tuple[int, ...]) -> int:
    """Tokens that a runner computes for one call, its own padding included.

    Args:
        runner: loaded; without a method of this name it computes what it is given.
        shape: sizes of the signature's dynamic axes in the call's inputs, batch first; of images the batch alone, and then
            rows are counted.
    """
    own = getattr(runner, "computed_tokens", None)
    return math.prod(shape) if own is None else int(own(shape))


def warmup_calls(runner: Runner) -> int:
    """Calls of each shape before that shape runs at its full speed: the runner's `warmup_calls_per_shape`, else 1.

    A compiled graph is not yet a recorded CUDA graph, and TorchScript optimises after it has looked at two calls.
    """
    return int(getattr(runner, "warmup_calls_per_shape", 1))


def depends_on_batch(module: ModuleType, options: Mapping[str, Any]) -> bool:
    """Whether an answer of this backend can depend on the other rows of its batch: its `batch_dependent`, else False."""
    return bool(getattr(module, "batch_dependent", lambda options: False)(options))


def compiles_shapes(runner: Runner) -> bool:
    """Whether each new input shape costs the runner a compilation or a recording: its `compiles_shapes`, else False."""
    return bool(getattr(runner, "compiles_shapes", False))
