"""How PyTorch executes a loaded model: as it stands, compiled, traced to TorchScript, or with INT8 Linear layers."""

import itertools
import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from temper.errors import BackendError, PipelineError, PrecisionNotActive, Unavailable

MODES_OF_COMPILE = {  # of the option `mode`: torch.compile's own name
    "compile": "default",
    "compile-reduce-overhead": "reduce-overhead",
    "compile-max-autotune": "max-autotune",
}
MOST_SHAPES = 1024  # graphs of one runner; torch.compile's own limit is 8, and it would go on without compiling
_MOST_TRACES = 64  # TorchScript graphs kept at a time, the oldest go first
_NUMBERS = itertools.count()


class Executable(Protocol):
    """A model that answers.

    Attributes:
        warmup_calls: of each shape, before that shape runs at its full speed.
        compiles_shapes: whether a new shape costs it a compilation.
    """

    warmup_calls: int
    compiles_shapes: bool

    def __call__(self, tensors: Sequence[Any]) -> Any:
        """Tensors on the device, in the order of the signature; float32 logits on the device, valid until the next call."""
        ...

    def describe(self) -> dict[str, Any]:
        """What was compiled or quantised."""
        ...


def _forward_of(model: Any, names: Sequence[str], dtype: Any) -> Callable[..., Any]:
    """A function of the tensors alone: dynamo's cache, limits and guards then are those of one function."""

    def forward(*tensors: Any) -> Any:
        inputs = {
            name: tensor.to(dtype) if tensor.is_floating_point() else tensor
            for name, tensor in zip(names, tensors, strict=True)
        }
        return model(**inputs).logits.float()

    # A code object of its own: runners of one process would share compiled graphs else, and with them the static
    # buffers of their CUDA graphs, which two threads must not use at once.
    forward.__code__ = forward.__code__.replace(co_name=f"forward_{next(_NUMBERS)}")
    return forward


class Eager:
    """The model as it stands, also a quantised one."""

    warmup_calls, compiles_shapes = 1, False

    def __init__(self, model: Any, names: Sequence[str], dtype: Any, facts: dict[str, Any]) -> None:
        self._forward, self._facts = _forward_of(model, names, dtype), facts

    def __call__(self, tensors: Sequence[Any]) -> Any:
        return self._forward(*tensors)

    def describe(self) -> dict[str, Any]:
        return self._facts


def _keep_graphs_of_this_thread() -> None:
    """Give this thread containers for its recorded graphs: PyTorch 2.11 to 2.13 makes them for the thread that imports it.

    Another thread's first recording ends with an AssertionError otherwise. Where a version has no such containers, nothing
    is done.
    """
    from torch._inductor import cudagraph_trees

    local = getattr(cudagraph_trees, "local", None)
    if local is not None and not hasattr(local, "tree_manager_containers"):
        local.tree_manager_containers = {}
        local.tree_manager_locks = defaultdict(threading.Lock)


class Compiled:
    """torch.compile with one graph for each input shape: no dynamic shapes, no graph breaks, no eager remainder."""

    compiles_shapes = True

    def __init__(
        self, model: Any, names: Sequence[str], dtype: Any, mode: str, *, cuda_graphs: bool, asked: str
    ) -> None:
        import torch
        from torch._dynamo import config
        from torch._dynamo.utils import counters

        self._torch: Any = torch  # much of it has no types
        self._config, self._counters = config, counters
        self._cuda_graphs, self._asked = cuda_graphs, asked
        # CUDA graphs: the first call compiles and runs, the second records, the third is the first to replay
        self.warmup_calls = 3 if cuda_graphs else 2
        self._shapes: set[tuple[Any, ...]] = set()
        self._graphs = self._recompiled = self._from_cache = 0
        self._compiled = torch.compile(
            _forward_of(model, names, dtype), fullgraph=True, dynamic=False, mode=MODES_OF_COMPILE[mode]
        )

    def __call__(self, tensors: Sequence[Any]) -> Any:
        shape = tuple(tensor.shape for tensor in tensors)
        graphs, skips = self._counted("stats", "unique_graphs"), self._counted("inductor", "cudagraph_skips")
        if self._cuda_graphs:
            self._torch.compiler.cudagraph_mark_step_begin()  # the last call's logits were copied: write over them
        if shape in self._shapes:
            logits = self._compiled(*tensors)
            self._recompiled += self._counted("stats", "unique_graphs") - graphs
        else:
            logits = self._first_call(shape, tensors, graphs)
        if self._cuda_graphs and self._counted("inductor", "cudagraph_skips") != skips:
            raise self._error(
                "it skipped the CUDA graphs of a graph; its log names the reason",
                "set mode: compile in the backend's row",
            )
        return logits

    def _first_call(self, shape: tuple[Any, ...], tensors: Sequence[Any], graphs: int) -> Any:
        """Compile for a shape.

        Raises:
            BackendError: it cannot be compiled, or was not.
        """
        cached = self._hits()
        if self._cuda_graphs:
            _keep_graphs_of_this_thread()
        try:
            with self._config.patch(  # of this thread only, so not once for all
                recompile_limit=MOST_SHAPES, accumulated_recompile_limit=MOST_SHAPES, fail_on_recompile_limit_hit=True
            ):
                logits = self._compiled(*tensors)
        except (MemoryError, PipelineError, self._torch.OutOfMemoryError):
            raise
        except Exception as error:  # dynamo, inductor, triton and the C++ compiler raise many types
            raise self._error(
                f"{type(error).__name__}: {' '.join(str(error).split())[:600]}", "set mode: eager in the backend's row"
            ) from error
        made = self._counted("stats", "unique_graphs") - graphs
        if made == 0:  # TORCH_COMPILE_DISABLE, say
            raise self._error(
                f"torch.compile made no graph for inputs of shape {[tuple(size) for size in shape]}: they ran eager",
                "unset what switches it off (TORCH_COMPILE_DISABLE, TORCHDYNAMO_DISABLE), or set mode: eager",
            )
        self._graphs += made
        self._from_cache += self._hits() - cached
        self._shapes.add(shape)
        return logits

    def _counted(self, group: str, name: str) -> int:
        return int(self._counters[group][name])

    def _hits(self) -> int:
        """Graphs that were on the disk from another process: their first call was a fast one."""
        return self._counted("inductor", "fxgraph_cache_hit") + self._counted("aot_autograd", "autograd_cache_hit")

    def _error(self, happened: str, fix: str) -> BackendError:
        return BackendError(
            asked=self._asked,
            happened=happened,
            affected="this record only: its latency would be another mode's",
            fix=f"{fix}, or drop the row from params.yaml",
        )

    def describe(self) -> dict[str, Any]:
        return {
            "compiled_shapes": len(self._shapes),
            "compiled_graphs": self._graphs,
            "compiled_graphs_from_cache": self._from_cache,
            "recompilations": self._recompiled,  # in calls of a shape that was compiled before
            "graph_breaks": 0,  # fullgraph=True makes an error of each
            "cuda_graphs": self._cuda_graphs,
        }


