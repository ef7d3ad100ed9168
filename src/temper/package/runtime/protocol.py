"""The Open Inference Protocol, version 2, over HTTP: tensors in JSON, or behind it in bytes (its binary extension)."""

import base64
import binascii
import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .answers import Answers, outputs_of
from .errors import InputError
from .model import Package

TEXT, IMAGE = "TEXT", "IMAGE"
VERSION = "1"
EXTENSIONS = ["binary_tensor_data"]
_DTYPES = {"FP32": "<f4", "BOOL": "?"}  # of a tensor in bytes


@dataclass(frozen=True)
class Inference:
    """One request.

    Attributes:
        rows: texts, pairs, or the bytes of image files.
        id: the caller's; None where it gave none.
        wanted: outputs by name, each with whether it goes out as bytes.
    """

    rows: list[Any]
    id: str | None
    wanted: dict[str, bool]


def refused(happened: str, fix: str) -> InputError:
    """The error of a request that is not what the protocol, or this model, takes."""
    return InputError(asked="infer", happened=happened, affected="this request", fix=fix)


def decoded(body: bytes) -> Any:
    """What a JSON body says.

    Raises:
        InputError: it is no UTF-8, or no JSON.
    """
    try:
        return json.loads(body.decode("utf-8"), parse_constant=_no_number)
    except UnicodeDecodeError as error:
        happened, fix = f"the body is not UTF-8: {error.reason} at byte {error.start}", "send JSON in UTF-8"
    except (ValueError, RecursionError) as error:
        happened, fix = f"the body is no JSON: {' '.join(str(error).split())[:200]}", "send a JSON object"
    raise InputError(asked="read the request", happened=happened, affected="this request", fix=fix)


def _no_number(word: str) -> float:
    raise ValueError(f"{word} is no number of JSON")


