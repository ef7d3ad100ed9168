"""The servers that benchmarks/serving.py sets beside `package_runtime serve`, each with the same package in it."""

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from serving_callers import PLAIN, closed

SERIAL = """
import sys
sys.path.insert(0, sys.argv[1])
import uvicorn
from package_runtime import load
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

model = load(sys.argv[1])
model.warm_up(1)

async def predict(request):
    texts = (await request.json())["texts"]
    return JSONResponse([{"label": answer.label, "confidence": answer.confidence} for answer in model.answer(texts)])

app = Starlette(routes=[Route("/predict", predict, methods=["POST"])])
uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), log_level="warning")
"""
LITSERVE = """
import sys
sys.path.insert(0, sys.argv[1])
import litserve
from package_runtime import load

class Peer(litserve.LitAPI):
    def setup(self, device):
        self.model = load(sys.argv[1])
    def decode_request(self, request):
        return request["texts"][0]
    def batch(self, inputs):
        return inputs
    def predict(self, texts):
        return self.model.answer(texts, len(texts))
    def unbatch(self, answers):
        return answers
    def encode_response(self, answer):
        return {"label": answer.label, "confidence": answer.confidence}

if __name__ == "__main__":
    api = Peer(max_batch_size=int(sys.argv[3]), batch_timeout=0.002, api_path="/predict")
    server = litserve.LitServer(api, accelerator="cpu")
    server.run(port=int(sys.argv[2]), host="127.0.0.1", generate_client_file=False, log_level="warning")
"""
MLSERVER_FORM = "/v2/models/peer/infer"
MLSERVER = """
import os
import sys
sys.path.insert(0, os.environ["PACKAGE"])
from mlserver import MLModel
from mlserver.codecs import StringCodec
from mlserver.types import InferenceResponse
from package_runtime import load

class Peer(MLModel):
    async def load(self):
        self.model = load(os.environ["PACKAGE"])
        return True
    async def predict(self, payload):
        answers = self.model.answer(StringCodec.decode_input(payload.inputs[0]), self.settings.max_batch_size)
        labels = StringCodec.encode_output("label", [answer.label for answer in answers])
        return InferenceResponse(model_name=self.name, outputs=[labels])
"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as own:
        return int(own.getsockname()[1])


@contextlib.contextmanager
def server(command: list[str], port: int, log: Path, form: str = PLAIN) -> Iterator["subprocess.Popen[bytes]"]:
    """A server as a process, from when it answers on."""
    with open(log, "wb") as said:
        process = subprocess.Popen(command, stdout=said, stderr=said, start_new_session=True)
    try:
        until = time.monotonic() + 120
        while True:
            if process.poll() is not None or time.monotonic() > until:
                sys.exit(f"{command[:4]} did not start:\n{log.read_text()[-2000:]}")
            with contextlib.suppress(Exception):
                if 200 in asyncio.run(closed(port, form, ["a text"], 1, 0.2))["statuses"]:
                    break
            time.sleep(0.3)
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, 15)
        process.wait(30)


def served_command(package: Path, port: int, *options: str) -> list[str]:
    program = (
        "import sys; sys.path.insert(0, sys.argv.pop(1)); from package_runtime.__main__ import main; sys.exit(main())"
    )
    return [
        sys.executable,
        "-c",
        program,
        str(package),
        "serve",
        "--folder",
        str(package),
        "--port",
        str(port),
        "--quiet",
        *options,
    ]


def mlserver_command(python: Path, package: Path, port: int, rows: int, folder: Path) -> list[str]:
    """MLServer around the package, whose calls it forms by rows and a time; in an environment of its own.

    Args:
        python: of an environment with mlserver and what the package's requirements.txt names.
        package: what `temper package --for folder` wrote.
        port: of its HTTP; gRPC and metrics are given free ones.
        rows: of a call at most.
        folder: an empty one, where its settings go.
    """
    model = folder / "peer"
    model.mkdir(parents=True)
    (model / "peer.py").write_text(MLSERVER)
    settings = {"host": "127.0.0.1", "http_port": port, "grpc_port": free_port(), "metrics_port": free_port()}
    (folder / "settings.json").write_text(json.dumps(settings | {"debug": False}))
    (model / "model-settings.json").write_text(
        json.dumps({"name": "peer", "implementation": "peer.Peer", "max_batch_size": rows, "max_batch_time": 0.002})
    )
    return ["env", f"PACKAGE={package}", str(python.parent / "mlserver"), "start", str(folder)]
