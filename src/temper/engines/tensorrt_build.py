"""An ONNX file in, an engine out, with any library of the TensorRT family.

Strongly typed: the ONNX file's own types decide every precision.
"""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from temper.artifacts.signature import Signature
from temper.engines.commands import equivalent_commands, shape_list
from temper.engines.engine import BuiltEngine, Inspection
from temper.engines.layers import layers_of_inspector, layers_of_listing
from temper.engines.profile import Profiles
from temper.engines.tensorrt_api import Api, collect_messages
from temper.environment.cuda import current_capability
from temper.environment.devices import nvidia_gpus
from temper.environment.library import import_library, loaded_version
from temper.errors import BackendError, Unavailable

if TYPE_CHECKING:
    import tensorrt

_SPOILED = "this engine only; nothing was written"


def build_with(api: Api, *, onnx_path: Path, signature: Signature, profiles: Profiles, version: str) -> BuiltEngine:
    """Build an engine.

    Args:
        api: the library.
        onnx_path: the ONNX file; external data is found beside it.
        signature: its inputs and output.
        profiles: sizes of the signature's dynamic axes that the engine accepts: one optimization profile each.
        version: of the library, or 'installed'.

    Raises:
        Unavailable: the library cannot be installed on this platform, or needs a GPU to build.
        LibraryError: it is not installed in that version.
        BackendError: it cannot read the file, or cannot build an engine from it.
    """
    api.check_platform()
    if not api.builds_without_gpu and not nvidia_gpus():
        raise Unavailable(f"{api.library.title} builds on the GPU that it builds for, and there is no NVIDIA GPU")
    trt = import_library(api.library, version)
    loaded = loaded_version(api.library, trt)
    logger = collect_messages(trt, verbose=True)
    builder: tensorrt.Builder = trt.Builder(logger)
    network: tensorrt.INetworkDefinition = builder.create_network(api.network_flags(trt, loaded))
    asked = f"build a {api.library.title} {loaded} engine from {onnx_path}"
    parser: tensorrt.OnnxParser = trt.OnnxParser(network, logger)
    if not parser.parse_from_file(str(onnx_path)):
        raise BackendError(
            asked=asked,
            happened="; ".join(_describe(parser.get_error(at)) for at in range(parser.num_errors)) or logger.errors(),
            affected=_SPOILED,
            fix=f"export with another opset, or write these nodes with operators that {api.library.title} supports",
        )
    _check_signature(network, signature, asked)
    if not api.int8_convolutions:
        _refuse_int8_convolutions(api, trt, network, asked)
    has_attention = _allow_decomposed_attention(trt, network)
    shapes = [
        {spec.name: profile.shapes(spec, signature.dynamic_axes) for spec in signature.inputs}
        for profile in profiles.profiles
    ]

    config: tensorrt.IBuilderConfig = builder.create_builder_config()
    config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
    config.clear_flag(trt.BuilderFlag.TF32)  # on by default, and then FP32 layers would not compute in FP32
    for of_profile in shapes:
        optimization_profile: tensorrt.IOptimizationProfile = builder.create_optimization_profile()
        set_shape: Any = optimization_profile.set_shape  # its stubs do not say that it takes tuples
        for name, (low, best, high) in of_profile.items():
            set_shape(name, low, best, high)
        config.add_optimization_profile(optimization_profile)

    started = time.perf_counter()  # how long the build took, for the manifest; no latency of a model
    serialized = builder.build_serialized_network(network, config)
    build_seconds = time.perf_counter() - started
    if serialized is None:
        raise BackendError(
            asked=f"{asked} for " + ", ".join(f"{shape_list(each, 0)} to {shape_list(each, 2)}" for each in shapes),
            happened=logger.errors(),
            affected=_SPOILED,
            fix="compare the shapes with those of the ONNX file, or try another opset or precision",
        )
    return BuiltEngine(
        serialized=bytes(serialized),
        build_seconds=round(build_seconds, 3),
        library_version=loaded,
        compute_capability=None if api.portable else current_capability(),
        layers=tuple(layers_of_listing(text for _, text in logger.messages)),
        equivalent_commands=equivalent_commands(api, shapes, has_attention=has_attention),
    )


def inspect_with(api: Api, serialized: bytes, version: str) -> Inspection:
    """Layers of an engine in its own words, where a GPU lets it be loaded; never raises for the lack of one.

    Args:
        api: the library.
        serialized: the engine.
        version: of the library that built it, or 'installed'.
    """
    if not nvidia_gpus():
        return Inspection(None, "not confirmed: no NVIDIA GPU")
    trt = import_library(api.library, version)
    logger = collect_messages(trt, verbose=False)
    try:
        engine = trt.Runtime(logger).deserialize_cuda_engine(serialized)
    except (RuntimeError, TypeError) as error:  # what the bindings make of a runtime that cannot be made
        return Inspection(None, f"not confirmed: {type(error).__name__}: {error} ({logger.errors()})")
    if engine is None:
        return Inspection(None, f"not confirmed: the engine could not be loaded here ({logger.errors()})")
    return inspect_engine(trt, engine)


def inspect_engine(trt: Any, engine: "tensorrt.ICudaEngine") -> Inspection:
    """Layers of a loaded engine from its engine inspector."""
    text = engine.create_engine_inspector().get_engine_information(trt.LayerInformationFormat.JSON)
    try:
        layers = layers_of_inspector(text)
    except ValueError as error:
        reason = f"not confirmed: the engine inspector's JSON is unknown ({error})"
        return Inspection(None, reason)
    if not layers:
        return Inspection(None, "not confirmed: the engine inspector lists no layers with their types")
    return Inspection(tuple(layers), "listed by the engine inspector")


def _describe(error: Any) -> str:
    """One error of the ONNX parser with the node it is about."""
    node = f"node {error.node_name()!r} ({error.node_operator()}): " if error.node_operator() else ""
    return f"{node}{' '.join(error.desc().split())}"


def _check_signature(network: "tensorrt.INetworkDefinition", signature: Signature, asked: str) -> None:
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
            affected=_SPOILED,
            fix="export the checkpoint anew; the two files belong together",
        )


def _refuse_int8_convolutions(api: Api, trt: Any, network: "tensorrt.INetworkDefinition", asked: str) -> None:
    """Raise BackendError, with their names, for convolutions on INT8 inputs.

    TensorRT-RTX has no kernel for them (each tried failed, 1.6.1.120, every target), and its own message names neither
    the layer nor the cause.
    """
    producers: dict[str, tensorrt.ILayer] = {}
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
            f"and {api.library.title} has no INT8 convolution",
            affected=_SPOILED,
            fix="start the engine from an FP16 or FP32 row, or run the INT8 row on another backend",
        )


def _allow_decomposed_attention(trt: Any, network: "tensorrt.INetworkDefinition") -> bool:
    """Let attention layers fall apart where no fused kernel exists (FP32 has none); fused ones stay fused.

    Returns:
        Whether the network has an attention layer.
    """
    kind = getattr(trt.LayerType, "ATTENTION_INPUT", None)  # versions before it expand the operator themselves
    has_attention = False
    for at in range(network.num_layers):
        layer: Any = network.get_layer(at)
        if kind is not None and layer.type == kind:
            layer.__class__ = trt.IAttentionInputLayer  # get_layer returns the base class, which lacks `attention`
            layer.attention.decomposable = True
            has_attention = True
    return has_attention
