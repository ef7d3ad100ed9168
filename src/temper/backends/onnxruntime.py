"""ONNX Runtime. One file; each execution provider is a row of params.yaml."""

import json
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, PositiveInt

from temper.artifact import read_manifest
from temper.backends.runner import Logits, Runner
from temper.errors import BackendError, ProviderNotActive
from temper.evidence.trace import FLOATING_OR_QUANTIZED, ExecutedLayer, Execution, precision_name
from temper.library import Library, import_library
from temper.signature import Tensors

LIBRARY = Library("onnxruntime", ("onnxruntime", "onnxruntime-gpu"), "ONNX Runtime")
ACCEPTS = ("onnx",)
PREDICTS = True
CPU = "CPUExecutionProvider"

# They read floats and quantise them inside, from each batch's own range.
QUANTIZING_OPERATORS = ("DynamicQuantizeMatMul", "DynamicQuantizeLSTM")
CONTROL_FLOW = ("If", "Loop", "Scan")  # their time is that of the nodes inside them, which are listed too


class Options(BaseModel):
    """`options` of a row whose runner is onnxruntime."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    execution_provider: Literal["CPUExecutionProvider", "CUDAExecutionProvider"]
    intra_op_threads: PositiveInt
    spinning: bool  # whether idle threads wait busily: faster alone, a disturbance beside others
    graph_optimization: Literal["disable", "basic", "extended", "all"]
    allow_cpu_fallback: bool  # whether nodes that the provider lacks may run on the CPU; they are listed then


_FALLBACK_FIX = (
    "set allow_cpu_fallback: true in the backend's row to allow and list them, or drop the row from params.yaml"
)


def _not_active(
    asked: str,
    happened: str,
    fix: str = "install the build that has the provider (docs/install.md) or drop the row from params.yaml",
) -> ProviderNotActive:
    return ProviderNotActive(
        asked=asked, happened=happened, spoiled="this record only: its latency would be another device's", fix=fix
    )


class OnnxRuntimeRunner:
    """One session."""

    def __init__(self, artifact: str, options: Options, version: str, *, profile_prefix: Path | None = None) -> None:
        self._folder, self._options, self._version = Path(artifact), options, version
        self._profile_prefix = profile_prefix  # profiling slows every node: never for a runner that is timed

    def __enter__(self) -> Self:
        read_manifest(self._folder / "onnx.json", kind="onnx")
        ort = import_library(LIBRARY, self._version)
        wanted = self._options.execution_provider
        settings = ort.SessionOptions()
        settings.intra_op_num_threads = self._options.intra_op_threads
        settings.log_severity_level = 3
        settings.add_session_config_entry("session.intra_op.allow_spinning", str(int(self._options.spinning)))
        level = {"disable": "ORT_DISABLE_ALL", "basic": "ORT_ENABLE_BASIC", "extended": "ORT_ENABLE_EXTENDED"}
        settings.graph_optimization_level = getattr(
            ort.GraphOptimizationLevel, level.get(self._options.graph_optimization, "ORT_ENABLE_ALL")
        )
        if self._profile_prefix is not None:
            settings.enable_profiling = True
            settings.profile_file_prefix = str(self._profile_prefix)
        asked = self.asked
        if wanted not in ort.get_available_providers():  # ONNX Runtime would only warn, and run on the CPU
            raise _not_active(asked, f"ONNX Runtime {ort.__version__} offers {ort.get_available_providers()}")
        if wanted != CPU:
            refused = not self._options.allow_cpu_fallback
            settings.add_session_config_entry("session.disable_cpu_ep_fallback", str(int(refused)))
        try:
            self._session = ort.InferenceSession(str(self._folder / "model.onnx"), settings, providers=[wanted])
        except Exception as error:  # ONNX Runtime raises many types, all private
            message = str(error).strip()
            if "disabled by the user" in message and "CPU EP" in message:  # it names no node
                raise _not_active(asked, message[:400], fix=_FALLBACK_FIX) from error
            raise BackendError(
                asked=asked,
                happened=f"{type(error).__name__}: {message[:400]}",
                spoiled="this record only",
                fix="try another opset in `exports:` or a lower graph_optimization in the backend's row",
            ) from error
        active = self._session.get_providers()
        if active[0] != wanted:
            raise _not_active(asked, f"ONNX Runtime {ort.__version__} activated {active}")
        self._ort_version = ort.__version__
        return self

    @property
    def asked(self) -> str:
        """What was asked of it, for errors."""
        return f"run {self._folder / 'model.onnx'} on {self._options.execution_provider}"

    def end_profile(self) -> list[dict[str, Any]]:
        """Events of ONNX Runtime's profile so far; it ends here."""
        events: list[dict[str, Any]] = json.loads(Path(self._session.end_profiling()).read_text(encoding="utf-8"))
        return events

    def __exit__(self, *exc_info: object) -> None:
        del self._session

    def infer(self, inputs: Tensors) -> Logits:
        (logits,) = self._session.run(["logits"], inputs)  # blocks until the logits are in host memory
        return np.asarray(logits, dtype=np.float32)

    def describe(self) -> dict[str, Any]:
        provider = self._session.get_providers()[0]
        return {
            "library": "onnxruntime",
            "version": self._ort_version,
            "provider": provider,
            "device": "cpu" if provider == CPU else "cuda",
            "threads": self._options.intra_op_threads,
        }

    def limits(self) -> Mapping[str, tuple[int, int]]:
        return {}


