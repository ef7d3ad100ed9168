"""An engine of any library of the TensorRT family, loaded on one NVIDIA GPU with one stream.

Each profile has an execution context and memory of its own, taken with its first call.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from temper.artifacts.manifest import read_manifest
from temper.artifacts.signature import read_signature
from temper.backends.runtime_cache import RuntimeCache, cache_file
from temper.backends.staging import LOGITS, Layout, Staging
from temper.backends.tensorrt_shapes import BoundShape, OpenProfile, capture
from temper.engines.hardware import dotted, need_hardware, need_same_capability
from temper.engines.layers import count_by_precision
from temper.engines.profile import Profiles
from temper.engines.tensorrt_api import Api, collect_messages
from temper.engines.tensorrt_build import inspect_engine
from temper.environment.cuda import Device, check_driver, import_runtime
from temper.environment.devices import nvidia_gpus
from temper.environment.library import import_library, loaded_version, public_version
from temper.errors import BackendError, Unavailable

if TYPE_CHECKING:
    import tensorrt

SPOILED = "this record only; nothing was measured"


@dataclass(frozen=True)
class Settings:
    """A row's options.

    Attributes:
        device_index: CUDA's number of the GPU.
        cuda_graph: capture each shape's call once and launch it from then on.
        kernel_specialization: when kernels are compiled for a shape: lazy, eager or none; None where the library
            compiles none.
        runtime_cache: keep compiled kernels in a file from one loading to the next.
        trim_padding: leave out the columns of a call that are padding in all its rows.
    """

    device_index: int
    cuda_graph: bool
    kernel_specialization: str | None
    runtime_cache: bool
    trim_padding: bool


class LoadedEngine:
    """A loaded engine.

    Attributes:
        api, folder, settings: what was asked for.
        signature, axes, profiles: of the engine; `axes` are the signature's dynamic ones.
        version: of the library.
        device, stream: where it runs.
        trt: the library's module.
        inspection: the layers in the engine inspector's words.
        layers_by_precision: counted from it.
        cache: of compiled kernels; None where it is not kept.
        open_profiles: those that were used, by number.
    """

    def __init__(self, api: Api, artifact: str, settings: Settings, version: str) -> None:
        self.api, self.folder, self.settings, self._asked = api, Path(artifact), settings, version

    def __enter__(self) -> Self:
        """Load it.

        Raises:
            Unavailable: it was not built, or there is no GPU, driver or precision for it.
            ArtifactError: the engine is not what its manifest says.
            LibraryError: the library is not there in the version asked for.
            BackendError: the engine cannot be loaded, or was built by another version or for another GPU.
        """
        manifest = read_manifest(self.folder / "engine.json", kind="engine")
        if manifest["status"] == "not built":
            raise Unavailable(manifest["reason"])
        if not nvidia_gpus():  # before the import: without a driver there is nothing to load the library for
            raise Unavailable("no NVIDIA GPU")
        self.signature = read_signature(self.folder / "signature.json")
        self.axes = self.signature.dynamic_axes
        self.profiles = Profiles.from_manifest(manifest)
        self.open_profiles: dict[int, OpenProfile] = {}
        self._configs: list[Any] = []
        trt = import_library(self.api.library, self._asked)
        self.version = loaded_version(self.api.library, trt)
        title = self.api.library.title
        if public_version(manifest["library_version"]) != public_version(self.version):
            raise BackendError(
                asked=f"run {self.folder} with {title} {self.version}",
                happened=f"the engine was built with {manifest['library_version']}; engines run with their own version",
                affected=SPOILED,
                fix="give the engine's row and the backend's row in params.yaml the same version",
            )
        with ExitStack() as undo:
            runtime = import_runtime()
            check_driver(runtime, f"{title} {self.version}", self.api.cuda_major())
            self.device = Device(runtime, self.settings.device_index)
            need_same_capability(manifest, self.device.capability, self.device.name, str(self.folder))
            need_hardware(manifest["layers_by_precision"], self.device.capability, self.device.name)
            self.stream = self.device.check(runtime.cudaStreamCreate(), "open a stream")
            undo.callback(runtime.cudaStreamDestroy, self.stream)
            self.cache = None
            if self.settings.runtime_cache:
                digest = manifest["files"]["model.engine"]["sha256"]
                file = cache_file(self.folder, digest, self.version, self.device.name, self.device.uuid)
                self.cache = RuntimeCache(file)
            self._load(trt, undo)
            self._close = undo.pop_all().close
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Free it; the graphs captured from it must be gone."""
        self._close()

    def _load(self, trt: Any, undo: ExitStack) -> None:
        """Load the engine's bytes and check that they are what the manifest and the signature say."""
        self.trt, self._logger = trt, collect_messages(trt, verbose=False)
        try:
            runtime = trt.Runtime(self._logger)
            engine = runtime.deserialize_cuda_engine((self.folder / "model.engine").read_bytes())
        except (RuntimeError, TypeError) as error:  # what the bindings make of a runtime that cannot be made
            raise self._refusal("load the engine", f"{error} ({self._logger.errors()})") from error
        if engine is None:
            raise self._refusal("load the engine", self._logger.errors())
        self._runtime, self._engine = runtime, engine
        undo.callback(self._drop)
        found = {
            name: np.dtype(trt.nptype(engine.get_tensor_dtype(name)))
            for name in (engine.get_tensor_name(at) for at in range(engine.num_io_tensors))
        }
        expected = {spec.name: np.dtype(spec.dtype) for spec in self.signature.inputs} | {LOGITS: np.dtype(np.float32)}
        if found != expected:
            raise self.error("load the engine", f"its tensors are {found}, where signature.json says {expected}")
        if engine.num_optimization_profiles != len(self.profiles.profiles):
            happened = f"it has {engine.num_optimization_profiles} profiles, where engine.json says {self.profiles}"
            raise self.error("load the engine", happened)
        self.inspection = inspect_engine(trt, engine)
        self.layers_by_precision = count_by_precision(self.inspection.layers or ())

    def _drop(self) -> None:
        """Free contexts, engine and runtime in this order; each needs the next one alive."""
        if self.cache is not None:
            self.cache.save()
        for profile in self.open_profiles.values():
            del profile.context
            profile.undo.close()
        self.open_profiles.clear()
        self._configs.clear()
        if self.cache is not None:
            self.cache.drop()
        del self._engine
        del self._runtime

    def open_profile(self, number: int) -> OpenProfile:
        """The profile's context and memory; taken now where it is its first use.

        Raises:
            BackendError: it cannot be had; 'out of memory' stands in `happened` where memory ran out.
        """
        if number in self.open_profiles:
            return self.open_profiles[number]
        largest = self.profiles.profiles[number].max_shape
        with ExitStack() as undo:
            staging = Staging(self.device, self.layout(largest).total_bytes, undo)
            context = self._make_context()
            if context is None:
                raise self.error("make an execution context", self._logger.errors())
            if number != context.active_optimization_profile and not context.set_optimization_profile_async(
                number, int(self.stream)
            ):
                raise self.error(f"choose the profile {number}", self._logger.errors())
            self.device.check(self.device.runtime.cudaStreamSynchronize(self.stream), "wait for the GPU")
            self.open_profiles[number] = OpenProfile(number, context, staging, undo.pop_all())
        return self.open_profiles[number]

    def _make_context(self) -> "tensorrt.IExecutionContext | None":
        """A context with memory of its own: of its profile, or, where graphs will point to it, fixed once for all."""
        strategies = self.trt.ExecutionContextAllocationStrategy
        allocation = strategies.STATIC if self.settings.cuda_graph else strategies.ON_PROFILE_CHANGE
        engine: tensorrt.ICudaEngine = self._engine
        if not self.api.compiles_at_runtime:
            return engine.create_execution_context(allocation)
        config: Any = self._engine.create_runtime_config()
        config.set_execution_context_allocation_strategy(allocation)
        specializations = self.trt.DynamicShapesKernelSpecializationStrategy
        config.dynamic_shapes_kernel_specialization_strategy = getattr(
            specializations, str(self.settings.kernel_specialization).upper()
        )
        if self.cache is not None:
            self.cache.attach(config)
        context: tensorrt.IExecutionContext | None = self._engine.create_execution_context(config)
        self._configs.append(config)  # nothing says that a context keeps what it was made from
        return context

    def layout(self, sizes: Sequence[int]) -> Layout:
        """Layout of a call of these sizes of the dynamic axes."""
        by_axis = dict(zip(self.axes, sizes, strict=True))
        return Layout.of(self.signature.inputs, by_axis, self.signature.logits_shape(sizes[0], sizes[-1]))

    def _bind(self, bound: BoundShape) -> None:
        """Tell the context the shapes and addresses of the next call."""
        profile, layout = bound.profile, bound.layout
        if profile.bound is bound:
            return
        profile.bound = None
        for name in layout.shapes:
            if name != LOGITS and not profile.context.set_input_shape(name, layout.shapes[name]):
                raise self.error(f"set the shape of {name} to {layout.shapes[name]}", self._logger.errors())
            if not profile.context.set_tensor_address(name, profile.staging.device_address + layout.offsets[name]):
                raise self.error(f"bind {name}", self._logger.errors())
        profile.bound = bound

    def copy_to_device(self, bound: BoundShape) -> None:
        """Enqueue the copy of all inputs."""
        cuda, staging = self.device.runtime, bound.profile.staging
        (failure,) = cuda.cudaMemcpyAsync(
            staging.device_address,
            staging.host_address,
            bound.layout.input_bytes,
            cuda.cudaMemcpyKind.cudaMemcpyHostToDevice,
            self.stream,
        )
        if int(failure) != 0:
            self.device.fail(failure, "copy the inputs to the device")

    def execute(self, bound: BoundShape) -> None:
        """Enqueue the kernels."""
        self._bind(bound)
        if not bound.profile.context.execute_async_v3(int(self.stream)):
            raise self.error("run the engine", self._logger.errors())

    def enqueue(self, bound: BoundShape) -> None:
        """Inputs to the device, kernels, logits to the host: enqueued, not awaited."""
        cuda, staging, offset = self.device.runtime, bound.profile.staging, bound.layout.offsets[LOGITS]
        self.copy_to_device(bound)
        self.execute(bound)
        (failure,) = cuda.cudaMemcpyAsync(
            staging.host_address + offset,
            staging.device_address + offset,
            bound.layout.logits_bytes,
            cuda.cudaMemcpyKind.cudaMemcpyDeviceToHost,
            self.stream,
        )
        if int(failure) != 0:
            self.device.fail(failure, "copy the logits to the host")

    def captured(self, bound: BoundShape, work: Callable[[], None]) -> Any:
        """An executable CUDA graph of what `work` enqueues for this shape, which must have run before.

        Raises:
            BackendError: the engine cannot be captured.
        """
        self.device.check(self.device.runtime.cudaStreamSynchronize(self.stream), "wait for the GPU")
        return capture(self.device, self.stream, work, f"a call of shape {dict(bound.layout.shapes)}")

    def _refusal(self, what: str, happened: str) -> Exception:
        """The library would not load the engine: for this GPU's sake, where it is known not to support it."""
        lacking = self.api.unsupported(self.version, self.device.capability)
        if lacking is None:
            return self.error(what, happened)
        title, capability = f"{self.api.library.title} {self.version}", dotted(self.device.capability)
        return Unavailable(
            f"{title} does not run on {self.device.name} (compute capability {capability}): {lacking}. It said: {happened}"
        )

    def error(self, what: str, happened: str) -> BackendError:
        """An error of this engine."""
        return BackendError(
            asked=f"{what} ({self.folder}, {self.api.library.title} {self.version}, {self.device.name})",
            happened=happened,
            affected=SPOILED,
            fix="docs/install.md lists which versions run on which GPUs; build the engine anew with another version",
        )
