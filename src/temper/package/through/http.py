"""A package of the artifact, served by its own HTTP server as `temper serve` would serve it."""

import contextlib
import json
import os
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from temper.data.encoded import Split
from temper.environment.machine import timed_environment
from temper.environment.own_process import python_command
from temper.load_test.socket_system import Endpoint
from temper.package import bare
from temper.package.parts import MODULE
from temper.package.runtime import serve as _server  # noqa: F401  its code decides the rates: it counts as this job's
from temper.package.runtime.listening import DRAIN_S
from temper.package.runtime.options import KEY
from temper.package.served import Served
from temper.package.server_process import LOOK_S, READY_S, not_ready, running

END_S = DRAIN_S + 10  # it answers what it accepted


def served(request: Mapping[str, Any], split: Split, labels: Sequence[str], *, max_tokens: int, folder: Path) -> Served:
    """What a load test asks; arguments as of `Served`."""
    return Served(request, split, labels, max_tokens=max_tokens, folder=folder, serve=serve)


@contextlib.contextmanager
def serve(material: bare.Material, folder: Path) -> Iterator[Endpoint]:
    """Package the artifact and serve it; ended when the context is left.

    Args:
        material: what is served.
        folder: empty, for the package and the server's log.

    Raises:
        LoadTestError: the server does not start.
        PipelineError: the artifact cannot be packaged.
    """
    package, log = folder / "package", folder / "server.log"
    package.mkdir()
    bare.write_bare(package, material)
    options = {
        "port": 0,
        "max-batch-rows": material.rows,
        "max-batch-tokens": material.tokens,
        "timeout-s": material.timeout_s,
        "max-waiting": material.waiting,
    }
    given = [word for name, value in options.items() for word in (f"--{name}", f"{value:g}")]
    command = python_command("-m", MODULE, "serve", "--folder", str(package), "--quiet", *given)
    path = os.pathsep.join(filter(None, [str(package), os.environ.get("PYTHONPATH")]))
    environment = {**timed_environment(), "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop(KEY, None)
    with running(command, environment, log, end_s=END_S) as process:
        port = _port(process, log, material)
        yield Endpoint("127.0.0.1", port, f"/v2/models/{bare.NAME}/infer", process.pid, server=MODULE)


def _port(process: "subprocess.Popen[bytes]", log: Path, material: bare.Material) -> int:
    """The port that the server says it listens on."""
    until = time.monotonic() + READY_S
    while process.poll() is None and time.monotonic() < until:
        for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
            with contextlib.suppress(ValueError):
                event = json.loads(line)
                if event["event"] == "serving":
                    return int(event["url"].rpartition(":")[2])
        time.sleep(LOOK_S)
    raise not_ready(log, f"serve {material.loads} on {material.backend['name']} over HTTP")
