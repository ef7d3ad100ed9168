"""Layers of a built engine and the precision of each, read from what TensorRT itself lists.

TensorRT lists them twice: the builder as one verbose message, on any machine; the engine inspector as JSON, on a
machine with a GPU. Both carry the same fields; both are read into the same `Layer`.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from temper.reading.json_file import parse_json

# TensorRT's names of data types to the field's, narrowest first.
_FLOATING_OR_QUANTIZED = {
    "FP4": "FP4",
    "Int4": "INT4",
    "FP8": "FP8",
    "Int8": "INT8",
    "BFloat16": "BF16",
    "BF16": "BF16",
    "Half": "FP16",
    "FP16": "FP16",
    "TF32": "TF32",
    "Float": "FP32",
    "FP32": "FP32",
}
_WIDTH_ORDER = list(dict.fromkeys(_FLOATING_OR_QUANTIZED.values()))
NO_DATA = "no data"  # a layer that computes shapes on the host

_LISTING = "Layers:\n"
_TENSORS = r"\[(?P<{role}>|.*?\}})\]"  # empty, or up to the brace that closes the last tensor
_LINE = re.compile(
    r"^Name: (?P<name>.*?), LayerType: (?P<type>[^,]*), Inputs: "
    + _TENSORS.format(role="inputs")
    + r"(?:, Constants: "
    + _TENSORS.format(role="constants")
    + r")?, Outputs: "
    + _TENSORS.format(role="outputs")
    + r"(?P<rest>.*)$"
)
_TENSOR = re.compile(r"Dimensions: \[(?P<dimensions>[^\]]*)\].*?Datatype: (?P<type>[^,}]*)")
_SIZE = re.compile(r"-?\d{1,18}")
_ONNX_NODE = re.compile(r"\[ONNX Layer: ([^\]]*)\]")


@dataclass(frozen=True)
class Layer:
    """One layer of an engine; several ONNX nodes are usually fused into it.

    `precision` is the narrowest floating or quantized type among the activations it reads, else among its constants
    of more than one element, else among what it writes; integer and boolean tensors count only where there is
    nothing else. So a matrix product of INT8 tensors is INT8 whatever it writes, and the layer that quantizes its
    input is still FP32.
    """

    name: str
    type: str
    precision: str
    input_types: tuple[str, ...]
    constant_types: tuple[str, ...]
    output_types: tuple[str, ...]
    onnx_nodes: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """The layer for a manifest."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}


def _precision_name(datatype: str) -> str:
    """The field's name of a TensorRT data type, also where it stands inside a format ('Row major linear FP16')."""
    for word in datatype.replace("(", " ").split():
        if word in _FLOATING_OR_QUANTIZED:
            return _FLOATING_OR_QUANTIZED[word]
    return datatype.strip().upper()


def _make_layer(name: str, kind: str, tensors: dict[str, list[tuple[list[int], str]]], metadata: str) -> Layer:
    """A layer from its name, type, tensors (dimensions and TensorRT's data type, by role) and metadata."""
    names = {role: tuple(_precision_name(datatype) for _, datatype in entries) for role, entries in tensors.items()}
    weights = [
        precision
        for (dimensions, _), precision in zip(tensors["Constants"], names["Constants"], strict=True)
        if any(size != 1 for size in dimensions)  # scalars are scales and factors
    ]
    for types in (names["Inputs"], weights, names["Outputs"]):
        by_width = [type_ for type_ in _WIDTH_ORDER if type_ in types]
        if by_width:
            precision = by_width[0]
            break
    else:
        integers = [*names["Inputs"], *names["Outputs"]]
        precision = integers[0] if integers else NO_DATA
    return Layer(
        name=name,
        type=kind,
        precision=precision,
        input_types=names["Inputs"],
        constant_types=names["Constants"],
        output_types=names["Outputs"],
        onnx_nodes=tuple(_ONNX_NODE.findall(metadata)),
    )


def _braced(text: str) -> list[tuple[list[int], str]]:
    """Dimensions and data type of each `{ … }` of a verbose listing."""
    return [
        ([int(size) for size in _SIZE.findall(found["dimensions"])], found["type"]) for found in _TENSOR.finditer(text)
    ]


def layers_of_listing(messages: Iterable[str]) -> list[Layer]:
    """Layers from the builder's verbose messages; empty where none of them is a listing."""
    listing = next((message for message in messages if message.startswith(_LISTING)), _LISTING)
    block = listing.removeprefix(_LISTING).partition("\n\n")[0]
    layers = []
    for line in block.splitlines():
        if found := _LINE.match(line):
            tensors = {role: _braced(found[role.lower()] or "") for role in ("Inputs", "Constants", "Outputs")}
            layers.append(_make_layer(found["name"], found["type"], tensors, found["rest"]))
    return layers


def layers_of_inspector(text: str) -> list[Layer]:
    """Layers from the engine inspector's JSON; empty where the engine holds only their names.

    Raises:
        ValueError: the text is no JSON of that form.
    """
    try:
        return list(_inspected(parse_json(text)["Layers"]))
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from None


def _inspected(entries: Any) -> Iterator[Layer]:
    for entry in entries:
        if not isinstance(entry, dict):  # built without detailed profiling verbosity
            continue
        tensors = {
            role: [
                (list(tensor.get("Dimensions", [])), str(tensor.get("Datatype", tensor.get("Format/Datatype", ""))))
                for tensor in entry.get(role, [])
                if isinstance(tensor, dict)
            ]
            for role in ("Inputs", "Constants", "Outputs")
        }
        yield _make_layer(
            str(entry["Name"]), str(entry.get("LayerType", "unknown")), tensors, str(entry.get("Metadata", ""))
        )


def count_by_precision(layers: Iterable[Layer]) -> dict[str, int]:
    """Number of layers by precision, sorted by its name."""
    return dict(sorted(Counter(layer.precision for layer in layers).items()))
