"""Runs an engine of any library of the TensorRT family on one NVIDIA GPU.

A call is: the inputs into page-locked memory, one copy to the device, the kernels, one copy back; with CUDA graphs the
last three are one launch.
"""

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any, Self

import numpy as np

from temper.artifacts.signature import Tensors
from temper.backends.runner import Logits, Runner
from temper.backends.staging import Padded
from temper.backends.tensorrt_engine import SPOILED, LoadedEngine, Settings
from temper.backends.tensorrt_shapes import BoundShape, Call
from temper.engines.engine import Inspection
from temper.engines.hardware import dotted
from temper.engines.tensorrt_api import Api
from temper.environment.devices import nvidia_gpus
from temper.errors import BackendError
from temper.lengths.packing import ATTENTION_MASK
from temper.lengths.trimming import trimmed

GRAPH_TOLERANCE = 1e-3  # of logits, relative and absolute: the same kernels on the same inputs
SHAPES_KEPT = 64  # of a dynamic profile, each with its graph; and input shapes that are padded to a static one


class TensorRTRunner(Runner):
    """One loaded engine that answers."""

    def __init__(self, api: Api, artifact: str, settings: Settings, version: str) -> None:
        self._engine = LoadedEngine(api, artifact, settings, version)
        self._graphs, self._trims = settings.cuda_graph, settings.trim_padding
        self._calls: OrderedDict[tuple[tuple[int, ...], ...], Call] = OrderedDict()  # by the inputs' shapes
        self._bound: dict[tuple[int, tuple[int, ...]], BoundShape] = {}  # by profile and the engine's sizes
        self._profilers: list[Any] = []

    def __enter__(self) -> Self:
        with ExitStack() as undo:
            engine = undo.enter_context(self._engine)
            undo.callback(self._drop_graphs)
            self._limits = engine.profiles.limits(engine.axes)
            self._specs = engine.signature.inputs
            self._refuse_to_trim_other_models()
            self._device, self._stream = engine.device, engine.stream
            self._thread = threading.get_ident()
            self._close = undo.pop_all().close
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._close()

    def infer(self, inputs: Tensors) -> Logits:
        call = self._copy_in(self._given(inputs))
        bound = call.bound
        if self._graphs:
            if bound.graph is None:
                self._capture(call)
            (failure,) = self._device.runtime.cudaGraphLaunch(bound.graph, self._stream)
            if int(failure) != 0:
                self._device.fail(failure, "launch the graph")
        else:
            self._engine.enqueue(bound)
        (failure,) = self._device.runtime.cudaStreamSynchronize(self._stream)
        if int(failure) != 0:
            self._device.fail(failure, "wait for the GPU")
        return call.answer.copy()  # the next call writes over the buffer

    def _capture(self, call: Call) -> None:
        """Run a shape once, so that everything is compiled and allocated; capture it; compare the two answers.

        Raises:
            BackendError: it cannot be captured, or the graph answers otherwise.
        """
        bound, runtime = call.bound, self._device.runtime
        self._engine.enqueue(bound)
        self._device.check(runtime.cudaStreamSynchronize(self._stream), "wait for the GPU")
        answered = call.answer.copy()
        bound.graph = self._engine.captured(bound, lambda: self._engine.enqueue(bound))
        call.answer.fill(np.nan)  # so that nothing is left of the answer without the graph
        self._device.check(runtime.cudaGraphLaunch(bound.graph, self._stream), "launch the graph")
        self._device.check(runtime.cudaStreamSynchronize(self._stream), "wait for the GPU")
        if not np.allclose(call.answer, answered, rtol=GRAPH_TOLERANCE, atol=GRAPH_TOLERANCE, equal_nan=True):
            off = float(np.abs(call.answer - answered).max())
            bound.drop(self._device)
            raise BackendError(
                asked=f"capture {self._engine.folder} at {dict(bound.layout.shapes)} as a CUDA graph",
                happened=f"the graph's logits differ by {off:.3g} from those of the same call without it",
                affected=SPOILED,
                fix="set cuda_graph: false in the backend's row",
            )

    def device_time_ms(self, inputs: Tensors) -> float:
        """Time of one call's kernels on the device, from CUDA's events around them: no copies, nothing of the host.

        With CUDA graphs the kernels are launched as a graph, too.

        Raises:
            BackendError: as `infer`.
        """
        engine, bound = self._engine, self._copy_in(self._given(inputs)).bound
        runtime, check = self._device.runtime, self._device.check
        if self._graphs and bound.kernels is None:
            engine.enqueue(bound)
            bound.kernels = engine.captured(bound, lambda: engine.execute(bound))
        engine.copy_to_device(bound)
        with ExitStack() as undo:
            events = []
            for _ in range(2):
                events.append(check(runtime.cudaEventCreate(), "make an event"))
                undo.callback(runtime.cudaEventDestroy, events[-1])
            check(runtime.cudaEventRecord(events[0], self._stream), "record an event")
            if bound.kernels is not None:
                check(runtime.cudaGraphLaunch(bound.kernels, self._stream), "launch the graph of the kernels")
            else:
                engine.execute(bound)
            check(runtime.cudaEventRecord(events[1], self._stream), "record an event")
            check(runtime.cudaEventSynchronize(events[1]), "wait for the GPU")
            return float(check(runtime.cudaEventElapsedTime(*events), "ask for the time between two events"))

    def describe(self) -> dict[str, Any]:
        engine, cache = self._engine, self._engine.cache
        graphs = sum(bound.graph is not None for bound in self._bound.values())
        return {
            "library": engine.api.library.module,
            "version": engine.version,
            "device": self._device.name,
            "compute_capability": dotted(self._device.capability),
            "driver": nvidia_gpus()[0].driver_version,
            "cuda_graph": f"{graphs} captured" if self._graphs else "not used",
            "trim_padding": self._trims,
            "kernel_specialization": engine.settings.kernel_specialization,
            "runtime_cache": None if cache is None else {"file": cache.path.name, "found": cache.found},
            "profiles": str(engine.profiles),
            "profiles_used": sorted(engine.open_profiles),
            "layers_by_precision": engine.layers_by_precision,
            "layers_from": engine.inspection.reason,
        }

    def limits(self) -> Mapping[str, tuple[int, int]]:
        return self._limits

    def fits(self, sizes: Mapping[str, int]) -> bool:
        """Whether a call of these sizes, by axis, is taken: with static shapes not every pair within `limits` is."""
        return self._engine.profiles.fitting([sizes[axis] for axis in self._engine.axes]) is not None

    def computed_sizes(self, sizes: Sequence[int]) -> tuple[int, ...]:
        """Sizes of the dynamic axes that a call of these sizes runs in, its padding to a static shape included."""
        number = self._engine.profiles.fitting(sizes)
        profile = None if number is None else self._engine.profiles.profiles[number]
        return profile.max_shape if profile is not None and profile.is_static else tuple(sizes)

    def shape_of(self, inputs: Tensors, given: tuple[int, ...] = ()) -> tuple[int, ...]:
        """Sizes of the dynamic axes that a call runs with, before it is padded to a static shape."""
        sizes: dict[str | int, int] = {}
        kept = self._given(inputs)
        for spec in self._specs:
            sizes.update(zip(spec.axes, kept[spec.name].shape, strict=True))
        return tuple(sizes[axis] for axis in self._engine.axes)

    @property
    def inspection(self) -> Inspection:
        """The engine's layers in its inspector's words."""
        return self._engine.inspection

    @property
    def one_profile(self) -> bool:
        """Whether every layer of the engine is of the profile that runs."""
        return len(self._engine.profiles.profiles) == 1

    def time_layers(self, batches: Sequence[Tensors]) -> dict[str, float]:
        """Run the batches once more with TensorRT's profiler, which makes every call slower, and no graph.

        Args:
            batches: of shapes that were called before.

        Returns:
            Milliseconds of each layer in one call, averaged over the batches, by the layer's name.

        Raises:
            Exception: whatever the profiler makes of this version of TensorRT.
        """
        times_ms: dict[str, float] = {}

        class LayerTimes(self._engine.trt.IProfiler):  # type: ignore[misc, name-defined]
            def __init__(self) -> None:
                super().__init__()

            def report_layer_time(self, layer_name: str, ms: float) -> None:
                times_ms[layer_name] = times_ms.get(layer_name, 0.0) + ms

        self._profilers.append(LayerTimes())  # all kept until the runner goes: the contexts only point to them
        for profile in self._engine.open_profiles.values():
            profile.context.profiler = self._profilers[-1]
        for batch in batches:
            self.infer(batch)
        return {name: total_ms / len(batches) for name, total_ms in times_ms.items()}

    def _drop_graphs(self) -> None:
        self._calls.clear()
        for bound in self._bound.values():
            bound.drop(self._device)
        self._bound.clear()

    def _given(self, inputs: Tensors) -> Tensors:
        """The inputs as they are computed: without the columns that are padding in all rows, where the row says so."""
        return trimmed(inputs, self._engine.signature.padding_side) if self._trims else inputs

    def _refuse_to_trim_other_models(self) -> None:
        if self._trims and ATTENTION_MASK not in {spec.name for spec in self._specs}:
            raise BackendError(
                asked=f"run {self._engine.folder} with trim_padding: true",
                happened=f"its inputs {[spec.name for spec in self._specs]} hold no {ATTENTION_MASK}, which says what padding is",
                affected=SPOILED,
                fix="give the candidate a backend row with trim_padding: false: images and packed rows have nothing to trim",
            )

    def _copy_in(self, inputs: Tensors) -> Call:
        """Put the arrays of a call into page-locked memory, padded where the shape that runs is larger."""
        if threading.get_ident() != self._thread:
            self._device.choose()
            self._thread = threading.get_ident()
        call = self._calls.get(tuple([array.shape for array in inputs.values()]))
        if call is None:
            call = self._new_call(inputs)
        profile = call.bound.profile
        if profile.filled_for is not call:
            for whole, pad_value in call.pads:
                whole.fill(pad_value)
            profile.filled_for = call
        for name, target in call.inputs:
            array = inputs.get(name)
            if array is None or array.shape != target.shape:
                raise self._refusal(inputs)
            np.copyto(target, array, casting="no")
        return call

    def _new_call(self, inputs: Tensors) -> Call:
        """Check a shape that was not seen (lately) and prepare for it.

        Raises:
            BackendError: other inputs than the signature's, a shape that no profile takes, or no memory for it.
        """
        sizes: dict[str, int] = {}
        fits = inputs.keys() == {spec.name for spec in self._specs}
        for spec in self._specs if fits else ():
            shape = inputs[spec.name].shape
            fits = fits and len(shape) == len(spec.axes)
            for axis, size in zip(spec.axes, shape, strict=False):
                fits = fits and size == (axis if isinstance(axis, int) else sizes.setdefault(axis, size))
        asked = [sizes[axis] for axis in self._engine.axes] if fits else []
        number = self._engine.profiles.fitting(asked) if fits else None
        if number is None:
            raise self._refusal(inputs)
        runs = self._engine.profiles.profiles[number]
        engine_sizes = runs.max_shape if runs.is_static else tuple(asked)
        bound = self._bound.get((number, engine_sizes))
        if bound is None:
            bound = BoundShape(self._engine.open_profile(number), engine_sizes, self._engine.layout(engine_sizes))
            self._bound[number, engine_sizes] = bound
        side = self._engine.signature.padding_side
        corners = [Padded.corner(spec, bound.view(spec.name), inputs[spec.name].shape, side) for spec in self._specs]
        call = self._calls[tuple([array.shape for array in inputs.values()])] = Call(bound, corners, asked[0])
        if len(self._calls) > SHAPES_KEPT:
            _, oldest = self._calls.popitem(last=False)
            if not runs.is_static:  # of a dynamic profile: nothing else runs in its shape
                oldest.bound.drop(self._device)
                del self._bound[number, oldest.bound.sizes]
        return call

    def _refusal(self, inputs: Tensors) -> BackendError:
        return BackendError(
            asked=f"run {self._engine.folder} on inputs of shape { ({name: array.shape for name, array in inputs.items()}) }",
            happened=f"it takes { ({spec.name: spec.axes for spec in self._specs}) } with {self._engine.profiles}",
            affected=SPOILED,
            fix="change the workload, or the shapes of the engine's row, in params.yaml",
        )
