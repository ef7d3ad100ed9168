"""`python -m package_runtime serve`: the package over HTTP, on this machine alone unless it is told otherwise."""

import argparse
import asyncio
import contextlib
import ipaddress
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from .batches import Padding
from .batching import Batcher
from .budget import Budget, budget_of
from .engine import Engine, Lost
from .errors import PackageError
from .fronts import MOST, Fronts
from .http import application
from .listening import BACKLOG, http_server
from .model import FOLDER, Package
from .options import KEY, add_options
from .service import Limits, Local, Service, log

MIB = 2**20
_LAST_PORT = 65_535


def default_budget(package: Package) -> tuple[int, int]:
    """Tokens and rows of a call that the measurements speak for.

    The timed workload with the most tokens: larger calls were not measured. Where none was timed, or rows keep their own
    lengths, the rows of the largest at the most tokens.
    """
    calls, longest = package.manifest["calls"], package.padding.max_tokens or 1
    timed = [own for own in package.manifest["measured"]["workloads"].values() if own["status"] == "measured"]
    sizes = [(own["batch_size"], own["sequence_length"] or longest) for own in timed]
    return budget_of(sizes or [(calls["batch_size"], longest)], longest)


def served_padding(package: Package) -> Padding:
    """How a server pads: to the lengths that were timed, where the runtime makes itself ready for each shape.

    Of lengths as they come there would be hundreds of shapes, more than it keeps ready.
    """
    multiple = package.manifest["calls"].get("served_multiple_of", package.padding.multiple_of)
    return replace(package.padding, multiple_of=max(package.padding.multiple_of, multiple))


def warm_shapes(package: Package, budget: Budget) -> list[tuple[int, int]]:
    """Rows and tokens of the calls that warm the model up: one row and a full call, at the shortest and the longest row.

    Where lengths are padded to those that were timed, at each of these; where a call has one of a few sizes, of each.
    """
    longest, multiple = package.padding.max_tokens or 1, served_padding(package).multiple_of
    lengths = [min(at, longest) for at in range(multiple, longest + multiple, multiple)] if multiple > 1 else []
    shapes = [(1, min(8, longest)), (1, longest)]
    for tokens in (*lengths, longest):
        most = max(1, min(budget.rows, budget.tokens // tokens))
        shapes += [(rows, tokens) for rows in (1, *(own for own in package.padding.batch_sizes if own < most), most)]
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
    for name in (
        "max_batch_tokens",
        "max_batch_rows",
        "processes",
        "max_waiting",
        "max_rows",
        "max_body_mib",
        "timeout_s",
    ):
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
    if not 0 <= arguments.port <= _LAST_PORT:
        raise PackageError(
            asked=f"listen on port {arguments.port}",
            happened=f"ports go from 0 to {_LAST_PORT}",
            affected="the server; it was not started",
            fix="name another with --port; 0 takes a free one",
        )
    key, folder = _key(arguments), Path(arguments.folder)
    package = Package(folder, verify_model=False)  # the model's process verifies what it loads
    tokens, rows = default_budget(package)
    budget = Budget(
        arguments.max_batch_tokens or tokens, arguments.max_batch_rows or rows, package.signature.row_tokens is not None
    )
    processes = _processes(arguments.processes, package)
    with contextlib.closing(_socket(arguments.host, arguments.port)) as listening:
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
        try:
            limits = Limits(int(arguments.max_body_mib * MIB), arguments.max_rows, arguments.timeout_s)
            serving = _Serving(package, engine, budget, limits, arguments, key, listening)
            if processes == 1:
                serving.here()
            else:
                serving.in_front(processes)
        finally:
            engine.stop()
    log("ended")
    return 0


def computes_elsewhere(package: Package) -> bool:
    """Whether the model runs on a GPU: beside this server's processors, and a whole call in about the time of a row."""
    runner = package.manifest["runner"]
    return runner["name"] == "tensorrt_rtx" or str(runner["options"].get("device", "")).startswith("cuda")


def _processes(asked: int | None, package: Package) -> int:
    if not hasattr(socket, "SO_REUSEPORT"):
        return 1
    if asked is not None:
        return asked
    return max(1, min(MOST, (os.cpu_count() or 1) // 2)) if computes_elsewhere(package) else 1


class _Serving:
    """One server, from when its model is warm."""

    def __init__(
        self,
        package: Package,
        engine: Engine,
        budget: Budget,
        limits: Limits,
        arguments: argparse.Namespace,
        key: str | None,
        listening: socket.socket,
    ) -> None:
        self._package, self._engine, self._budget, self._limits = package, engine, budget, limits
        self._arguments, self._key, self._listening = arguments, key, listening

    def _local(self) -> Local:
        batcher = Batcher(
            self._engine.call,
            served_padding(self._package),
            self._budget,
            delay_s=self._arguments.max_delay_ms / 1000,
            most_waiting=max(self._arguments.max_waiting, self._limits.rows),
            gather=computes_elsewhere(self._package),
        )
        return Local(self._engine, batcher)

    def _said(self, processes: int) -> None:
        host, port = self._listening.getsockname()[:2]
        who = "callers send the key" if self._key else "none: whoever reaches this address is answered"
        if not self._key and not _is_loopback(host):
            log("warning", why=f"{host} is not this machine alone, and no API key is asked: --api-key-file, or ${KEY}")
        budget = self._budget
        log(
            "serving",
            model=self._package.name,
            candidate=self._package.manifest["candidate"],
            artifact=self._package.manifest["artifact"]["digest"],
            url=f"http://{host}:{port}",
            api_key=who,
            tls="none: a proxy's work",
            batch={"tokens": budget.tokens, "rows": budget.rows, "packed": budget.packed},
            processes=processes,
        )

    def here(self) -> None:
        """Take requests in this process."""
        self._listening.listen(BACKLOG)
        self._said(1)
        local = self._local()
        service = Service(self._package, local, self._limits, key=self._key, say=not self._arguments.quiet)

        @contextlib.asynccontextmanager
        async def lifespan(_: Any) -> AsyncIterator[None]:
            async with _answering(self._engine, local):
                yield

        http_server(application(service), lifespan).run(sockets=[self._listening])

    def in_front(self, processes: int) -> None:
        """Take requests in processes of their own; this one forms the calls."""
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(self._in_front(processes))

    async def _in_front(self, processes: int) -> None:
        self._listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)  # it was not there for others to be bound
        local, limits = self._local(), self._limits
        settings = {
            "folder": str(self._package.folder.resolve()),
            "body_bytes": limits.body_bytes,
            "rows": limits.rows,
            "timeout_s": limits.timeout_s,
            "most_waiting": local.most_waiting,
            "say": not self._arguments.quiet,
        }
        fronts = Fronts(local, self._listening.getsockname(), self._listening.family, settings, self._key, log)
        told = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, told.set)
        self._engine.changed = fronts.changed
        async with _answering(self._engine, local):
            try:
                await fronts.start(processes)
                self._said(processes)
                await told.wait()
            finally:
                await fronts.stop()


@contextlib.asynccontextmanager
async def _answering(engine: Engine, local: Local) -> AsyncIterator[None]:
    """Form calls and answer them on this event loop."""
    await engine.attach()
    running = [asyncio.create_task(engine.run()), asyncio.create_task(local.batcher.run())]
    yield
    for task in running:
        task.cancel()
    engine.detach()


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory
