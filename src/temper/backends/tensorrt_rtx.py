"""TensorRT-RTX. Runs an engine on one NVIDIA GPU: pinned host buffers, device buffers, one stream."""

import ctypes
import math
import re
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, NonNegativeInt

from temper.artifact import read_manifest
from temper.backends.runner import Logits, Runner
from temper.devices import nvidia_gpus
from temper.engines.engine import Inspection
from temper.engines.hardware import need_hardware
from temper.engines.layers import count_by_precision
from temper.engines.profile import Profile
from temper.engines.tensorrt_rtx import LIBRARY as LIBRARY
from temper.engines.tensorrt_rtx import collect_messages, inspect_engine
from temper.errors import BackendError, LibraryError, Unavailable
from temper.evidence.trace import ExecutedLayer, Execution
from temper.library import import_library, loaded_version, public_version
from temper.signature import Signature, Tensors, TensorSpec

ACCEPTS = ("engines",)
PREDICTS = True
LOGITS = "logits"
_SPOILED = "this record only; nothing was measured"


class Options(BaseModel):
    """`options` of a row whose runner is tensorrt_rtx."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    device_index: NonNegativeInt  # CUDA's index of the GPU


@dataclass(frozen=True)
class Buffer:
    """Room for one tensor of the largest shape: page-locked on the host, and its twin on the device."""

    host: npt.NDArray[Any]  # flat
    device: int  # address

    def host_view(self, shape: tuple[int, ...]) -> npt.NDArray[Any]:
        """The beginning of the host buffer as an array of this shape."""
        return self.host[: math.prod(shape)].reshape(shape)


class TensorRTRTXRunner:
    """One engine, one execution context, one stream."""

    def __init__(self, artifact: str, options: Options, version: str) -> None:
        self._folder, self._options, self._version = Path(artifact), options, version

    def __enter__(self) -> Self:
        manifest = read_manifest(self._folder / "engine.json", kind="engine")
        if manifest["status"] == "not built":
            raise Unavailable(manifest["reason"])
        if not nvidia_gpus():  # before the import: without a driver there is nothing to load the library for
            raise Unavailable("no NVIDIA GPU")
        signature = Signature.model_validate_json((self._folder / "signature.json").read_text(encoding="utf-8"))
        self._specs = {spec.name: spec for spec in signature.inputs}
        self._labels = len(signature.label_names)
        self._limits = Profile.from_row(manifest["profile"]).limits(signature.dynamic_axes)
        self._batch_axis = signature.dynamic_axes[0]
        trt = import_library(LIBRARY, self._version)
        self._loaded = loaded_version(LIBRARY, trt)
        if public_version(manifest["library_version"]) != public_version(self._loaded):
            raise BackendError(
                asked=f"run {self._folder} with TensorRT-RTX {self._loaded}",
                happened=f"the engine was built with {manifest['library_version']}; engines run with their own version",
                spoiled=_SPOILED,
                fix="give the engine's row and the backend's row in params.yaml the same version",
            )
        with ExitStack() as undo:
            self._open_device(undo)
            need_hardware(manifest["layers_by_precision"], self._capability, self._device_name)
            self._open_engine(trt, undo)
            self._allocate(trt, undo)
            self._close = undo.pop_all().close
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._close()

    def infer(self, inputs: Tensors) -> Logits:
        shapes = {name: array.shape for name, array in inputs.items()}
        if shapes != self._shapes:
            self._set_shapes(shapes)
        cuda, kind, stream = self._cuda, self._cuda.cudaMemcpyKind, self._stream
        for name, array in inputs.items():
            buffer = self._buffers[name]
            np.copyto(buffer.host_view(array.shape), array, casting="no")
            self._check(
                cuda.cudaMemcpyAsync(
                    buffer.device, buffer.host.ctypes.data, array.nbytes, kind.cudaMemcpyHostToDevice, stream
                ),
                f"copy {name} to the device",
            )
        if not self._context.execute_async_v3(int(stream)):
            raise self._error("run the engine", self._logger.errors())
        logits = self._buffers[LOGITS]
        answer = logits.host_view((shapes[self._first_input][self._batch_position], self._labels))
        self._check(
            cuda.cudaMemcpyAsync(
                logits.host.ctypes.data, logits.device, answer.nbytes, kind.cudaMemcpyDeviceToHost, stream
            ),
            "copy the logits to the host",
        )
        self._check(cuda.cudaStreamSynchronize(stream), "wait for the GPU")
        return answer.copy()  # the next call writes over the buffer

    def describe(self) -> dict[str, Any]:
        return {
            "library": "tensorrt_rtx",
            "version": self._loaded,
            "device": self._device_name,
            "driver": nvidia_gpus()[0].driver_version,
            "layers_by_precision": self._layers_by_precision,
            "layers_from": self._layers_from,
        }

    def limits(self) -> Mapping[str, tuple[int, int]]:
        return self._limits

    @property
    def inspection(self) -> Inspection:
        """The engine's layers in its inspector's words."""
        return self._inspection

    def time_layers(self, batches: Sequence[Tensors]) -> dict[str, float]:
        """Run the batches once more with TensorRT's profiler, which makes every call slower.

        Returns:
            Milliseconds of each layer in one call, averaged over the batches, by the layer's name.

        Raises:
            Exception: whatever the profiler makes of this version of TensorRT.
        """
        times_ms: dict[str, float] = {}

        class LayerTimes(self._trt.IProfiler):  # type: ignore[misc, name-defined]
            def __init__(self) -> None:
                super().__init__()

            def report_layer_time(self, layer_name: str, ms: float) -> None:
                times_ms[layer_name] = times_ms.get(layer_name, 0.0) + ms

        self._profiler = LayerTimes()  # kept until the runner goes: the context only points to it
        self._context.profiler = self._profiler
        for batch in batches:
            self.infer(batch)
        return {name: total_ms / len(batches) for name, total_ms in times_ms.items()}

    def _open_device(self, undo: ExitStack) -> None:
        """Choose the GPU and open a stream on it."""
        try:
            from cuda.bindings import runtime
        except ImportError as error:
            raise LibraryError(
                asked="use NVIDIA's cuda-bindings",
                happened=f"{type(error).__name__}: {error}",
                spoiled="this row only",
                fix="pip install -r requirements/gpu.txt",
            ) from error
        self._cuda = runtime
        failure, count = runtime.cudaGetDeviceCount()
        if int(failure) != 0 or self._options.device_index >= count:
            raise Unavailable(f"CUDA shows {count or 0} devices, none with index {self._options.device_index}")
        self._check(runtime.cudaSetDevice(self._options.device_index), "choose the GPU")
        properties = self._check(runtime.cudaGetDeviceProperties(self._options.device_index), "ask for the GPU's name")
        self._device_name = bytes(properties.name).rstrip(b"\0").decode()
        self._capability = (int(properties.major), int(properties.minor))
        self._stream = self._check(runtime.cudaStreamCreate(), "open a stream")
        undo.callback(runtime.cudaStreamDestroy, self._stream)

    def _open_engine(self, trt: Any, undo: ExitStack) -> None:
        """Load the engine and make its execution context."""
        self._logger = collect_messages(trt)
        runtime = trt.Runtime(self._logger)
        engine = runtime.deserialize_cuda_engine((self._folder / "model.engine").read_bytes())
        if engine is None:
            raise self._error("load the engine", self._logger.errors())
        self._context = engine.create_execution_context()
        if self._context is None:
            raise self._error("make an execution context", self._logger.errors())
        self._runtime, self._engine = runtime, engine
        undo.callback(self._drop_engine)
        self._trt = trt
        self._inspection = inspect_engine(trt, engine)
        self._layers_by_precision = count_by_precision(self._inspection.layers or ())
        self._layers_from = self._inspection.reason

    def _drop_engine(self) -> None:
        """Free context, engine and runtime in this order; each needs the next one alive."""
        del self._context
        del self._engine
        del self._runtime

    def _allocate(self, trt: Any, undo: ExitStack) -> None:
        """Buffers for the largest shapes, and their addresses for the context."""
        largest = {axis: high for axis, (_, high) in self._limits.items()}
        shapes = {name: spec.shape(largest) for name, spec in self._specs.items()}
        shapes[LOGITS] = (largest[self._batch_axis], self._labels)
        dtypes = {name: np.dtype(spec.dtype) for name, spec in self._specs.items()} | {LOGITS: np.dtype(np.float32)}
        found = {
            name: np.dtype(trt.nptype(self._engine.get_tensor_dtype(name)))
            for name in (self._engine.get_tensor_name(at) for at in range(self._engine.num_io_tensors))
        }
        if found != dtypes:
            raise self._error("load the engine", f"its tensors are {found}, where signature.json says {dtypes}")
        self._buffers: dict[str, Buffer] = {}
        for name, shape in shapes.items():
            nbytes = math.prod(shape) * dtypes[name].itemsize
            host = int(self._check(self._cuda.cudaMallocHost(nbytes), f"take {nbytes:,} bytes of pinned memory"))
            undo.callback(self._cuda.cudaFreeHost, host)
            device = int(self._check(self._cuda.cudaMalloc(nbytes), f"take {nbytes:,} bytes of device memory"))
            undo.callback(self._cuda.cudaFree, device)
            memory = np.ctypeslib.as_array((ctypes.c_uint8 * nbytes).from_address(host))
            self._buffers[name] = Buffer(memory.view(dtypes[name]), device)
            if not self._context.set_tensor_address(name, device):
                raise self._error(f"bind {name}", self._logger.errors())
        undo.callback(self._buffers.clear)  # the arrays must not outlive their memory
        self._first_input, spec = next(iter(self._specs.items()))
        self._batch_position = spec.axes.index(self._batch_axis)
        self._shapes: dict[str, tuple[int, ...]] = {}

    def _set_shapes(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        """Tell the context the shapes of the next call.

        Raises:
            BackendError: other inputs than the signature's, or shapes outside the engine's profile.
        """
        self._shapes = {}
        fits = shapes.keys() == self._specs.keys()
        sizes: dict[str, int] = {}
        for name, shape in shapes.items() if fits else ():
            fits = fits and self._fits(self._specs[name], shape, sizes)
        if not fits:
            raise BackendError(
                asked=f"run {self._folder} on inputs of shape {dict(shapes)}",
                happened=f"it takes { ({name: spec.axes for name, spec in self._specs.items()}) } with {self._limits}",
                spoiled=_SPOILED,
                fix="change the workload, or min_shape and max_shape of the engine's row, in params.yaml",
            )
        for name, shape in shapes.items():
            if not self._context.set_input_shape(name, shape):
                raise self._error(f"set the shape of {name} to {shape}", self._logger.errors())
        self._shapes = dict(shapes)

    def _fits(self, spec: TensorSpec, shape: tuple[int, ...], sizes: dict[str, int]) -> bool:
        """Whether a shape is inside the profile and agrees with `sizes`, to which it adds its own."""
        if len(shape) != len(spec.axes):
            return False
        for axis, size in zip(spec.axes, shape, strict=True):
            low, high = (axis, axis) if isinstance(axis, int) else self._limits[axis]
            if not low <= size <= high or (isinstance(axis, str) and sizes.setdefault(axis, size) != size):
                return False
        return True

    def _error(self, what: str, happened: str) -> BackendError:
        return BackendError(
            asked=f"{what} ({self._folder}, TensorRT-RTX {self._loaded}, {self._device_name})",
            happened=happened,
            spoiled=_SPOILED,
            fix="docs/install.md lists which versions run on which GPUs; build the engine anew with another version",
        )

    def _check(self, result: tuple[Any, ...], what: str) -> Any:
        """The value of a CUDA call, of which the first item is an error code."""
        failure, *values = result
        if int(failure) != 0:
            _, name = self._cuda.cudaGetErrorName(failure)
            _, text = self._cuda.cudaGetErrorString(failure)
            raise BackendError(
                asked=f"{what} on GPU {self._options.device_index}",
                happened=f"{name.decode()}: {text.decode()}",
                spoiled=_SPOILED,
                fix="run nvidia-smi: is the GPU's memory free, and its driver new enough for this CUDA version?",
            )
        return values[0] if values else None


def open_runner(artifact: str, options: Mapping[str, Any], version: str) -> Runner:
    """A runner of the `model.engine` in the folder `artifact`."""
    return TensorRTRTXRunner(artifact, Options.model_validate(options), version)


# TensorRT's graph compiler numbers its kernels: '__myl_FcAddRelu_myl0_24' is the kernel '__myl_FcAddRelu'.
_NUMBER = re.compile(r"_myl\d+_\d+$")


def executed_layers(
    inspection: Inspection, times_ms: Mapping[str, float], no_times: str | None, device: str
) -> Execution:
    """Layers of the inspector with the profiler's times.

    Args:
        inspection: of the engine.
        times_ms: of each layer in one call, by the layer's name.
        no_times: why there are none, or None.
        device: that ran them.
    """
    layers = inspection.layers or ()
    if no_times is None and not times_ms.keys() & {layer.name for layer in layers}:
        no_times = "it reported none of these layers"
    return Execution(
        source=f"TensorRT's engine inspector ({inspection.reason}); "
        + (f"no times from its profiler: {no_times}" if no_times else "times from its profiler"),
        layers=tuple(
            ExecutedLayer(
                name=layer.name,
                type=layer.type,
                precision=layer.precision,
                device=device,
                time_ms=None if no_times else times_ms.get(layer.name),
                kernel=_NUMBER.sub("", layer.name) if _NUMBER.search(layer.name) else None,
            )
            for layer in layers
        ),
    )


def trace(artifact: str, options: Mapping[str, Any], version: str, batches: Sequence[Tensors]) -> Execution | None:
    """Layers of the engine in its inspector's words, with times where TensorRT's profiler gives them.

    Args:
        artifact: folder of the `model.engine`.
        options: of the backend's row.
        version: of TensorRT-RTX, or 'installed'.
        batches: arrays of the signature by name, at least one; each is run once, and once more with the profiler.

    Raises:
        Unavailable: the engine was not built, or this machine has no such GPU.
        BackendError: the engine cannot be loaded or run. A failure of the profiler alone is none: there are no times.
    """
    with TensorRTRTXRunner(artifact, Options.model_validate(options), version) as runner:
        for batch in batches:  # without the profiler first: it must run, and kernels are made in the first call
            runner.infer(batch)
        times_ms, no_times = {}, None
        try:
            times_ms = runner.time_layers(batches)
        except Exception as error:  # evidence of times is worth less than the evidence of layers
            no_times = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        return executed_layers(runner.inspection, times_ms, no_times, runner.describe()["device"])
