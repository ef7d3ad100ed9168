"""What an engine executed: its inspector's layers with the times of TensorRT's profiler."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from temper.artifacts.signature import Tensors
from temper.backends.tensorrt_engine import Settings
from temper.backends.tensorrt_runner import TensorRTRunner
from temper.backends.trace import ExecutedLayer, Execution
from temper.engines.engine import Inspection
from temper.engines.tensorrt_api import Api

# TensorRT's graph compiler numbers its kernels: '__myl_FcAddRelu_myl0_24' is the kernel '__myl_FcAddRelu'.
_NUMBER = re.compile(r"_myl\d+_\d+$")


def executed_layers(
    inspection: Inspection,
    times_ms: Mapping[str, float],
    no_times: str | None,
    device: str,
    *,
    only_timed: bool,
) -> Execution:
    """Layers of the inspector with the profiler's times.

    Args:
        inspection: of the engine.
        times_ms: of each layer in one call, by the layer's name.
        no_times: why there are none, or None.
        device: that ran them.
        only_timed: where there are times, leave out layers without: an engine of several profiles lists those of all.
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
            if no_times or not only_timed or layer.name in times_ms
        ),
    )


def traces_with(
    api: Api, artifact: str, settings: Settings, version: str, workloads: Mapping[str, Sequence[Tensors]]
) -> dict[str, Execution | None]:
    """Layers of the engine in its inspector's words, with times where TensorRT's profiler gives them, for each workload.

    Args:
        api: the library.
        artifact: folder of the `model.engine`.
        settings: of the backend's row; without CUDA graphs, of whose parts the profiler is told nothing.
        version: of the library, or 'installed'.
        workloads: by name batches of arrays of the signature, at least one; each is run once, and once more with the
            profiler.

    Raises:
        Unavailable: the engine was not built, or this machine has no such GPU.
        BackendError: the engine cannot be loaded or run. A failure of the profiler alone is none: there are no times.
    """
    with TensorRTRunner(api, artifact, replace(settings, cuda_graph=False), version) as runner:
        return {name: _trace(runner, batches) for name, batches in workloads.items()}


def _trace(runner: TensorRTRunner, batches: Sequence[Tensors]) -> Execution:
    for batch in batches:  # before they are timed: they must run, and kernels are made in the first call
        runner.infer(batch)
    times_ms, no_times = {}, None
    try:
        times_ms = runner.time_layers(batches)
    except Exception as error:  # evidence of times is worth less than the evidence of layers
        no_times = " ".join(f"{type(error).__name__}: {error}".split())[:200]
    device = runner.describe()["device"]
    return executed_layers(runner.inspection, times_ms, no_times, device, only_timed=not runner.one_profile)


def trace_with(
    api: Api, artifact: str, settings: Settings, version: str, batches: Sequence[Tensors]
) -> Execution | None:
    """The same for the batches of one workload; as `traces_with`."""
    return traces_with(api, artifact, settings, version, {"": batches})[""]
