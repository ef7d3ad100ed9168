"""`python -m package_runtime serve`: the package over HTTP, on this machine alone unless it is told otherwise."""

import argparse
import asyncio
import contextlib
import ipaddress
import logging
import os
import signal
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import uvicorn

from .batches import Padding
from .batching import Batcher, Budget, budget_of
from .engine import Engine, Lost
from .errors import PackageError
from .http import application
from .model import FOLDER, Package
from .options import KEY, add_options
from .service import Limits, Service, log

MIB = 2**20
DRAIN_S = 30
ARRIVED_S = 0.2  # after SIGTERM: what is on its way is taken
BACKLOG = 1024  # connections that wait to be accepted


class _Lines(logging.Handler):
    """What the HTTP library says, in this server's own form."""

    def emit(self, record: logging.LogRecord) -> None:
        log("http", level=record.levelname.lower(), why=record.getMessage())


class _Server(uvicorn.Server):
    """Ends by itself after a signal, once it has answered: the library's own raises the signal anew then.

    It also reads what has arrived. The library's own closes a connection of which it has not read anything yet, and whoever
    had sent a request over it would see a reset.
    """

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await asyncio.sleep(ARRIVED_S)  # connections that wait are accepted
        for server in self.servers:
            server.close()
        await asyncio.sleep(ARRIVED_S)  # and read
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        yield


def default_budget(package: Package) -> tuple[int, int]:
    """Tokens and rows of a call that the measurements speak for.

    The timed workload with the most tokens: larger calls were not measured. Where none was timed, or rows keep their own
    lengths, the rows of the largest at the most tokens.
    """
    calls, longest = package.manifest["calls"], package.padding.max_tokens or 1
    timed = [own for own in package.manifest["measured"]["workloads"].values() if own["status"] == "measured"]
    sizes = [(own["batch_size"], own["sequence_length"] or longest) for own in timed] or [
        (calls["batch_size"], longest)
    ]
    return budget_of(sizes, longest)


def served_padding(package: Package) -> Padding:
    """How a server pads: to the lengths that were timed, where the runtime makes itself ready for each shape.

    Of lengths as they come there would be hundreds of shapes, more than it keeps ready.
    """
    multiple = package.manifest["calls"].get("served_multiple_of", package.padding.multiple_of)
    return replace(package.padding, multiple_of=max(package.padding.multiple_of, multiple))


