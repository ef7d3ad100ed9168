"""uvicorn around the routes: what it says in this server's form, what it does at a signal, what it reads before it ends."""

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from typing import Any

import uvicorn
from starlette.applications import Starlette

from .service import log

DRAIN_S = 30
ARRIVED_S = 0.2  # after SIGTERM: what is on its way is taken
BACKLOG = 1024  # connections that wait to be accepted


class _Lines(logging.Handler):
    """What the HTTP library says, in this server's own form."""

    def emit(self, record: logging.LogRecord) -> None:
        log("http", level=record.levelname.lower(), why=record.getMessage())


class HttpServer(uvicorn.Server):
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


def http_server(app: Starlette, lifespan: Callable[[Any], AbstractAsyncContextManager[None]]) -> HttpServer:
    """A server of these routes.

    Args:
        app: the routes.
        lifespan: is entered before the first request, and left after the last.
    """
    app.router.lifespan_context = lifespan
    said = logging.getLogger("uvicorn")
    said.handlers, said.propagate = [_Lines(logging.WARNING)], False
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # nothing here asks who called
        timeout_graceful_shutdown=DRAIN_S,
        timeout_keep_alive=30,
        backlog=BACKLOG,
    )
    return HttpServer(config)
