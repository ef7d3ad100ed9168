"""Padded batches answered on PyTorch without their padding: rows end to end, and on CUDA a recorded graph for each size.

A graph is recorded for each number of tokens, rounded up, and number of rows. What fills up to it is a row of its own that
nobody reads.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .packing import Tensors
from .unpadded_fp8 import Fp8Network
from .unpadded_network import Network
from .unpadded_place import TYPES, Placed, Placer

MODES = {  # of the option `mode`: how torch.nn.functional.gelu approximates there
    "unpadded": "none",
    "unpadded-gelu-tanh": "tanh",
    "unpadded-fp8": "tanh",
}
FP8 = "unpadded-fp8"
_MOST_SHAPES = 1024  # compiled at a time; torch.compile's own limit is 8, and it would go on without compiling
_MOST_GRAPHS = 512  # recorded at a time, the oldest go first; their memory is one pool
_WARM_CALLS = 3  # before a recording: libraries choose kernels and allocate in the first ones


@dataclass(frozen=True)
class _Graph:
    """A recorded call: what it reads, and where its answer lies."""

    graph: Any
    on_device: Any  # what `given` is copied to, kept because the graph reads its address
    given: Any  # int32, page-locked, as NumPy sees it
    answer: Any  # float32 [rows, labels], page-locked, as NumPy sees it
    kept: tuple[Any, ...]  # the tensors of these two


class Unpadded:
    """A model that answers padded batches without computing their padding."""

    def __init__(self, model: Any, names: Collection[str], mode: str, device: str) -> None:
        """Take its weights.

        Args:
            model: of a checkpoint, loaded, on its device and in its dtype.
            names: of its inputs.
            mode: one of MODES.
            device: 'cpu', or a CUDA device.
        """
        import torch

        self._torch: Any = torch
        self._device, self._on_cuda = device, device != "cpu"
        self._approximate = MODES[mode]
        self.warmup_calls, self.compiles_shapes = (2 if self._on_cuda else 1), self._on_cuda
        self._products = "FP8: E4M3, a scale a token and an output" if mode == FP8 else ""
        with torch.inference_mode():
            self._network = (
                Fp8Network(model, torch, on_cuda=self._on_cuda)
                if mode == FP8
                else Network(model, torch, self._approximate, on_cuda=self._on_cuda)
            )
        self._graphs: dict[tuple[int, int, int], _Graph] = {}
        self._made, self._pool = 0, None
        self._place = Placer(fill=self._on_cuda)
        self._types = TYPES in names

    def _views(self, flat: Any, placed: Placed) -> tuple[Any, Any, Any]:
        tokens = placed.tokens
        types = flat[tokens : 2 * tokens] if self._types else None
        return flat[:tokens], types, flat[-placed.rows - 2 :]

    def infer(self, inputs: Tensors) -> npt.NDArray[np.float32]:
        """Host arrays in, host logits out: float32 [rows, labels]."""
        placed = self._place(inputs)
        torch = self._torch
        if not self._on_cuda:
            flat = torch.from_numpy(placed.integers)
            logits: npt.NDArray[np.float32] = self._network(*self._views(flat, placed), placed.longest).numpy()
            return logits
        key = (placed.tokens, placed.rows, placed.longest)
        recorded = self._graphs.get(key) or self._record(key, placed)
        np.copyto(recorded.given, placed.integers)
        recorded.graph.replay()
        torch.cuda.current_stream().synchronize()
        copied: npt.NDArray[np.float32] = recorded.answer.copy()  # the next call of this shape writes over it
        return copied

    def _record(self, key: tuple[int, int, int], placed: Placed) -> _Graph:
        torch = self._torch
        given = torch.from_numpy(placed.integers).pin_memory()
        on_device = torch.empty(given.shape, dtype=given.dtype, device=self._device)
        views = self._views(on_device, placed)
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            on_device.copy_(given, non_blocking=True)
            logits = self.warmed(views, placed.longest)
        torch.cuda.current_stream().wait_stream(stream)
        answer = torch.empty(logits.shape, dtype=torch.float32, pin_memory=True)
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        if self._pool is None:
            self._pool = torch.cuda.graph_pool_handle()
        with torch.cuda.graph(graph, pool=self._pool, stream=stream, capture_error_mode="thread_local"):
            on_device.copy_(given, non_blocking=True)
            answer.copy_(self._network(*views, placed.longest), non_blocking=True)
        while len(self._graphs) >= _MOST_GRAPHS:
            del self._graphs[next(iter(self._graphs))]
        self._graphs[key] = _Graph(graph, on_device, given.numpy(), answer.numpy(), (given, answer))
        self._made += 1
        return self._graphs[key]

    def warmed(self, views: tuple[Any, Any, Any], longest: int) -> Any:
        """Logits of the last of some calls; the first of all calls compiles."""
        with self._torch._dynamo.config.patch(
            recompile_limit=_MOST_SHAPES, accumulated_recompile_limit=_MOST_SHAPES, fail_on_recompile_limit_hit=True
        ):
            for _ in range(_WARM_CALLS):
                logits = self._network(*views, longest)
        return logits

    def shape_of(self, inputs: Tensors) -> tuple[int, ...]:
        """What tells batches apart that run in other shapes: rows, tokens and the longest row."""
        placed = self._place(inputs)
        return placed.rows, placed.tokens, placed.longest

    def describe(self) -> Mapping[str, Any]:
        """How attention ran, and what was recorded."""
        return {
            "attention": "within rows" if self._on_cuda else "row by row",
            "gelu": {"none": "exact", "tanh": "tanh"}[self._approximate],
            **({"products": self._products} if self._products else {}),
            "placed_by": self._place.by,
            "cuda_graphs": self._on_cuda,
            "recorded_graphs": self._made,
        }
