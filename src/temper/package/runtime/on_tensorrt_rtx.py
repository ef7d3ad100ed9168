"""An engine of TensorRT-RTX on one NVIDIA GPU, in the shapes and with the settings that it was measured with.

A call is: the inputs into page-locked memory, one copy to the device for each, the kernels, one copy back; with CUDA graphs a
shape's copies and kernels are captured once and launched from then on.
"""

import ctypes
import math
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from .errors import PackageError
from .packing import Tensors
from .shapes import Shapes, Sizes
from .signature import Signature
from .trimming import trimmed

LOGITS = "logits"
GRAPH_TOLERANCE = 1e-3  # relative and absolute: the same kernels on the same inputs
SHAPES_KEPT = 64  # of a dynamic profile, each with its memory and its graph


class _Place:
    """Memory of a tensor: page-locked on the host, its twin on the device."""

    def __init__(self, runner: "EngineRunner", shape: tuple[int, ...], dtype: str) -> None:
        runtime, check = runner.cuda, runner.check
        self.bytes = max(1, math.prod(shape)) * np.dtype(dtype).itemsize
        self._free = (runtime.cudaFreeHost, runtime.cudaFree)
        self.host = int(check(runtime.cudaMallocHost(self.bytes), f"take {self.bytes:,} bytes of pinned memory"))
        self.device = int(check(runtime.cudaMalloc(self.bytes), f"take {self.bytes:,} bytes of device memory"))
        memory = np.ctypeslib.as_array((ctypes.c_uint8 * self.bytes).from_address(self.host))
        self.array = memory.view(dtype)[: math.prod(shape)].reshape(shape)

    def free(self) -> None:
        """Give it back."""
        del self.array
        self._free[0](self.host)
        self._free[1](self.device)


class _Bound:
    """One shape that the engine runs in: its profile, its memory, and the graph of its call."""

    def __init__(self, profile: int, sizes: Sizes, inputs: dict[str, _Place], logits: _Place) -> None:
        self.profile, self.sizes, self.inputs, self.logits = profile, sizes, inputs, logits
        self.graph: Any = None


