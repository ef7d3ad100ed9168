"""The server's routes: Open Inference Protocol v2, POST /predict, /metrics, and a page that says how it is asked."""

import asyncio
import hmac
import json
import math
import re
import sys
import time
import uuid
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from . import protocol
from .batching import Batcher, TooMany
from .engine import Engine, Lost
from .errors import InputError, PackageError
from .model import Answer, Package
from .page import openapi, page

ENCODE_HERE = 32  # rows; more are tokenised beside the event loop, which goes on meanwhile
_ID = re.compile(r"[\w.:-]{1,64}")
SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)  # bounds of what is counted
ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
OPEN = ("/v2/health/live", "/v2/health/ready")  # asked by whoever starts and stops servers, without the key


@dataclass(frozen=True)
class Limits:
    """What a request may be.

    Attributes:
        body_bytes: of its body.
        rows: texts or images in it.
        timeout_s: until its body is there, and again until it is answered.
    """

    body_bytes: int
    rows: int
    timeout_s: float


class Refused(Exception):
    """A request that is not answered: HTTP's status, the sentence, and when to try again."""

    def __init__(self, status: int, sentence: str, *, retry_s: float | None = None) -> None:
        self.status, self.sentence, self.retry_s = status, sentence, retry_s
        super().__init__(sentence)


def log(event: str, **facts: Any) -> None:
    """One line of JSON on standard error."""
    line = {"time": time.strftime("%Y-%m-%dT%H:%M:%S%z"), "event": event, **facts}
    print(json.dumps(line, ensure_ascii=False), file=sys.stderr, flush=True)


class Metrics:
    """What Prometheus reads."""

    def __init__(self) -> None:
        own = self.registry = CollectorRegistry()
        self.requests = Counter("package_requests", "Requests by route and status", ("route", "status"), registry=own)
        self.seconds = Histogram(
            "package_request_seconds", "From a request's head to its answer", ("route",), buckets=SECONDS, registry=own
        )
        self.rows = Counter("package_rows", "Rows that were answered", registry=own)
        self.tokens = Gauge("package_computed_tokens", "Tokens that were computed, padding included", registry=own)
        self.call_rows = Histogram("package_call_rows", "Rows in a call of the model", buckets=ROWS, registry=own)
        self.waiting = Gauge("package_waiting_rows", "Rows that wait for a call", registry=own)
        self.ready = Gauge("package_ready", "Whether the model takes calls", registry=own)
        self.starts = Gauge("package_model_starts", "How often the model's process was started", registry=own)


class Service:
    """What the routes work on. One for a server."""

    def __init__(
        self, package: Package, engine: Engine, batcher: Batcher, limits: Limits, *, key: str | None, say: bool
    ) -> None:
        """Put it together.

        Args:
            package: whose rows are encoded here.
            engine: has its model.
            batcher: forms the calls.
            limits: of a request.
            key: that callers have to give; None: whoever reaches the server is answered.
            say: log a line for each request.
        """
        self.package, self.engine, self.batcher, self.limits = package, engine, batcher, limits
        self._key = None if key is None else key.encode()
        self._say, self.metrics = say, Metrics()
        self._encoding = ThreadPoolExecutor(1, "encode")
        batcher.counts.sizes = self.metrics.call_rows.observe

    def check_key(self, request: Request) -> None:
        """Raise Refused where the caller gave no key, or another one."""
        if self._key is None or request.url.path in OPEN:
            return
        given = request.headers.get("x-api-key") or request.headers.get("authorization", "").removeprefix("Bearer ")
        if not hmac.compare_digest(given.encode("utf-8", "replace"), self._key):
            raise Refused(
                401, "no API key, or another one than this server's: send it as X-API-Key, or as a bearer token"
            )

    async def body(self, request: Request) -> bytes:
        """The request's body, which may neither be large nor slow.

        Raises:
            Refused: it is.
        """
        most = self.limits.body_bytes
        too_large = Refused(
            413, f"the body has more than {most:,} bytes: send fewer rows, or start with a larger --max-body-mib"
        )
        said = request.headers.get("content-length", "")
        if said.isascii() and said.isdigit() and (len(said) > 15 or int(said) > most):
            raise too_large
        parts, size = [], 0
        try:
            async with asyncio.timeout(self.limits.timeout_s):
                async for part in request.stream():
                    size += len(part)
                    if size > most:
                        raise too_large
                    parts.append(part)
        except TimeoutError:
            raise Refused(408, f"the body did not arrive within {self.limits.timeout_s:g} s: send it whole") from None
        return b"".join(parts)

    async def answers(self, rows: list[Any]) -> list[Answer]:
        """Answers to rows.

        Raises:
            InputError: one is no text or image.
            Refused: there are too many, or they are not answered in time.
        """
        if not rows:
            raise Refused(400, "there are no rows: send at least one")
        if len(rows) > self.limits.rows:
            raise Refused(
                413,
                f"{len(rows):,} rows, and a request has at most {self.limits.rows:,}: send them in several requests",
            )
        if not self.engine.ready:
            raise Refused(503, "the model is being started again: try again", retry_s=1)
        if len(rows) <= ENCODE_HERE and self.package.is_text:
            encoded = self.package.encode(rows)
        else:
            loop = asyncio.get_running_loop()
            encoded = await loop.run_in_executor(self._encoding, self.package.encode, rows)
        try:
            async with asyncio.timeout(self.limits.timeout_s):
                logits = await self.batcher.submit(encoded.values, encoded.lengths)
        except TooMany as busy:
            most = f"{self.batcher.most_waiting:,} rows wait already"
            raise Refused(429, f"{most}: try again later", retry_s=busy.retry_s) from None
        except Lost:
            raise Refused(503, "the model's process ended: another one is being started", retry_s=1) from None
        except TimeoutError:
            raise Refused(503, f"it was not answered within {self.limits.timeout_s:g} s", retry_s=5) from None
        self.metrics.rows.inc(len(rows))
        return self.package.answers(logits, encoded.cut)

    def metrics_text(self) -> bytes:
        """What /metrics answers."""
        self.metrics.waiting.set(self.batcher.waiting)
        self.metrics.ready.set(float(self.engine.ready))
        self.metrics.starts.set(self.engine.starts)
        self.metrics.tokens.set(self.batcher.counts.tokens)
        return generate_latest(self.metrics.registry)

    def done(self, request: Request, route: str, status: int, began: float, identity: str) -> None:
        """Count and log a request."""
        seconds = time.perf_counter() - began
        self.metrics.requests.labels(route, str(status)).inc()
        self.metrics.seconds.labels(route).observe(seconds)
        if self._say:
            path = request.url.path[:200]
            log("request", id=identity, method=request.method, path=path, status=status, ms=round(1000 * seconds, 3))


