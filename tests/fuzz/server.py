"""A package's server, asked in this process: its routes, its protocol and its encoders, with a model that answers zeros."""

import asyncio
import json
import struct
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tests.fuzz.judge import Reader

STATUSES = {200, 400, 401, 404, 405, 408, 413, 429, 503}
IMAGE_SETTINGS = {"do_resize": True, "size": {"height": 8, "width": 8}, "do_rescale": True, "rescale_factor": 0.5}


def _service(tokenizer: Mapping[str, bytes], task: str) -> Any:
    from temper.package.runtime.http import application
    from temper.package.runtime.images import ImageEncoder
    from temper.package.runtime.metrics import Metrics, Requests
    from temper.package.runtime.model import Package
    from temper.package.runtime.service import Limits, Service
    from temper.package.runtime.signature import Signature, TensorSpec
    from temper.package.runtime.text import TextEncoder

    package = object.__new__(Package)
    is_text = task == "text-classification"
    names = ("input_ids", "attention_mask") if is_text else ("pixel_values",)
    specs = tuple(TensorSpec(name, "int64" if is_text else "float32", ("batch_size", 3, 8, 8), 0) for name in names)
    package.signature = Signature(task, specs, ("no", "yes"), "right", None)
    package.manifest, package.is_text = {"runner": {"name": "onnxruntime"}, "study": {"name": "tiny"}}, is_text
    package._text, package._image = None, None
    with tempfile.TemporaryDirectory() as scratch:
        for name, content in {**tokenizer, "preprocessor_config.json": json.dumps(IMAGE_SETTINGS).encode()}.items():
            (Path(scratch) / name).write_bytes(content)
        if is_text:
            package._text = TextEncoder(Path(scratch), names, max_tokens=16, texts_per_row=1)
        else:
            package._image = ImageEncoder(Path(scratch))

    class Zeros:
        ready, failure, most_waiting, requests = True, None, 9, Requests()

        async def submit(self, values: Mapping[str, Any], lengths: list[int]) -> Any:
            return np.zeros((len(lengths), 2), np.float32)

        async def metrics_text(self) -> bytes:
            return Metrics(self.requests).text(waiting=0, ready=True, starts=1, tokens=0)

    return application(Service(package, Zeros(), Limits(100_000, 64, 1.0), key=None, say=False))


async def _ask(app: Any, method: str, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
    said: list[dict[str, Any]] = []
    parts = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> dict[str, Any]:
        return parts.pop(0) if parts else {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        said.append(message)

    given = [
        (name.lower().encode("utf-8", "replace"), value.encode("utf-8", "replace")) for name, value in headers.items()
    ]
    scope = {
        "type": "http", "method": method, "path": path, "raw_path": path.encode("utf-8", "replace"), "query_string": b"",
        "headers": given, "http_version": "1.1", "scheme": "http", "server": ("127.0.0.1", 80), "client": ("127.0.0.1", 1),
        "root_path": "", "asgi": {"version": "3.0"},
    }  # fmt: skip
    await app(scope, receive, send)
    return said[0]["status"], b"".join(message.get("body", b"") for message in said[1:])


def _is_answer(found: tuple[int, bytes]) -> bool:
    """A status of those that are meant; an error says what and why; an answer has a label for each row."""
    status, body = found
    if status not in STATUSES:
        return False
    if status != 200:
        return set(json.loads(body)) == {"error"} and len(body) < 4000
    return bool(body)


def server_readers(tokenizer: Mapping[str, bytes], png: bytes) -> list[Reader]:
    """Requests of each kind; corrupted in the body, or in method, path and headers."""
    apps: dict[str, Any] = {}

    def app(task: str) -> Any:
        if task not in apps:
            apps[task] = _service(tokenizer, task)
        return apps[task]

    def asked(task: str, path: str, headers: Mapping[str, str]) -> Callable[[Path], Any]:
        return lambda file: asyncio.run(_ask(app(task), "POST", path, headers, file.read_bytes()))

    def whole(file: Path) -> Any:
        from temper.errors import DataError

        try:
            content = json.loads(file.read_bytes())
            headers = {str(name): str(value) for name, value in dict(content["headers"]).items()}
            method, path = str(content["method"])[:50].upper() or "GET", f"/{str(content['path']).lstrip('/')}"
            body = str(content["body"]).encode("utf-8", "replace")
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):  # no request at all: never sent
            raise DataError(asked="send it", happened="it is no request", affected="nothing", fix="send one") from None
        return asyncio.run(_ask(app("text-classification"), method, path, headers, body))

    texts = {"texts": ["a charming film", "dull"]}
    tensor = {"name": "TEXT", "datatype": "BYTES", "shape": [2, 1], "data": ["a film", "dull"], "parameters": {}}
    infer = {
        "id": "x",
        "inputs": [tensor],
        "outputs": [{"name": "LABEL", "parameters": {"binary_data": False}}],
        "parameters": {},
    }
    elements = b"".join(struct.pack("<I", len(text)) + text for text in (b"a film", b"dull"))
    sized = {**tensor, "parameters": {"binary_data_size": len(elements)}}
    del sized["data"]
    head = json.dumps({"inputs": [sized], "parameters": {"binary_data_output": True}}).encode()
    request = {
        "method": "POST",
        "path": "/v2/models/tiny/versions/1/infer",
        "headers": {
            "content-type": "application/json",
            "x-request-id": "a",
            "content-length": "9",
            "inference-header-content-length": "300",
        },
        "body": json.dumps(infer),
    }
    text, image = "text-classification", "image-classification"
    path = "/v2/models/tiny/infer"
    return [
        Reader("server /predict", "json", json.dumps(texts).encode(), asked(text, "/predict", {}), _is_answer),
        Reader("server infer", "json", json.dumps(infer).encode(), asked(text, path, {}), _is_answer),
        Reader(
            "server infer, bytes",
            "bytes",
            head + elements,
            asked(text, path, {"Inference-Header-Content-Length": str(len(head))}),
            _is_answer,
        ),
        Reader("server image", "bytes", png, asked(image, "/predict", {"Content-Type": "image/png"}), _is_answer),
        Reader("server request", "json", json.dumps(request).encode(), whole, _is_answer),
    ]
