"""OpenVINO on the CPU. The precision is declared and checked: its own default is BF16 on some CPUs."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, PositiveInt

from temper.artifacts.manifest import read_manifest
from temper.artifacts.signature import Tensors
from temper.backends.runner import Logits, Runner
from temper.backends.trace import ExecutedLayer, Execution, precision_name
from temper.environment.library import Library, import_library
from temper.errors import BackendError, PrecisionNotActive

LIBRARY = Library("openvino", ("openvino",), "OpenVINO")
ACCEPTS = ("onnx",)
PREDICTS = True

_MOST_SHAPES = 48  # compiled models kept at a time where shapes are static: each holds kernels and weights of its own
Shapes = tuple[tuple[str, tuple[int, ...]], ...]  # of the inputs, by name


class Options(BaseModel):
    """`options` of a row whose runner is openvino."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    device: Literal["CPU"]
    inference_precision: Literal["f32", "bf16", "f16"]  # of what the file does not quantise itself
    threads: PositiveInt
    shapes: Literal["dynamic", "static"]  # static: a compiled model for each input shape, made in its first call
    trim_padding: bool = (
        False  # by backends/trimmed.py; not of defaults.yaml: a record of before holds all that was set
    )


class OpenVinoRunner(Runner):
    """One compiled model and one request, or one for each input shape."""

    def __init__(self, artifact: str, options: Options, version: str, *, profiling: bool = False) -> None:
        self._folder, self._options, self._version = Path(artifact), options, version
        self._profiling = profiling  # slows every layer: never for a runner that is timed

    def __enter__(self) -> Self:
        read_manifest(self._folder / "onnx.json", kind="onnx")
        openvino = import_library(LIBRARY, self._version)
        self._openvino = openvino
        self._settings = {
            "INFERENCE_PRECISION_HINT": self._options.inference_precision,
            "INFERENCE_NUM_THREADS": self._options.threads,
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": "1",
            "PERF_COUNT": "YES" if self._profiling else "NO",
        }
        self._requests: dict[Shapes, Any] = {}  # the one with the key () takes every shape
        self._latest = self._compile(())
        self._openvino_version = openvino.__version__.partition("-")[0]
        return self

    def _compile(self, shapes: Shapes) -> Any:
        """Compile the file for these input shapes, () for any, and check the precision of its layers."""
        file = self._folder / "model.onnx"
        asked = f"run {file} on OpenVINO {self._options.device} in {self._options.inference_precision}"
        try:
            core = self._openvino.Core()
            model = core.read_model(str(file))
            if shapes:
                model.reshape({name: list(shape) for name, shape in shapes})
            self._compiled = core.compile_model(model, self._options.device, self._settings)
        except Exception as error:
            raise BackendError(
                asked=asked,
                happened=f"{type(error).__name__}: {str(error).strip()[:400]}",
                affected="this record only",
                fix="try another opset in `exports:`, or drop the row from params.yaml",
            ) from error
        self._layers = self._layers_by_precision()
        unwanted = {"f32": {"bf16", "f16"}, "bf16": {"f16"}, "f16": {"bf16"}}[self._options.inference_precision]
        if unwanted & set(self._layers):
            raise PrecisionNotActive(
                asked=asked,
                happened=f"the compiled model has layers in {self._layers}",
                affected="this record only: its latency would be another precision's",
                fix="declare the precision that runs in the backend's row, or use a machine that has the one you asked for",
            )
        if shapes:
            self._requests.pop((), None)  # what takes every shape was compiled to see that it can be
        while len(self._requests) >= _MOST_SHAPES:
            del self._requests[next(iter(self._requests))]  # the oldest
        self._requests[shapes] = self._compiled.create_infer_request()
        return self._requests[shapes]

    def _layers_by_precision(self) -> dict[str, int]:
        """Executed layers by the precision the plugin chose for them."""
        found: Counter[str] = Counter()
        for node in self._compiled.get_runtime_model().get_ordered_ops():
            facts = node.get_rt_info()
            if "layerType" in facts and facts["layerType"].astype(str) not in ("Input", "Output", "Const", "Reorder"):
                found[facts["runtimePrecision"].astype(str)] += 1
        return dict(sorted(found.items()))

    def profile(self) -> list[Any]:
        """OpenVINO's `ProfilingInfo` of every layer in the latest call's model; times are means over its calls so far."""
        found: list[Any] = self._latest.get_profiling_info()
        return found

    def runtime_precisions(self) -> dict[str, str]:
        """OpenVINO's word for the precision of each layer of the compiled model, by the layer's name."""
        facts = {node.get_friendly_name(): node.get_rt_info() for node in self._compiled.get_runtime_model().get_ops()}
        return {
            name: found["runtimePrecision"].astype(str) for name, found in facts.items() if "runtimePrecision" in found
        }

    def __exit__(self, *exc_info: object) -> None:
        del self._requests, self._latest, self._compiled

    @property
    def compiles_shapes(self) -> bool:
        """Whether a new shape costs a compilation: lengths are rounded up then, as a package rounds them."""
        return self._options.shapes == "static"

    def infer(self, inputs: Tensors) -> Logits:
        shapes: Shapes = ()
        if self._options.shapes == "static":
            shapes = tuple((name, array.shape) for name, array in inputs.items())
        self._latest = self._requests.get(shapes) or self._compile(shapes)
        result = self._latest.infer(dict(inputs), share_inputs=True)  # blocks until the logits are in host memory
        return np.array(result["logits"], dtype=np.float32)

    def describe(self) -> dict[str, Any]:
        return {
            "library": "openvino",
            "version": self._openvino_version,
            "device": "cpu",
            "inference_precision": self._options.inference_precision,
            "shapes": self._options.shapes,
            "layers_by_precision": self._layers,
            "threads": int(self._compiled.get_property("INFERENCE_NUM_THREADS")),
        }


