"""The server's routes: Open Inference Protocol v2, POST /predict, /metrics, and a page that says how it is asked."""

import itertools
import json
import math
import re
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from . import protocol
from .errors import InputError, PackageError
from .page import openapi, page
from .service import Refused, Service, log

_RUN, _NUMBERS = uuid.uuid4().hex[:16], itertools.count(1)  # of ids that callers do not give
_ID = re.compile(r"[\w.:-]{1,64}")


def _sentence(error: PackageError) -> str:
    return f"{error.asked}: {error.happened}; {error.fix}"


Handler = Callable[[Service, Request], Awaitable[Response]]


def _json(content: Any, status: int = 200) -> Response:
    return JSONResponse(content, status)


def _refusal(status: int, sentence: str, retry_s: float | None = None) -> Response:
    sentence = sentence.encode("utf-8", "backslashreplace").decode()  # of a request may come half of a surrogate pair
    headers = {} if retry_s is None else {"Retry-After": str(max(1, math.ceil(retry_s)))}
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse({"error": sentence}, status, headers)


def _model(service: Service, request: Request) -> None:
    name, version = request.path_params["model"], request.path_params.get("version", protocol.VERSION)
    if name != service.package.name or version != protocol.VERSION:
        own = f"{service.package.name}, version {protocol.VERSION}"
        raise Refused(404, f"there is no model {name[:80]!r}, version {version[:20]!r}, here: this server has {own}")


async def _live(service: Service, request: Request) -> Response:
    return _json({"live": True})


async def _ready(service: Service, request: Request) -> Response:
    if service.answering.ready:
        return _json({"ready": True})
    return _refusal(503, f"the model is not ready: {service.answering.failure or 'it is being started'}", 1)


async def _server(service: Service, request: Request) -> Response:
    return _json({"name": "package_runtime", "version": protocol.VERSION, "extensions": protocol.EXTENSIONS})


async def _model_ready(service: Service, request: Request) -> Response:
    _model(service, request)
    if not service.answering.ready:
        return await _ready(service, request)
    return _json({"name": service.package.name, "ready": True})


async def _metadata(service: Service, request: Request) -> Response:
    _model(service, request)
    return _json(protocol.metadata(service.package))


async def _infer(service: Service, request: Request) -> Response:
    _model(service, request)
    body = await service.body(request)
    asked = protocol.parse_infer(service.package, body, request.headers.get("inference-header-content-length"))
    content, json_bytes = protocol.infer_response(service.package, asked, await service.answers(asked.rows))
    if json_bytes is None:
        return Response(content, media_type="application/json")
    headers = {"Inference-Header-Content-Length": str(json_bytes)}
    return Response(content, headers=headers, media_type="application/octet-stream")


async def _predict(service: Service, request: Request) -> Response:
    body, is_text = await service.body(request), service.package.is_text
    if not is_text and request.headers.get("content-type", "").startswith("image/"):
        rows: Any = [body]
    else:
        key = "texts" if is_text else "images"
        content = protocol.decoded(body)
        if (wrong := _wrong(content, key)) is not None:
            raise Refused(400, f'{wrong}: send a JSON object with one list alone, {{"{key}": […]}}')
        rows = content[key] if is_text else [protocol.unbase64(image) for image in content[key]]
    answers = await service.answers(rows)
    content = {"model": service.package.name, "answers": [vars(answer) for answer in answers]}
    return Response(json.dumps(content, ensure_ascii=False), media_type="application/json")


def _wrong(content: Any, key: str) -> str | None:
    """What keeps a body from being an object with one list."""
    if not isinstance(content, dict):
        return "the body is no JSON object"
    if key not in content:
        return f"the body has no {key!r}" + (f", but {', '.join(map(repr, content))[:200]}" if content else "")
    if len(content) > 1:
        return f"the body has {', '.join(repr(name) for name in content if name != key)[:200]} beside {key!r}"
    return None if isinstance(content[key], list) else f"{key!r} is no list"


async def _metrics(service: Service, request: Request) -> Response:
    return Response(await service.answering.metrics_text(), media_type=CONTENT_TYPE_LATEST)


async def _openapi(service: Service, request: Request) -> Response:
    return _json(openapi(service.package, service.limits.rows))


async def _page(service: Service, request: Request) -> Response:
    return HTMLResponse(page(openapi(service.package, service.limits.rows)))


ROUTES: tuple[tuple[str, str, Handler], ...] = (  # in the order in which they are looked through
    ("POST", "/predict", _predict),
    ("POST", "/v2/models/{model}/infer", _infer),
    ("GET", "/v2/health/live", _live),
    ("GET", "/v2/health/ready", _ready),
    ("GET", "/v2", _server),
    ("GET", "/v2/models/{model}", _metadata),
    ("GET", "/v2/models/{model}/versions/{version}", _metadata),
    ("GET", "/v2/models/{model}/ready", _model_ready),
    ("GET", "/v2/models/{model}/versions/{version}/ready", _model_ready),
    ("POST", "/v2/models/{model}/versions/{version}/infer", _infer),
    ("GET", "/metrics", _metrics),
    ("GET", "/openapi.json", _openapi),
    ("GET", "/docs", _page),
)


def _endpoint(service: Service, route: str, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        began, given = time.perf_counter(), request.headers.get("x-request-id", "")
        identity = given if _ID.fullmatch(given) else f"{_RUN}-{next(_NUMBERS)}"
        try:
            service.check_key(request)
            response = await handler(service, request)
        except Refused as refusal:
            response = _refusal(refusal.status, refusal.sentence, refusal.retry_s)
        except InputError as error:
            response = _refusal(400, _sentence(error))
        except ClientDisconnect:
            response = _refusal(400, "the body ended before it was whole")
        except PackageError as error:
            response = _refusal(500, _sentence(error))
        except Exception as error:  # a fault of this server's: said, logged, and the server goes on
            log("fault", id=identity, path=request.url.path[:200], error=f"{type(error).__name__}: {error}")
            response = _refusal(500, "this server failed at this request; its log names the fault by the request's id")
        response.headers["X-Request-ID"] = identity
        service.done(request, route, response.status_code, began, identity)
        return response

    return answer


def application(service: Service) -> Starlette:
    """The routes as an ASGI application."""

    async def other(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 404
        said = "takes another method" if status == 405 else "is none of this server's"
        service.answering.requests.done("other", status)
        return _refusal(status, f"{request.method} {request.url.path[:80]}: this path {said}; see /docs")

    routes = [Route(route, _endpoint(service, route, own), methods=[method]) for method, route, own in ROUTES]
    return Starlette(routes=routes, exception_handlers={404: other, 405: other})
