"""TensorRT-RTX: an ONNX file in, an engine out. Strongly typed: the ONNX file's own types decide every precision.

Builds on machines without a GPU; only executing and inspecting an engine need one.
"""

import platform
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from temper.devices import nvidia_gpus
from temper.engines.engine import BuiltEngine, Inspection
from temper.engines.layers import layers_of_inspector, layers_of_listing
from temper.engines.profile import Profile, Shape
from temper.errors import BackendError, Unavailable
from temper.library import Library, import_library, loaded_version
from temper.signature import Signature

LIBRARY = Library("tensorrt_rtx", ("tensorrt-rtx-cu13", "tensorrt-rtx-cu12"), "TensorRT-RTX")

_PLATFORMS = {("Linux", "x86_64"), ("Windows", "AMD64")}
_SPOILED = "this engine only; nothing was written"


def check_platform() -> None:
    """Raise Unavailable where no build of TensorRT-RTX can be installed."""
    here = (platform.system(), platform.machine())
    if here not in _PLATFORMS:
        raise Unavailable(f"TensorRT-RTX has no build for {here[0]} {here[1]}, only for Linux and Windows on x86-64")


def collect_messages(trt: Any) -> Any:
    """A logger for `trt` that keeps every message as (severity, text) in `messages` and prints warnings and errors."""

    class MessageCollector(trt.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.messages: list[tuple[Any, str]] = []

        def log(self, severity: Any, message: str) -> None:
            self.messages.append((severity, message))
            if severity in (trt.ILogger.INTERNAL_ERROR, trt.ILogger.ERROR, trt.ILogger.WARNING):
                print(f"[{severity.name}] {message}", flush=True)

        def errors(self) -> str:
            """Messages of the errors so far, in one line each; 'no message' where there is none."""
            serious = (trt.ILogger.INTERNAL_ERROR, trt.ILogger.ERROR)
            found = [" ".join(text.split()) for severity, text in self.messages if severity in serious]
            return "; ".join(dict.fromkeys(found)) or "no message"

    return MessageCollector()


def build(*, onnx_path: str | Path, signature: Signature, profile: Profile, version: str) -> BuiltEngine:
    """Build an engine.

    Args:
        onnx_path: the ONNX file; external data is found beside it.
        signature: its inputs and output.
        profile: sizes of the signature's dynamic axes that the engine accepts.
        version: version of TensorRT-RTX, or 'installed'.

    Raises:
        Unavailable: TensorRT-RTX cannot be installed on this platform.
        LibraryError: it is not installed in that version.
        BackendError: it cannot read the file, or cannot build an engine from it.
    """
    check_platform()
    trt = import_library(LIBRARY, version)
    loaded = loaded_version(LIBRARY, trt)
    logger = collect_messages(trt)
    builder = trt.Builder(logger)
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    asked = f"build a TensorRT-RTX {loaded} engine from {onnx_path}"
    parser = trt.OnnxParser(network, logger)
    if not parser.parse_from_file(str(onnx_path)):
        raise BackendError(
            asked=asked,
            happened="; ".join(_describe(parser.get_error(at)) for at in range(parser.num_errors)) or logger.errors(),
            spoiled=_SPOILED,
            fix="export with another opset, or write these nodes with operators that TensorRT-RTX supports",
        )
    _check_signature(network, signature, asked)
    _refuse_int8_convolutions(trt, network, asked)
    has_attention = _allow_decomposed_attention(trt, network)
    shapes = {spec.name: profile.shapes(spec, signature.dynamic_axes) for spec in signature.inputs}

    config = builder.create_builder_config()
    config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
    config.clear_flag(trt.BuilderFlag.TF32)  # on by default, and then FP32 layers would not compute in FP32
    optimization_profile = builder.create_optimization_profile()
    for name, (low, best, high) in shapes.items():
        optimization_profile.set_shape(name, low, best, high)
    config.add_optimization_profile(optimization_profile)

    started = time.perf_counter()  # how long the build took, for the manifest; no latency of a model
    serialized = builder.build_serialized_network(network, config)
    build_seconds = time.perf_counter() - started
    if serialized is None:
        raise BackendError(
            asked=f"{asked} for {_shape_list(shapes, 0)} to {_shape_list(shapes, 2)}",
            happened=logger.errors(),
            spoiled=_SPOILED,
            fix="compare the profile with the shapes of the ONNX file, or try another opset or precision",
        )
    return BuiltEngine(
        serialized=bytes(serialized),
        build_seconds=round(build_seconds, 3),
        library_version=loaded,
        layers=tuple(layers_of_listing(text for _, text in logger.messages)),
        equivalent_command=_equivalent_command(shapes, has_attention),
    )


def inspect(serialized: bytes, version: str) -> Inspection:
    """Layers of an engine in its own words, where a GPU lets it be loaded; never raises for the lack of one.

    Args:
        serialized: the engine.
        version: version of TensorRT-RTX that built it, or 'installed'.
    """
    if not nvidia_gpus():
        return Inspection(None, "not confirmed: no NVIDIA GPU")
    trt = import_library(LIBRARY, version)
    logger = collect_messages(trt)
    engine = trt.Runtime(logger).deserialize_cuda_engine(serialized)
    if engine is None:
        return Inspection(None, f"not confirmed: the engine could not be loaded here ({logger.errors()})")
    return inspect_engine(trt, engine)


def inspect_engine(trt: Any, engine: Any) -> Inspection:
    """Layers of a loaded engine (`ICudaEngine`) from its engine inspector."""
    text = engine.create_engine_inspector().get_engine_information(trt.LayerInformationFormat.JSON)
    try:
        layers = layers_of_inspector(text)
    except (ValueError, KeyError, TypeError) as error:
        reason = f"not confirmed: the engine inspector's JSON is unknown ({type(error).__name__}: {error})"
        return Inspection(None, reason)
    if not layers:
        return Inspection(None, "not confirmed: the engine inspector lists no layers with their types")
    return Inspection(tuple(layers), "listed by the engine inspector")


def _describe(error: Any) -> str:
    """One error of the ONNX parser with the node it is about."""
    node = f"node {error.node_name()!r} ({error.node_operator()}): " if error.node_operator() else ""
    return f"{node}{' '.join(error.desc().split())}"


def _check_signature(network: Any, signature: Signature, asked: str) -> None:
    """Raise BackendError where the parsed network has other inputs or outputs than the signature."""
    found = (
        {network.get_input(at).name for at in range(network.num_inputs)},
        {network.get_output(at).name for at in range(network.num_outputs)},
    )
    expected = ({spec.name for spec in signature.inputs}, {"logits"})
    if found != expected:
        raise BackendError(
            asked=asked,
            happened=f"its inputs are {sorted(found[0])} and its outputs {sorted(found[1])}, "
            f"where signature.json says {sorted(expected[0])} and {sorted(expected[1])}",
            spoiled=_SPOILED,
            fix="export the checkpoint anew; the two files belong together",
        )


def _refuse_int8_convolutions(trt: Any, network: Any, asked: str) -> None:
    """Raise BackendError, with their names, for convolutions on INT8 inputs.

    TensorRT-RTX has no kernel for them (each tried failed, 1.6.1.120, every target), and its own message names neither
    the layer nor the cause.
    """
    producers = {}
    for at in range(network.num_layers):
        layer = network.get_layer(at)
        producers.update({layer.get_output(index).name: layer for index in range(layer.num_outputs)})
    found = []
    for layer in dict.fromkeys(producers.values()):
        source = producers.get(layer.get_input(0).name) if layer.type == trt.LayerType.CONVOLUTION else None
        if source is not None and source.type == trt.LayerType.DEQUANTIZE and source.get_input(0).dtype == trt.int8:
            found.append(layer.name)
    if found:
        raise BackendError(
            asked=asked,
            happened=f"{len(found)} convolutions have INT8 inputs ({', '.join(found[:3])}{', …' if found[3:] else ''}), "
            "and TensorRT-RTX has no INT8 convolution",
            spoiled=_SPOILED,
            fix="start the engine from an FP16 or FP32 row, or run the INT8 row on another backend",
        )


def _allow_decomposed_attention(trt: Any, network: Any) -> bool:
    """Let attention layers fall apart where no fused kernel exists (FP32 has none); fused ones stay fused.

    Returns:
        Whether the network has an attention layer.
    """
    has_attention = False
    for at in range(network.num_layers):
        layer = network.get_layer(at)
        if layer.type == trt.LayerType.ATTENTION_INPUT:
            layer.__class__ = trt.IAttentionInputLayer  # get_layer returns the base class, which lacks `attention`
            layer.attention.decomposable = True
            has_attention = True
    return has_attention


def _shape_list(shapes: Mapping[str, tuple[Shape, Shape, Shape]], which: int) -> str:
    """Shapes as TensorRT's command line writes them: 'input_ids:1x64,attention_mask:1x64'."""
    return ",".join(f"{name}:{'x'.join(map(str, three[which]))}" for name, three in shapes.items())


def _equivalent_command(shapes: Mapping[str, tuple[Shape, Shape, Shape]], has_attention: bool) -> str:
    """Command line of the `tensorrt_rtx` tool of the SDK that asks for the same engine."""
    options = ["--onnx=model.onnx"]
    options += [f"--{key}Shapes={_shape_list(shapes, at)}" for at, key in enumerate(("min", "opt", "max"))]
    options += ["--noTF32", "--profilingVerbosity=detailed"]
    options += ["--decomposableAttentions='*'"] if has_attention else []
    return " ".join(["tensorrt_rtx", *options, "--skipInference", "--saveEngine=model.engine"])