def _object(value: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise refused(f"{what} is a {type(value).__name__}, where an object is expected", "see /docs")
    return value


def metadata(package: Package) -> dict[str, Any]:
    """Inputs and outputs of the model, in the protocol's words."""
    shape = [-1, package.texts_per_row if package.is_text else 1]
    return {
        "name": package.name,
        "versions": [VERSION],
        "platform": f"package_{package.manifest['runner']['name']}",
        "inputs": [{"name": TEXT if package.is_text else IMAGE, "datatype": "BYTES", "shape": shape}],
        "outputs": [
            {"name": output.name, "datatype": output.datatype, "shape": [-1, output.width]}
            for output in outputs_of(package.signature.labels, package.signature.label_names)
        ],
    }


def parse_infer(package: Package, body: bytes, json_bytes: str | None) -> Inference:
    """A body of POST …/infer.

    Args:
        package: whose model is asked.
        body: of the request.
        json_bytes: the header Inference-Header-Content-Length: bytes of JSON, behind which tensors stand; None: all of it.

    Raises:
        InputError: it is not what the protocol, or this model, takes.
    """
    head, tail = _split(body, json_bytes)
    content = _object(decoded(head), "the body")
    identity = content.get("id")
    if identity is not None and (not isinstance(identity, str) or not _is_whole(identity)):
        raise refused("id is no text, or holds half of a surrogate pair", "give a text, or leave it out")
    given = content.get("inputs")
    if not isinstance(given, list) or len(given) != 1:
        raise refused("inputs is no list of one tensor", f"give one, {TEXT if package.is_text else IMAGE}")
    rows, rest = _rows(package, _object(given[0], "inputs[0]"), tail)
    if rest:
        raise refused(
            f"{len(rest):,} bytes stand behind the last tensor", "let binary_data_size agree with what is sent"
        )
    binary = bool(_object(content.get("parameters", {}), "parameters").get("binary_data_output", False))
    return Inference(rows, identity, _wanted(package, content.get("outputs"), binary))


def _is_whole(text: str) -> bool:
    """Whether a text is one of letters: JSON can name half of a surrogate pair, which no answer can hold."""
    return not any("\ud800" <= letter <= "\udfff" for letter in text)


def _split(body: bytes, json_bytes: str | None) -> tuple[bytes, bytes]:
    if json_bytes is None:
        return body, b""
    if not json_bytes.isascii() or not json_bytes.isdigit() or len(json_bytes) > 12 or int(json_bytes) > len(body):
        raise refused(
            f"Inference-Header-Content-Length is {json_bytes[:40]!r}, and the body has {len(body):,} bytes",
            "give the bytes of the JSON in front of the tensors",
        )
    return body[: int(json_bytes)], body[int(json_bytes) :]


def _rows(package: Package, tensor: Mapping[str, Any], tail: bytes) -> tuple[list[Any], bytes]:
    name = TEXT if package.is_text else IMAGE
    columns = package.texts_per_row if package.is_text else 1
    if tensor.get("name") != name:
        raise refused(f"the tensor is called {str(tensor.get('name'))[:60]!r}", f"this model takes {name}")
    if tensor.get("datatype") != "BYTES":
        raise refused(f"its datatype is {str(tensor.get('datatype'))[:60]!r}", "send BYTES")
    shape = tensor.get("shape")
    if (
        not isinstance(shape, list)
        or not all(isinstance(size, int) and not isinstance(size, bool) and size > 0 for size in shape)
        or (len(shape) != 2 and (len(shape) != 1 or columns != 1))
        or (len(shape) == 2 and shape[1] != columns)
    ):
        raise refused(f"its shape is {str(shape)[:60]}", f"send [rows, {columns}]")
    count = shape[0] * columns
    size = _object(tensor.get("parameters", {}), "its parameters").get("binary_data_size")
    if size is None:
        values = list(_flat(tensor.get("data"), count))
        elements = [_element(value, package.is_text) for value in values]
    else:
        if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= len(tail):
            raise refused(f"binary_data_size is {str(size)[:40]}, and {len(tail):,} bytes were sent", "let them agree")
        elements, tail = _unpacked(tail[:size], package.is_text), tail[size:]
    if len(elements) != count:
        raise refused(f"its shape has {count:,} elements, its data {len(elements):,}", "let them agree")
    if columns == 1:
        return elements, tail
    return [elements[at : at + columns] for at in range(0, count, columns)], tail


def _flat(data: Any, count: int) -> Sequence[Any]:
    if not isinstance(data, list):
        raise refused("its data is no list", "send a list, or binary_data_size and the bytes")
    flat = [one for value in data for one in (value if isinstance(value, list) else [value])]
    if len(flat) != count:
        raise refused(f"its shape has {count:,} elements, its data {len(flat):,}", "let them agree")
    return flat


def _element(value: Any, is_text: bool) -> str | bytes:
    if not isinstance(value, str):
        raise refused(f"its data holds a {type(value).__name__}", "send texts" if is_text else "send base64")
    return value if is_text else unbase64(value)


def unbase64(value: Any) -> bytes:
    """The bytes of a base64 text.

    Raises:
        InputError: it is none.
    """
    if isinstance(value, str):
        try:
            return base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            pass
    raise refused("an image is no base64", "send the bytes of an image file in base64")


def _unpacked(data: bytes, is_text: bool) -> list[Any]:
    """Elements of BYTES: each has its length in front, four bytes, the least first."""
    found: list[Any] = []
    at = 0
    while at < len(data):
        if at + 4 > len(data):
            raise refused("the last element's length is cut off", "send whole elements")
        (size,) = struct.unpack_from("<I", data, at)
        at += 4
        if at + size > len(data):
            raise refused(f"an element of {size:,} bytes is cut off", "send whole elements")
        element = data[at : at + size]
        at += size
        if is_text:
            try:
                found.append(element.decode("utf-8"))
            except UnicodeDecodeError as error:
                happened = f"a text is not UTF-8: {error.reason} at its byte {error.start}"
                raise refused(happened, "send UTF-8") from None
        else:
            found.append(element)
    return found


def _wanted(package: Package, outputs: Any, binary: bool) -> dict[str, bool]:
    known: list[str] = [output["name"] for output in metadata(package)["outputs"]]
    if outputs is None or outputs == []:
        return dict.fromkeys(known, binary)
    if not isinstance(outputs, list):
        raise refused("outputs is no list", "leave it out, or name " + ", ".join(known))
    wanted: dict[str, bool] = {}
    for output in outputs:
        name = str(_object(output, "an output").get("name"))
        if name not in known:
            raise refused(f"there is no output {name[:60]!r}", "name " + ", ".join(known))
        parameters = _object(output.get("parameters", {}), "an output's parameters")
        wanted[name] = bool(parameters.get("binary_data", binary))
    return wanted


def infer_response(package: Package, asked: Inference, answers: Answers) -> tuple[bytes, int | None]:
    """The body of the answer, and how much of it is JSON where bytes follow; None where it is all."""
    known = {output.name: output for output in outputs_of(package.signature.labels, package.signature.label_names)}
    outputs, tail = [], b""
    for name, as_bytes in asked.wanted.items():
        kind = known[name]
        data = [value for answer in answers for value in kind.read(answer)]
        output: dict[str, Any] = {"name": name, "datatype": kind.datatype, "shape": [len(answers), kind.width]}
        if as_bytes:
            own = _packed(data) if kind.datatype == "BYTES" else np.asarray(data, _DTYPES[kind.datatype]).tobytes()
            output["parameters"] = {"binary_data_size": len(own)}
            tail += own
        else:
            output["data"] = data
        outputs.append(output)
    content: dict[str, Any] = {"model_name": package.name, "model_version": VERSION, "outputs": outputs}
    if asked.id is not None:
        content["id"] = asked.id
    head = json.dumps(content, ensure_ascii=False).encode()
    return head + tail, len(head) if any(asked.wanted.values()) else None


def _packed(texts: Sequence[str]) -> bytes:
    return b"".join(struct.pack("<I", len(own)) + own for own in (text.encode() for text in texts))