class EngineRunner:
    """One engine, loaded."""

    def __init__(self, file: Path, facts: Mapping[str, Any], signature: Signature) -> None:
        """Load it.

        Args:
            file: model.engine.
            facts: of the manifest's runner: options of the backend's row, and profiles of the engine.
            signature: what it takes.

        Raises:
            PackageError: there is no GPU or driver, or the engine cannot be loaded.
        """
        self._file, self._signature = file, signature
        self._options, self._shapes = facts["options"], Shapes(signature, facts["profiles"])
        self._specs = {spec.name: spec for spec in signature.inputs}
        self._bound: dict[tuple[int, Sizes], _Bound] = {}
        self._contexts: dict[int, Any] = {}
        self._at: dict[int, _Bound] = {}  # by profile: whose shapes and addresses its context holds
        self._kept: list[Any] = []  # configurations: nothing says that a context keeps what it was made from
        try:
            import tensorrt_rtx as trt
            from cuda.bindings import runtime as cuda
        except ImportError as error:
            self._refuse("load TensorRT-RTX", f"{type(error).__name__}: {error}")
        self.cuda, self._trt, self.version = cuda, trt, str(trt.__version__)
        self._thread = threading.get_ident()
        self._choose()
        self._stream = self.check(cuda.cudaStreamCreate(), "open a stream")
        self._logger = trt.Logger(trt.Logger.ERROR)
        self._runtime = trt.Runtime(self._logger)
        self._engine = self._runtime.deserialize_cuda_engine(file.read_bytes())
        if self._engine is None:
            self._refuse("load the engine", "TensorRT-RTX refused it: its message stands above")

    def check(self, result: tuple[Any, ...], what: str) -> Any:
        """The value of a call of CUDA, of which the first item is an error code.

        Raises:
            PackageError: it failed.
        """
        failure, *values = result
        if int(failure) != 0:
            _, text = self.cuda.cudaGetErrorString(failure)
            self._refuse(what, text.decode())
        return values[0] if values else None

    def _refuse(self, what: str, happened: str) -> NoReturn:
        raise PackageError(
            asked=f"{what} ({self._file.name})",
            happened=happened,
            affected="this package",
            fix="pip install -r requirements.txt, on a machine with a GPU of the kind that manifest.json names under study; is "
            "its memory free (nvidia-smi)?",
        )

    def _choose(self) -> None:
        """CUDA keeps the chosen GPU for each thread."""
        failure, count = self.cuda.cudaGetDeviceCount()
        index = self._options["device_index"]
        if int(failure) != 0 or index >= count:
            self._refuse("run on an NVIDIA GPU", f"CUDA shows no GPU {index} on this machine")
        self.check(self.cuda.cudaSetDevice(index), "choose the GPU")

    def cut(self, inputs: Tensors) -> list[Tensors] | None:
        """A call as calls that the engine takes; None where packed rows are too many, or a row is too long."""
        return self._shapes.cut(inputs)

    def warm(self) -> None:
        """Every shape of its own profile as its first call has it: kernels compiled, memory taken, graph captured.

        A call comes to a shape by the rows that happen to share it, so that the first of each would fall into the traffic.
        """
        for found in self._shapes.static()[:SHAPES_KEPT]:
            bound = self._bound.get(found) or self._bind(*found)
            for name, place in bound.inputs.items():
                place.array.fill(self._specs[name].pad_value)
            if not self._options["cuda_graph"]:
                self._enqueue(bound)
                self.check(self.cuda.cudaStreamSynchronize(self._stream), "wait for the GPU")
            elif bound.graph is None:
                self._capture(bound)

    def infer(self, inputs: Tensors) -> npt.NDArray[np.float32]:
        """float32 logits [rows, labels] of arrays by input name.

        Raises:
            PackageError: no shape of the engine holds a row, or the GPU failed.
        """
        if threading.get_ident() != self._thread:
            self._choose()
            self._thread = threading.get_ident()
        if self._options["trim_padding"]:
            inputs = trimmed(inputs, self._signature.padding_side)
        calls = self.cut(inputs)
        if calls is None:
            sizes = dict(zip(self._shapes.axes, self._shapes.sizes_of(inputs), strict=True))
            self._refuse(f"run a call of {sizes}", "no shape of the engine holds it")
        return np.concatenate([self._call(call) for call in calls]) if len(calls) > 1 else self._call(calls[0])

    def _call(self, inputs: Tensors) -> npt.NDArray[np.float32]:
        found = self._shapes.fitting(self._shapes.sizes_of(inputs))
        assert found is not None  # `cut` has looked
        bound = self._bound.get(found) or self._bind(*found)
        for name, array in inputs.items():
            place = bound.inputs[name].array
            corner = self._shapes.corner(name, place, array.shape)
            if corner.shape != place.shape:
                place.fill(self._specs[name].pad_value)
            np.copyto(corner, array, casting="no")
        if self._options["cuda_graph"]:
            if bound.graph is None:
                self._capture(bound)
            self.check(self.cuda.cudaGraphLaunch(bound.graph, self._stream), "launch the graph")
        else:
            self._enqueue(bound)
        self.check(self.cuda.cudaStreamSynchronize(self._stream), "wait for the GPU")
        rows = len(next(iter(inputs.values()))) if self._signature.row_tokens is None else len(inputs["first_tokens"])
        answer: npt.NDArray[np.float32] = bound.logits.array[:rows].copy()  # the next call writes over it
        return answer

    def _bind(self, number: int, sizes: Sizes) -> _Bound:
        """Memory of a shape that was not seen (lately)."""
        while len(self._bound) >= SHAPES_KEPT:
            self._drop(self._bound.pop(next(iter(self._bound))))
        inputs = {name: _Place(self, self._shapes.shape(name, sizes), spec.dtype) for name, spec in self._specs.items()}
        logits = _Place(self, (sizes[0], len(self._signature.label_names)), "float32")
        self._bound[number, sizes] = bound = _Bound(number, sizes, inputs, logits)
        return bound

    def _context(self, number: int) -> Any:
        if number in self._contexts:
            return self._contexts[number]
        trt, strategies = self._trt, self._trt.ExecutionContextAllocationStrategy
        config = self._engine.create_runtime_config()
        config.set_execution_context_allocation_strategy(
            strategies.STATIC if self._options["cuda_graph"] else strategies.ON_PROFILE_CHANGE
        )
        kinds = trt.DynamicShapesKernelSpecializationStrategy
        config.dynamic_shapes_kernel_specialization_strategy = getattr(
            kinds, self._options["kernel_specialization"].upper()
        )
        context = self._engine.create_execution_context(config)
        if context is None:
            self._refuse("make an execution context", "TensorRT-RTX made none: its message stands above")
        if number != context.active_optimization_profile and not context.set_optimization_profile_async(
            number, int(self._stream)
        ):
            self._refuse(f"choose the profile {number}", "TensorRT-RTX refused it")
        self.check(self.cuda.cudaStreamSynchronize(self._stream), "wait for the GPU")
        self._kept.append(config)
        self._contexts[number] = context
        return context

    def _enqueue(self, bound: _Bound) -> None:
        """Inputs to the device, kernels, logits to the host: enqueued, not awaited."""
        context, kinds = self._context(bound.profile), self.cuda.cudaMemcpyKind
        if self._at.get(bound.profile) is not bound:
            for name, place in bound.inputs.items():
                if not context.set_input_shape(name, place.array.shape):
                    self._refuse(f"set the shape of {name} to {place.array.shape}", "TensorRT-RTX refused it")
                context.set_tensor_address(name, place.device)
            context.set_tensor_address(LOGITS, bound.logits.device)
            self._at[bound.profile] = bound
        for place in bound.inputs.values():
            self.check(
                self.cuda.cudaMemcpyAsync(
                    place.device, place.host, place.bytes, kinds.cudaMemcpyHostToDevice, self._stream
                ),
                "copy the inputs to the device",
            )
        if not context.execute_async_v3(int(self._stream)):
            self._refuse("run the engine", "TensorRT-RTX refused it: its message stands above")
        logits = bound.logits
        self.check(
            self.cuda.cudaMemcpyAsync(
                logits.host, logits.device, logits.bytes, kinds.cudaMemcpyDeviceToHost, self._stream
            ),
            "copy the logits to the host",
        )

    def _capture(self, bound: _Bound) -> None:
        """Run a shape once, so that everything is compiled and allocated; capture it; compare the two answers."""
        self._enqueue(bound)
        self.check(self.cuda.cudaStreamSynchronize(self._stream), "wait for the GPU")
        answered = bound.logits.array.copy()
        bound.graph = self._captured(lambda: self._enqueue(bound))
        bound.logits.array.fill(np.nan)  # so that nothing is left of the answer without the graph
        self.check(self.cuda.cudaGraphLaunch(bound.graph, self._stream), "launch the graph")
        self.check(self.cuda.cudaStreamSynchronize(self._stream), "wait for the GPU")
        if not np.allclose(bound.logits.array, answered, rtol=GRAPH_TOLERANCE, atol=GRAPH_TOLERANCE, equal_nan=True):
            self._refuse(f"capture a call of {bound.sizes} as a CUDA graph", "the graph answers otherwise")

    def _captured(self, work: Callable[[], None]) -> Any:
        # relaxed: the library calls CUDA in ways that a stricter capture forbids; the answers are compared instead
        mode = self.cuda.cudaStreamCaptureMode.cudaStreamCaptureModeRelaxed
        self.check(self.cuda.cudaStreamBeginCapture(self._stream, mode), "begin to capture a call")
        try:
            work()
        except BaseException:
            self.cuda.cudaStreamEndCapture(self._stream)
            raise
        graph = self.check(self.cuda.cudaStreamEndCapture(self._stream), "capture a call")
        try:
            return self.check(self.cuda.cudaGraphInstantiate(graph, 0), "make a graph of a call")
        finally:
            self.cuda.cudaGraphDestroy(graph)

    def _drop(self, bound: _Bound) -> None:
        if bound.graph is not None:
            self.cuda.cudaGraphExecDestroy(bound.graph)
        if self._at.get(bound.profile) is bound:
            del self._at[bound.profile]
        for place in (*bound.inputs.values(), bound.logits):
            place.free()

    def close(self) -> None:
        """Free it: graphs and memory, contexts, engine, runtime, in this order."""
        for bound in self._bound.values():
            self._drop(bound)
        self._bound.clear()
        self._contexts.clear()
        self._kept.clear()
        del self._engine, self._runtime
        self.cuda.cudaStreamDestroy(self._stream)
