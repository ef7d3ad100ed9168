"""How the server is asked: an OpenAPI description, and a page of it that loads nothing from elsewhere."""

import html
import json
from typing import Any

import numpy as np

from .model import Package


def _answer(package: Package) -> Any:
    """An answer that the model might give."""
    logits = np.zeros((1, 1 if package.signature.labels == "score" else len(package.signature.label_names)), np.float32)
    return package.answers(logits)[0]


def openapi(package: Package, most_rows: int) -> dict[str, Any]:
    """The description of this server's routes, with examples that it would answer."""
    labels = package.signature.label_names
    name, example = package.name, _answer(package)
    if package.is_text:
        row: Any = "a charming film" if package.texts_per_row == 1 else ["a question", "a sentence"]
        flat = [row] if package.texts_per_row == 1 else row
        predict, tensor = {"texts": [row]}, {"name": "TEXT", "shape": [1, package.texts_per_row], "data": flat}
    else:
        image = "iVBORw0KGgo…"
        predict, tensor = {"images": [image]}, {"name": "IMAGE", "shape": [1, 1], "data": [image]}
    infer = {"inputs": [{**tensor, "datatype": "BYTES"}]}

    def described(text: str, body: Any = None, answer: Any = None) -> dict[str, Any]:
        found: dict[str, Any] = {
            "summary": text,
            "responses": {
                "200": {"description": "answered", "content": {"application/json": {"example": answer}}},
                "4XX": {"description": 'refused: {"error": a sentence}'},
                "503": {"description": "not now: Retry-After says when"},
            },
        }
        if body is not None:
            found["requestBody"] = {"required": True, "content": {"application/json": {"example": body}}}
        return found

    rows = f"at most {most_rows:,} rows in a request"
    answered = {"model": name, "answers": [vars(example)]}
    outputs = [{"name": "LABEL", "datatype": "BYTES", "shape": [1, 1], "data": [example.label]}]
    return {
        "openapi": "3.1.0",
        "info": {"title": f"{name}: {', '.join(labels)}", "version": package.manifest["candidate"]},
        "paths": {
            "/predict": {"post": described(f"answers; {rows}", predict, answered)},
            f"/v2/models/{name}/infer": {
                "post": described(
                    f"Open Inference Protocol v2; {rows}", infer, {"model_name": name, "outputs": outputs}
                )
            },
            f"/v2/models/{name}": {"get": described("inputs and outputs of the model")},
            f"/v2/models/{name}/ready": {"get": described("whether the model takes calls")},
            "/v2": {"get": described("the server")},
            "/v2/health/live": {"get": described("whether the server runs")},
            "/v2/health/ready": {"get": described("whether it takes requests")},
            "/metrics": {"get": described("figures for Prometheus")},
        },
    }


def page(description: dict[str, Any]) -> str:
    """The description as a page."""
    parts = []
    for path, methods in description["paths"].items():
        for method, own in methods.items():
            body = own.get("requestBody", {}).get("content", {}).get("application/json", {}).get("example")
            shown = ""
            if body is not None:
                command = f"curl -s localhost:8080{path} -H 'Content-Type: application/json' -d '{json.dumps(body)}'"
                shown = f"<pre>{html.escape(command)}</pre>"
            title = f"{method.upper()} {path}"
            parts.append(f"<h2><code>{html.escape(title)}</code></h2><p>{html.escape(own['summary'])}</p>{shown}")
    title = html.escape(description["info"]["title"])
    style = "body{font:16px sans-serif;max-width:50em;margin:2em auto}pre{background:#eee;padding:1em;overflow:auto}"
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{style}</style>'
        f'<h1>{title}</h1><p><a href="openapi.json">openapi.json</a></p>{"".join(parts)}</html>'
    )