def _sentence(error: PackageError) -> str:
    return f"{error.asked}: {error.happened}; {error.fix}"


Handler = Callable[[Service, Request], Awaitable[Response]]


def _json(content: Any, status: int = 200) -> Response:
    return JSONResponse(content, status)


def _refusal(status: int, sentence: str, retry_s: float | None = None) -> Response:
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
    if service.engine.ready:
        return _json({"ready": True})
    return _refusal(503, f"the model is not ready: {service.engine.failure or 'it is being started'}", 1)


async def _server(service: Service, request: Request) -> Response:
    return _json({"name": "package_runtime", "version": protocol.VERSION, "extensions": protocol.EXTENSIONS})


async def _model_ready(service: Service, request: Request) -> Response:
    _model(service, request)
    if not service.engine.ready:
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
        if not isinstance(content, dict) or list(content) != [key] or not isinstance(content[key], list):
            raise Refused(400, f'the body is not {{"{key}": […]}}: send a JSON object with that list alone')
        rows = content[key] if is_text else [protocol.unbase64(image) for image in content[key]]
    answers = await service.answers(rows)
    content = {"model": service.package.name, "answers": [asdict(answer) for answer in answers]}
    return Response(json.dumps(content, ensure_ascii=False), media_type="application/json")


async def _metrics(service: Service, request: Request) -> Response:
    return Response(service.metrics_text(), media_type=CONTENT_TYPE_LATEST)


async def _openapi(service: Service, request: Request) -> Response:
    return _json(openapi(service.package, service.limits.rows))


async def _page(service: Service, request: Request) -> Response:
    return HTMLResponse(page(openapi(service.package, service.limits.rows)))


ROUTES: tuple[tuple[str, str, Handler], ...] = (
    ("GET", "/v2/health/live", _live),
    ("GET", "/v2/health/ready", _ready),
    ("GET", "/v2", _server),
    ("GET", "/v2/models/{model}", _metadata),
    ("GET", "/v2/models/{model}/versions/{version}", _metadata),
    ("GET", "/v2/models/{model}/ready", _model_ready),
    ("GET", "/v2/models/{model}/versions/{version}/ready", _model_ready),
    ("POST", "/v2/models/{model}/infer", _infer),
    ("POST", "/v2/models/{model}/versions/{version}/infer", _infer),
    ("POST", "/predict", _predict),
    ("GET", "/metrics", _metrics),
    ("GET", "/openapi.json", _openapi),
    ("GET", "/docs", _page),
)


def _endpoint(service: Service, route: str, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        began, given = time.perf_counter(), request.headers.get("x-request-id", "")
        identity = given if _ID.fullmatch(given) else uuid.uuid4().hex
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
        service.metrics.requests.labels("other", str(status)).inc()
        return _refusal(status, f"{request.method} {request.url.path[:80]}: this path {said}; see /docs")

    routes = [Route(route, _endpoint(service, route, own), methods=[method]) for method, route, own in ROUTES]
    return Starlette(routes=routes, exception_handlers={404: other, 405: other})
