"""A package of the artifact in Triton Inference Server, by its Python backend, as `temper package --for triton` lays it out.

Triton is the one that TEMPER_TRITON names: a virtual environment with nvidia-pytriton, which brings the server, and with what
the package needs. Without it: the `tritonserver` that is found on the path, as in NVIDIA's containers.
"""

import contextlib
import http.client
import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from temper.data.encoded import Split
from temper.environment.machine import timed_environment
from temper.errors import Unavailable
from temper.load_test.socket_system import Endpoint
from temper.package import bare
from temper.package.served import Served
from temper.package.server_process import LOOK_S, READY_S, not_ready, running
from temper.package.triton_repository import write_texts_model

if TYPE_CHECKING:  # what answers in Triton's process: its code decides the rates, and counts as this job's
    from temper.package import triton_model as _model  # noqa: F401
    from temper.package.runtime import model as _package  # noqa: F401

TRITON = "TEMPER_TRITON"  # of the environment
END_S = 40.0


@dataclass(frozen=True)
class Installed:
    """A Triton of this machine.

    Attributes:
        program: tritonserver.
        backends: folder of its backends.
        environment: what it needs beside this process's own.
    """

    program: Path
    backends: Path
    environment: Mapping[str, str]


def served(request: Mapping[str, Any], split: Split, labels: Sequence[str], *, max_tokens: int, folder: Path) -> Served:
    """What a load test asks; arguments as of `Served`."""
    return Served(request, split, labels, max_tokens=max_tokens, folder=folder, serve=serve)


def installed(scratch: Path) -> Installed:
    """The Triton that is used.

    Args:
        scratch: folder for backends with the stub of the environment's Python, which the wheel has in another place.

    Raises:
        Unavailable: there is none.
    """
    named = os.environ.get(TRITON)
    if not named:
        found = shutil.which("tritonserver")
        if found is None:
            raise Unavailable(f"no Triton: ${TRITON} is not set, and there is no tritonserver on the path")
        program = Path(found).resolve()
        return Installed(program, program.parents[1] / "backends", {})
    root = Path(named).resolve()
    packages = next(root.glob("lib/python3*/site-packages"), root)
    server, python = packages / "pytriton/tritonserver", root / "bin/python"
    stub = server / "python_backend_stubs" / packages.parent.name.removeprefix("python") / "triton_python_backend_stub"
    if not stub.is_file() or not python.exists():
        raise Unavailable(f"no Triton: ${TRITON} names {named}, which is no virtual environment with nvidia-pytriton")
    shutil.copytree(server / "backends", scratch)
    shutil.copy2(stub, scratch / "python")
    asked = [str(python), "-c", "import sysconfig; print(sysconfig.get_config_var('LIBDIR'))"]
    libraries = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    environment = {
        "LD_LIBRARY_PATH": os.pathsep.join([libraries, str(packages / "nvidia_pytriton.libs")]),
        "PATH": os.pathsep.join([str(root / "bin"), os.environ.get("PATH", "")]),
        "PYTHONPATH": str(packages),
        "VIRTUAL_ENV": str(root),
    }
    return Installed(server / "bin/tritonserver", scratch, environment)


@contextlib.contextmanager
def serve(material: bare.Material, folder: Path) -> Iterator[Endpoint]:
    """Package the artifact into a model repository and serve it; ended when the context is left.

    Args:
        material: what is served.
        folder: empty, for repository, backends and the server's log.

    Raises:
        Unavailable: this machine has no Triton.
        LoadTestError: it does not start.
        PipelineError: the artifact cannot be packaged.
    """
    triton = installed(folder / "backends")
    package, repository, log = folder / "package", folder / "repository", folder / "server.log"
    package.mkdir()
    bare.write_bare(package, material)
    facts = json.loads((package / "manifest.json").read_text(encoding="utf-8"))
    write_texts_model(repository / bare.NAME, package, facts, material.texts_per_row)
    port = _free_port()
    options = {
        "model-repository": repository,
        "backend-directory": triton.backends,
        "http-address": "127.0.0.1",
        "http-port": port,
        "allow-grpc": "false",
        "allow-metrics": "false",
        "allow-gpu-metrics": "false",
    }
    command = [str(triton.program), *(f"--{name}={value}" for name, value in options.items())]
    environment = {**timed_environment(), "PYTHONDONTWRITEBYTECODE": "1", **triton.environment}
    with running(command, environment, log, end_s=END_S) as process:
        until = time.monotonic() + READY_S
        while _asked(port, "/v2/health/ready") is None:
            if process.poll() is not None or time.monotonic() > until:
                raise not_ready(log, f"serve {material.loads} on {material.backend['name']} in Triton")
            time.sleep(LOOK_S)
        about = json.loads(_asked(port, "/v2") or b"{}")
        yield Endpoint(
            "127.0.0.1",
            port,
            f"/v2/models/{bare.NAME}/infer",
            process.pid,
            server=f"{about.get('name', 'triton')} {about.get('version', '')}".strip(),
            batches=lambda: _batches(port),
        )


def _free_port() -> int:
    """One that nobody has now: Triton takes no 0."""
    with socket.create_server(("127.0.0.1", 0)) as own:
        return int(own.getsockname()[1])


def _asked(port: int, path: str) -> bytes | None:
    """The body of an answer; None where it is not 200."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        content = answer.read()
        return content if answer.status == 200 else None
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def _batches(port: int) -> dict[str, int]:
    """How many batches of each size it computed, by its own statistics."""
    found = json.loads(_asked(port, f"/v2/models/{bare.NAME}/stats") or b"{}")
    models = found.get("model_stats") or [{}]
    return {
        str(batch["batch_size"]): int(batch["compute_infer"]["count"])
        for batch in models[0].get("batch_stats", [])
        if batch["compute_infer"]["count"]
    }