def open_runner(artifact: str, options: Mapping[str, Any], version: str) -> Runner:
    """A runner of the `model.onnx` in the folder `artifact`."""
    return OnnxRuntimeRunner(artifact, Options.model_validate(options), version)


def executed_layers(events: Iterable[Mapping[str, Any]]) -> tuple[ExecutedLayer, ...]:
    """Nodes of a profile in the order in which they first ran; the session's first call warms up and is left out.

    Args:
        events: the parsed profile of a session that was called at least twice.
    """
    events = list(events)
    calls = sorted(event["ts"] + event["dur"] for event in events if event.get("name") == "model_run")
    times_ms: defaultdict[tuple[str, str, str], float] = defaultdict(float)
    arguments: dict[tuple[str, str, str], Mapping[str, Any]] = {}
    for event in sorted((event for event in events if _is_node(event)), key=lambda event: event["ts"]):
        if event["ts"] < calls[0]:
            continue
        found = event["args"]
        node = (event["name"].removesuffix("_kernel_time"), found["op_name"], str(found.get("node_index", "")))
        times_ms[node] += event["dur"] / 1e3
        arguments.setdefault(node, found)
    return tuple(
        ExecutedLayer(
            name=node[0],
            type=found["op_name"],
            precision=_precision(found),
            device=found["provider"],
            time_ms=None if found["op_name"] in CONTROL_FLOW else times_ms[node] / (len(calls) - 1),
        )
        for node, found in arguments.items()
    )


def _is_node(event: Mapping[str, Any]) -> bool:
    return event.get("cat") == "Node" and "provider" in event.get("args", {}) and "op_name" in event["args"]


def _precision(arguments: Mapping[str, Any]) -> str:
    """What a node computes in: the type of the data it reads. Packed weights are not in the profile, indices no data."""
    if arguments["op_name"] in QUANTIZING_OPERATORS:
        return "INT8"
    tensors = arguments.get("input_type_shape") or arguments.get("output_type_shape") or []
    types = [precision_name(word) for tensor in tensors for word in tensor]
    data = [type_ for type_ in types if type_ in FLOATING_OR_QUANTIZED]
    return (data or types or ["no data"])[0]


def check_providers(
    layers: Iterable[ExecutedLayer], *, wanted: str, allow_cpu_fallback: bool, asked: str
) -> tuple[str, ...]:
    """Refuse nodes that another execution provider than the one asked for has executed.

    Args:
        layers: of the profile; `device` is the provider that executed each.
        wanted: the provider that the row asks for.
        allow_cpu_fallback: whether the CPU's provider may execute some of them. A third provider never may.
        asked: in words, for the error.

    Returns:
        The nodes that the CPU executed in its place: operator and name of each.

    Raises:
        ProviderNotActive: there are such nodes, and the row does not allow them.
    """
    layers = list(layers)
    away = [layer for layer in layers if layer.device != wanted]
    refused = [layer for layer in away if layer.device != CPU or not allow_cpu_fallback]
    if refused:
        providers = " and ".join(sorted({layer.device for layer in refused}))
        named = ", ".join(f"{layer.type} {layer.name!r}" for layer in refused[:5])
        raise _not_active(
            asked,
            f"{len(refused)} of {len(layers)} nodes ran on {providers}: {named}{', …' if refused[5:] else ''}",
            fix=_FALLBACK_FIX,
        )
    return tuple(f"{layer.type} {layer.name}" for layer in away)


def trace(artifact: str, options: Mapping[str, Any], version: str, batches: Sequence[Tensors]) -> Execution | None:
    """Nodes that were executed with their providers and times, from ONNX Runtime's profile.

    Args:
        artifact: folder of the `model.onnx`.
        options: of the backend's row.
        version: of ONNX Runtime, or 'installed'.
        batches: arrays of the signature by name, at least one; every batch is run once. A few will do: a profile holds
            a million events at most.

    Raises:
        BackendError: the model cannot be loaded.
        ProviderNotActive: another provider executed a node, and the row does not allow it.
    """
    chosen = Options.model_validate(options)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        runner = OnnxRuntimeRunner(artifact, chosen, version, profile_prefix=Path(scratch) / "profile")
        with runner:
            runner.infer(batches[0])  # memory is taken in the first call
            for batch in batches:
                runner.infer(batch)
            layers = executed_layers(runner.end_profile())
    elsewhere = check_providers(
        layers, wanted=chosen.execution_provider, allow_cpu_fallback=chosen.allow_cpu_fallback, asked=runner.asked
    )
    return Execution(source="ONNX Runtime's profile", layers=layers, elsewhere=elsewhere)