class Traced:
    """TorchScript: torch.jit.trace and torch.jit.freeze, a graph for each input shape (a trace may hold its sizes)."""

    warmup_calls, compiles_shapes = 3, True  # its executor looks at two calls before it optimises

    def __init__(self, model: Any, names: Sequence[str], dtype: Any, *, asked: str) -> None:
        import torch

        forward = _forward_of(model, names, dtype)

        class Classifier(torch.nn.Module):
            """Holds the model as a submodule: its weights are then the trace's own, and freezing makes constants of them."""

            def __init__(self) -> None:
                super().__init__()
                self.model = model

            def forward(self, *tensors: Any) -> Any:
                return forward(*tensors)

        self._torch: Any = torch  # torch.jit has no types
        self._classifier, self._asked = Classifier().eval(), asked
        self._graphs: dict[tuple[Any, ...], Any] = {}
        self._made = 0

    def __call__(self, tensors: Sequence[Any]) -> Any:
        shape = tuple(tensor.shape for tensor in tensors)
        graph = self._graphs.get(shape)
        return (graph or self._trace(shape, tensors))(*tensors)

    def _trace(self, shape: tuple[Any, ...], tensors: Sequence[Any]) -> Any:
        """Trace and freeze for a shape.

        Raises:
            BackendError: the model cannot be traced.
        """
        try:
            # no check against a second trace: it is the accuracy that says whether the graph answers as the model does
            traced = self._torch.jit.trace(self._classifier, tuple(tensors), check_trace=False)
            graph = self._torch.jit.freeze(traced.eval())
        except (MemoryError, self._torch.OutOfMemoryError):
            raise
        except Exception as error:
            raise BackendError(
                asked=self._asked,
                happened=f"{type(error).__name__}: {' '.join(str(error).split())[:600]}",
                affected="this record only",
                fix="set another mode in the backend's row, or drop the row from params.yaml",
            ) from error
        while len(self._graphs) >= _MOST_TRACES:
            del self._graphs[next(iter(self._graphs))]
        self._graphs[shape] = graph
        self._made += 1
        return graph

    def describe(self) -> dict[str, Any]:
        return {"traced_graphs": self._made}


def quantize_linear_layers(model: Any, *, asked: str) -> tuple[Any, dict[str, Any]]:
    """Dynamic INT8: weights of nn.Linear in INT8 beforehand, what they read in each call, by its own range.

    Args:
        model: float32, on the CPU.
        asked: in words, for errors.

    Returns:
        The model, and what was quantised.

    Raises:
        Unavailable: this PyTorch has no INT8 kernels for this CPU.
        PrecisionNotActive: it has no such layer.
    """
    import torch

    engine = torch.backends.quantized.engine
    if engine == "none":
        raise Unavailable(f"PyTorch {torch.__version__} has no engine for quantised layers on this CPU")
    quantization: Any = torch.ao.quantization  # without types
    quantized = quantization.quantize_dynamic(model, {torch.nn.Linear}, dtype=torch.qint8)
    layers = sum(is_quantized(module) for module in quantized.modules())
    if layers == 0:
        raise PrecisionNotActive(
            asked=asked,
            happened="the model has no torch.nn.Linear: nothing was quantised",
            affected="this record only: its latency would be another precision's",
            fix="set mode: eager in the backend's row, or quantise the ONNX file (int8_dynamic)",
        )
    return quantized, {"quantized_linear_layers": layers, "quantized_engine": engine}


def is_quantized(module: Any) -> bool:
    """Whether a module is a Linear layer that `quantize_linear_layers` has quantised."""
    import torch

    return isinstance(module, torch.ao.nn.quantized.dynamic.Linear)