def open_runner(artifact: str, options: Mapping[str, Any], version: str) -> Runner:
    """A runner of the `model.onnx` in the folder `artifact`."""
    return OpenVinoRunner(artifact, Options.model_validate(options), version)


def executed_layers(
    first: Iterable[Any], last: Iterable[Any], precisions: Mapping[str, str], calls: int, device: str
) -> tuple[ExecutedLayer, ...]:
    """Layers from OpenVINO's counters after the first call, which warms up, and after `calls` more.

    OpenVINO gives means over all calls, so the first one is taken out of them. It calls a layer 'not run' whose mean is
    below a microsecond: what ran in either reading was executed.

    Args:
        first: `ProfilingInfo` of every layer after one call.
        last: the same after `calls` more.
        precisions: OpenVINO's word for the precision, by the layer's name.
        calls: how many, at least one.
        device: that ran them.
    """
    warm_up_ms = {info.node_name: info.real_time.total_seconds() * 1e3 for info in first if _was_executed(info)}
    layers = []
    for info in last:
        if not _was_executed(info) and info.node_name not in warm_up_ms:
            continue
        total_ms = info.real_time.total_seconds() * 1e3 * (calls + 1) - warm_up_ms.get(info.node_name, 0.0)
        word = precisions.get(info.node_name) or info.exec_type.rpartition("_")[2]
        layer = ExecutedLayer(
            name=info.node_name,
            type=info.node_type,
            precision=precision_name(word),
            device=device,
            time_ms=max(total_ms, 0.0) / calls,  # means are cut to microseconds
            kernel=info.exec_type,
        )
        if word == "u8" and not layer.is_product:  # masks and conditions too are bytes
            layer = replace(layer, precision="UINT8")
        layers.append(layer)
    return tuple(layers)


def _was_executed(info: Any) -> bool:
    return bool(info.status.name == "EXECUTED")


def trace(artifact: str, options: Mapping[str, Any], version: str, batches: Sequence[Tensors]) -> Execution | None:
    """Layers that were executed with their kernels and times, from OpenVINO's performance counters.

    Args:
        artifact: folder of the `model.onnx`.
        options: of the backend's row.
        version: of OpenVINO, or 'installed'.
        batches: arrays of the signature by name, at least one; every batch is run once, where shapes are static
            those of the first one's shape.

    Raises:
        BackendError: the model cannot be compiled.
        PrecisionNotActive: it was compiled in another precision than asked.
    """
    chosen = Options.model_validate(options)
    if chosen.shapes == "static":  # counters are each compiled model's own
        sizes = {name: array.shape for name, array in batches[0].items()}
        batches = [batch for batch in batches if {name: array.shape for name, array in batch.items()} == sizes]
    with OpenVinoRunner(artifact, chosen, version, profiling=True) as runner:
        runner.infer(batches[0])  # kernels are made in the first call
        first = runner.profile()
        for batch in batches:
            runner.infer(batch)
        layers = executed_layers(first, runner.profile(), runner.runtime_precisions(), len(batches), chosen.device)
    return Execution(source="OpenVINO's performance counters", layers=layers)