def warm_shapes(package: Package, budget: Budget) -> list[tuple[int, int]]:
    """Rows and tokens of the calls that warm the model up: one row and a full call, at the shortest and the longest row.

    Where lengths are padded to those that were timed, at each of these.
    """
    longest, multiple = package.padding.max_tokens or 1, served_padding(package).multiple_of
    lengths = [min(at, longest) for at in range(multiple, longest + multiple, multiple)] if multiple > 1 else []
    shapes = [(1, min(8, longest)), (1, longest)]
    for tokens in (*lengths, longest):
        shapes += [(1, tokens), (max(1, min(budget.rows, budget.tokens // tokens)), tokens)]
    return list(dict.fromkeys(shapes))


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _key(arguments: argparse.Namespace) -> str | None:
    if arguments.api_key_file is None:
        return os.environ.get(KEY) or None
    try:
        key = Path(arguments.api_key_file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise PackageError(
            asked=f"read the API key from {arguments.api_key_file}",
            happened=f"{type(error).__name__}: {getattr(error, 'strerror', None) or error}",
            affected="the server; it was not started",
            fix="name a file that holds the key alone",
        ) from None
    if not key:
        raise PackageError(
            asked=f"read the API key from {arguments.api_key_file}",
            happened="it is empty",
            affected="the server; it was not started",
            fix="put the key into it, or leave out --api-key-file",
        )
    return key


def _socket(host: str, port: int) -> socket.socket:
    """A socket that listens, so that an address that cannot be had is known before the model is loaded."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        own = socket.socket(found[0], socket.SOCK_STREAM)
        own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        own.bind(found[4])
    except OSError as error:
        raise PackageError(
            asked=f"listen on {host}:{port}",
            happened=f"{error.strerror or error}",
            affected="the server; it was not started",
            fix="name another with --host and --port",
        ) from None
    return own


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m package_runtime serve", description=__doc__)
    parser.add_argument("--folder", default=str(FOLDER), help="the package's (default: the one this lies in)")
    add_options(parser)
    return parser


def _positive(arguments: argparse.Namespace) -> None:
    for name in ("max_batch_tokens", "max_batch_rows", "max_waiting", "max_rows", "max_body_mib", "timeout_s"):
        value = getattr(arguments, name)
        if value is not None and not value > 0:
            raise PackageError(
                asked=f"serve with --{name.replace('_', '-')} {value}",
                happened="it is not above 0",
                affected="the server; it was not started",
                fix="give a number above 0, or leave it out",
            )


def serve_command(argv: Sequence[str]) -> int:
    """Serve until SIGTERM or Ctrl-C; then answer what was accepted, and end.

    Raises:
        PackageError: the package cannot be loaded, or the address cannot be had.
    """
    arguments = _parser().parse_args(argv)
    _positive(arguments)
    key, folder = _key(arguments), Path(arguments.folder)
    package = Package(folder, verify_model=False)  # the model's process verifies what it loads
    tokens, rows = default_budget(package)
    budget = Budget(
        arguments.max_batch_tokens or tokens, arguments.max_batch_rows or rows, package.signature.row_tokens is not None
    )
    with contextlib.closing(_socket(arguments.host, arguments.port)) as listening:
        host, port = listening.getsockname()[:2]
        engine = Engine(folder, warm_shapes(package, budget), log)
        try:
            engine.start()
        except Lost:
            raise PackageError(
                asked=f"load the package in {folder}",
                happened="the model's process ended before it was ready",
                affected="the server; it was not started",
                fix="run python -m package_runtime with a text: it loads the same model in this process",
            ) from None
        listening.listen(BACKLOG)
        try:
            _said(package, host, port, key, budget)
            limits = Limits(int(arguments.max_body_mib * MIB), arguments.max_rows, arguments.timeout_s)
            _run(package, engine, budget, limits, arguments, key, listening)
        finally:
            engine.stop()
    log("ended")
    return 0


def _said(package: Package, host: str, port: int, key: str | None, budget: Budget) -> None:
    who = "callers send the key" if key else "none: whoever reaches this address is answered"
    if not key and not _is_loopback(host):
        log("warning", why=f"{host} is not this machine alone, and no API key is asked: --api-key-file, or ${KEY}")
    log(
        "serving",
        model=package.name,
        candidate=package.manifest["candidate"],
        artifact=package.manifest["artifact"]["digest"],
        url=f"http://{host}:{port}",
        api_key=who,
        tls="none: a proxy's work",
        batch={"tokens": budget.tokens, "rows": budget.rows, "packed": budget.packed},
    )


def _run(
    package: Package,
    engine: Engine,
    budget: Budget,
    limits: Limits,
    arguments: argparse.Namespace,
    key: str | None,
    listening: socket.socket,
) -> None:
    batcher = Batcher(
        engine.call,
        served_padding(package),
        budget,
        delay_s=arguments.max_delay_ms / 1000,
        most_waiting=max(arguments.max_waiting, limits.rows),
    )
    service = Service(package, engine, batcher, limits, key=key, say=not arguments.quiet)
    app = application(service)

    @contextlib.asynccontextmanager
    async def lifespan(_: Any) -> AsyncIterator[None]:
        await engine.attach()
        running = [asyncio.create_task(engine.run()), asyncio.create_task(batcher.run())]
        yield
        for task in running:
            task.cancel()
        engine.detach()

    app.router.lifespan_context = lifespan
    said = logging.getLogger("uvicorn")
    said.handlers, said.propagate = [_Lines(logging.WARNING)], False
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=DRAIN_S,
        timeout_keep_alive=30,
        backlog=BACKLOG,
    )
    _Server(config).run(sockets=[listening])
