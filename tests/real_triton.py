"""A real Triton that serves a model repository on loopback, and a client of its own for it. Its wheel is installed: 560 MB."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import sysconfig
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Triton 2.51 with its Python backend, which reads NumPy 1's arrays alone, and its own client
TRITON = ("numpy==1.26.4", "tritonclient[grpc,http]==2.73.0", "protobuf==6.33.6")
PYTRITON = "nvidia-pytriton==0.7.0"
READY_S = 120


def environment(folder: Path, *requirements: str) -> Path:
    """A fresh virtual environment with these; its Python."""
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    python = folder / "bin/python"
    command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements]
    subprocess.run(command, check=True, capture_output=True, text=True)
    return python


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as own:
        return int(own.getsockname()[1])


def _is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/health/ready", timeout=5) as answer:
            return answer.status == 200
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


CLIENT = """
import json, sys
from concurrent.futures import ThreadPoolExecutor
import numpy as np
import tritonclient.grpc as by_grpc
import tritonclient.http as by_http

http, grpc, model, texts = *sys.argv[1:4], json.loads(sys.stdin.read())

def labels(kind, url):
    client = kind.InferenceServerClient(url)
    tensor = kind.InferInput("TEXT", [len(texts), 1], "BYTES")
    tensor.set_data_from_numpy(np.array([[text.encode()] for text in texts], dtype=object))
    answer = client.infer(model, [tensor])
    return [label.decode() for label in answer.as_numpy("LABEL").ravel()]

found = {"http": [], "grpc": []}
for start in range(0, len(texts), 8):
    every, texts = texts, texts[start : start + 8]
    found["http"] += labels(by_http, f"127.0.0.1:{http}")
    found["grpc"] += labels(by_grpc, f"127.0.0.1:{grpc}")
    texts = every
client = by_grpc.InferenceServerClient(f"127.0.0.1:{grpc}")

def one(text):
    tensor = by_grpc.InferInput("TEXT", [1, 1], "BYTES")
    tensor.set_data_from_numpy(np.array([[text.encode()]], dtype=object))
    return client.infer(model, [tensor]).as_numpy("LABEL")[0, 0].decode()

with ThreadPoolExecutor(8) as callers:
    found["at once"] = list(callers.map(one, texts))
try:
    one(" ")
    found["refused"] = ""
except by_grpc.InferenceServerException as error:
    found["refused"] = str(error)
statistics = client.get_inference_statistics(model, as_json=True)["model_stats"][0]
found["batches"] = {batch["batch_size"]: int(batch["compute_infer"]["count"]) for batch in statistics["batch_stats"]}
print(json.dumps(found))
"""


@dataclass(frozen=True)
class Triton:
    """A server that runs: its environment's Python, the ports of HTTP and gRPC."""

    python: Path
    http: int
    grpc: int

    def ask(self, model: str, texts: list[str]) -> dict[str, Any]:
        """The labels of all texts over HTTP and gRPC in calls of eight, those of eight callers at once, what is refused, and the
        batches that it formed."""
        command = [str(self.python), "-c", CLIENT, str(self.http), str(self.grpc), model]
        done = subprocess.run(command, input=json.dumps(texts), capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found


@contextlib.contextmanager
def serving(repository: Path, model: str, scratch: Path) -> Iterator[Triton]:
    """Triton with the repository's model for texts, as `temper package --for triton` writes it."""
    shutil.rmtree(repository / f"{model}-tensors")  # this Triton has no backend for it
    needed = repository / model / "1/package/requirements.txt"
    kept = [line for line in needed.read_text().splitlines() if not line.startswith("numpy==")]
    (scratch / "needed.txt").write_text("\n".join(kept) + "\n")
    python = environment(scratch / "venv", "-r", str(scratch / "needed.txt"), *TRITON)
    # its own requirements are those of a library around Triton that is not used here
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-deps", PYTRITON], check=True, capture_output=True)
    packages = next((scratch / "venv/lib").glob("python3*/site-packages"))
    server = packages / "pytriton/tritonserver"
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    stub = server / f"python_backend_stubs/{version}/triton_python_backend_stub"
    shutil.copy2(stub, server / "backends/python")
    http, grpc = free_port(), free_port()
    libraries = os.pathsep.join([sysconfig.get_config_var("LIBDIR"), str(packages / "nvidia_pytriton.libs")])
    command = [
        str(server / "bin/tritonserver"),
        *("--model-repository", str(repository), "--backend-directory", str(server / "backends")),
        *(
            "--http-address",
            "127.0.0.1",
            "--http-port",
            str(http),
            "--grpc-address",
            "127.0.0.1",
            "--grpc-port",
            str(grpc),
        ),
        *("--allow-metrics=false", "--allow-gpu-metrics=false"),
    ]
    env = {
        **os.environ,
        "LD_LIBRARY_PATH": libraries,
        "PYTHONPATH": str(packages),
        "VIRTUAL_ENV": str(scratch / "venv"),
    }
    env["PATH"] = f"{scratch / 'venv/bin'}{os.pathsep}{os.environ['PATH']}"
    with open(scratch / "triton.log", "wb") as said:
        process = subprocess.Popen(command, env=env, stdout=said, stderr=subprocess.STDOUT)
    try:
        until = time.monotonic() + READY_S
        while not _is_ready(http):
            assert process.poll() is None, (scratch / "triton.log").read_text()[-3000:]
            assert time.monotonic() < until, (scratch / "triton.log").read_text()[-3000:]
            time.sleep(0.5)
        yield Triton(python, http, grpc)
    finally:
        process.kill()
        process.wait()
