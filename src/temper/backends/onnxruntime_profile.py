"""ONNX Runtime's profile: which nodes were executed where, in what precision, and in what time."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from temper.backends.execution_providers import CPU, FUSING, not_active
from temper.backends.trace import FLOATING_OR_QUANTIZED, ExecutedLayer, precision_name

# They read floats and quantise them inside, from each batch's own range.
QUANTIZING_OPERATORS = ("DynamicQuantizeMatMul", "DynamicQuantizeLSTM")
NOT_LISTED = "not listed"  # a precision
CONTROL_FLOW = ("If", "Loop", "Scan")  # their time is that of the nodes inside them, which are listed too
FALLBACK_FIX = (
    "set allow_cpu_fallback: true in the backend's row to allow and list them, or drop the row from params.yaml; where "
    "the provider could not be loaded at all, the log names the libraries that it lacks (docs/install.md)"
)


def executed_layers(events: Iterable[Mapping[str, Any]], *, provider: str) -> tuple[ExecutedLayer, ...]:
    """Nodes of a profile in the order in which they first ran; the session's first call warms up and is left out.

    Only the CPU's nodes have times: the GPU works on after a node's code has returned. What a node that a TensorRT
    provider has fused computes in is not listed.

    Args:
        events: the parsed profile of a session that was called at least twice.
        provider: the row's.
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
            precision=NOT_LISTED if provider in FUSING and found["provider"] != CPU else _precision(found),
            device=found["provider"],
            time_ms=times_ms[node] / (len(calls) - 1)
            if provider == CPU and found["op_name"] not in CONTROL_FLOW
            else None,
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
        ProviderNotActive: there are such nodes, and the row does not allow them; or there are no nodes at all.
    """
    layers = list(layers)
    if not layers:
        raise not_active(asked, "the profile lists no node that was executed: nothing shows where it ran")
    away = [layer for layer in layers if layer.device != wanted]
    refused = [layer for layer in away if layer.device != CPU or not allow_cpu_fallback]
    if refused:
        providers = " and ".join(sorted({layer.device for layer in refused}))
        named = ", ".join(f"{layer.type} {layer.name!r}" for layer in refused[:5])
        raise not_active(
            asked,
            f"{len(refused)} of {len(layers)} nodes ran on {providers}: {named}{', …' if refused[5:] else ''}",
            fix=FALLBACK_FIX,
        )
    return tuple(f"{layer.type} {layer.name}" for layer in away)
