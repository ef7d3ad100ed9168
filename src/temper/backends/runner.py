"""The one interface of all inference backends.

A backend is a file `temper/backends/<runner>.py` with six names: `Options` (its closed options in params.yaml),
`LIBRARY` (what it needs installed), `ACCEPTS` (the kinds of artifact it loads), `PREDICTS` (whether its logits are
predictions), `open_runner` and `trace`. Importing it must not import the library: planning reads `Options`, and a missing
library may break its own rows only.

`trace(artifact, options, version, batches) -> Execution | None` says what was executed, layer by layer. It opens an
instance of its own, so that profiling never slows the one that is timed; it runs every batch once, after one run that
warms up, and raises what `Runner.__enter__` and `infer` raise. None: the backend executes nothing worth listing. A file may
have `traces(artifact, options, version, workloads)` too, the same for batches by workload, on one instance for all, and
`batch_dependent(options) -> bool`, whether a row's answer can depend on the other rows of its batch.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from temper.artifacts.signature import Tensors

Logits = npt.NDArray[np.float32]


class Runner(ABC):
    """A loaded artifact that answers. It never reads a clock.

    Four methods are a backend's own. The others say what holds for a runner that takes every size and computes what it is
    given; one that limits, pads, trims, compiles or times on its device says otherwise.
    """

    @abstractmethod
    def __enter__(self) -> Self:
        """Load the artifact and allocate what a call needs.

        Raises:
            Unavailable: this machine lacks the device, provider or precision; recorded as 'not measured'.
            BackendError: the artifact cannot be loaded, or would run elsewhere than asked.
        """

    @abstractmethod
    def __exit__(self, *exc_info: object) -> None:
        """Free it."""

    @abstractmethod
    def infer(self, inputs: Tensors) -> Logits:
        """Host arrays in, host logits out.

        Args:
            inputs: the arrays of the signature by name, with its dtypes and axes, C-contiguous.

        Returns:
            float32 logits of shape [batch_size, number of labels], complete in host memory.
        """

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """What really ran, from the library's own mouth: library, version, device, provider, precision, threads."""

    def limits(self) -> Mapping[str, tuple[int, int]]:
        """Smallest and largest size it accepts, by name of the axis; an axis that is not named is free."""
        return {}

    def fits(self, sizes: Mapping[str, int]) -> bool:
        """Whether it takes a call of these sizes within its limits, by name of the axis: with static shapes, not every pair."""
        return True

    def computed_sizes(self, sizes: Sequence[int]) -> tuple[int, ...]:
        """Sizes of the dynamic axes that a call of these sizes runs in, its own padding included; batch first."""
        return tuple(sizes)

    def shape_of(self, inputs: Tensors, given: tuple[int, ...]) -> tuple[int, ...]:
        """What tells batches apart that are computed in other shapes: the sizes of the dynamic axes, less what is trimmed.

        Args:
            inputs: as of `infer`.
            given: sizes of the signature's dynamic axes in them, batch first.
        """
        return given

    def computed_tokens(self, inputs: Tensors, given: tuple[int, ...]) -> int:
        """Tokens that a call computes, its own padding included; of images, which have the batch alone, rows.

        Args:
            inputs, given: as of `shape_of`.
        """
        return math.prod(self.computed_sizes(self.shape_of(inputs, given)))

    def device_time_ms(self, inputs: Tensors) -> float | None:
        """Milliseconds that the device computed for one call, by its own clock: no copies, nothing of the host. None: no clock.

        Args:
            inputs: as of `infer`.
        """
        return None

    @property
    def warmup_calls_per_shape(self) -> int:
        """Calls of each shape before that shape runs at its full speed.

        A compiled graph is not yet a recorded CUDA graph, and TorchScript optimises after it has looked at two calls.
        """
        return 1

    @property
    def compiles_shapes(self) -> bool:
        """Whether each new input shape costs a compilation or a recording."""
        return False


def depends_on_batch(module: ModuleType, options: Mapping[str, Any]) -> bool:
    """Whether an answer of this backend can depend on the other rows of its batch: its `batch_dependent`, else False."""
    return hasattr(module, "batch_dependent") and bool(module.batch_dependent(options))
