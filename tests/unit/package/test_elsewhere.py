"""A package where nothing of this checkout is: in a fresh virtual environment, and in a real Triton. Long: both are installed."""

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
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from prometheus_client.parser import text_string_to_metric_families as families

from temper.cli import main
from temper.measurement.record_file import read_record
from temper.report.finished import record_file
from tests.unit.package.test_serve import Server

pytestmark = pytest.mark.long

# Triton 2.51 with its Python backend, which reads NumPy 1's arrays alone, and its own client
TRITON = ("numpy==1.26.4", "tritonclient[grpc,http]==2.73.0", "protobuf==6.33.6")
PYTRITON = "nvidia-pytriton==0.7.0"
READY_S = 120
MOST_INSTALLED = 300e6  # bytes


def write(made: Path, folder: Path, *arguments: str) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(made)
        assert main(["package", "--to", str(folder), *arguments]) == 0
    return folder


def environment(folder: Path, *requirements: str) -> Path:
    """A fresh virtual environment with these; its Python."""
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    python = folder / "bin/python"
    command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements]
    subprocess.run(command, check=True, capture_output=True, text=True)
    return python


def ran(command: list[str | Path], folder: Path) -> str:
    """What a command prints in the package's folder, with no path of this checkout."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    done = subprocess.run(command, cwd=folder, env=clean, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def asked(python: Path, folder: Path, *arguments: str) -> str:
    """What the package prints."""
    return ran([python, "-m", "package_runtime", *arguments], folder)


def installed_bytes(environment: Path) -> tuple[int, int]:
    """Files that a package brought into a virtual environment, and the bytecode that the installer made of them: without Python,
    and without the installer that came with it."""
    (packages,) = (environment / "lib").glob("python3*/site-packages")
    own = [path for path in packages.iterdir() if not path.name.startswith(("pip", "setuptools", "__pycache__"))]
    files = [file for path in own for file in ([path] if path.is_file() else path.rglob("*")) if file.is_file()]
    compiled = sum(file.stat().st_size for file in files if file.suffix == ".pyc")
    return sum(file.stat().st_size for file in files) - compiled, compiled


@pytest.mark.parametrize("candidate", ["quick", "other"])
def test_a_package_answers_in_an_environment_made_from_it_alone(made, tmp_path, candidate):
    folder = write(made, tmp_path / "package", "--candidate", candidate)
    python = environment(tmp_path / "venv", "--no-deps", "-r", str(folder / "requirements.txt"))
    installed = subprocess.run([python, "-m", "pip", "list", "--format", "json"], capture_output=True, text=True).stdout
    names = {each["name"].lower() for each in json.loads(installed)}
    assert not names & {"torch", "transformers", "snakemake", "dvc", "temper", "pydantic"}
    brought, compiled = installed_bytes(tmp_path / "venv")
    print(f"{candidate}: {brought / 1e6:.1f} MB and {compiled / 1e6:.1f} MB of bytecode: {', '.join(sorted(names))}")
    assert brought + compiled <= MOST_INSTALLED
    texts = pq.read_table(made / "data/prepared/test.parquet").column("text").to_pylist()
    began = time.monotonic()
    asked(python, folder, texts[0])
    print(f"the first answer of a process: {time.monotonic() - began:.2f} s")
    found = [json.loads(line)["label"] for line in asked(python, folder, "--json", *texts).splitlines()]
    accuracy = read_record(made / record_file(candidate)).accuracy
    wanted = [accuracy.label_names[label] for label in accuracy.answers.predictions]
    assert found == wanted
    program = f"from package_runtime import load\nwith load() as model: print(model({texts[0]!r}).label)"
    assert ran([python, "-c", program], folder).strip() == wanted[0]
    subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "--no-deps", "-r", str(folder / "requirements-serve.txt")],
        check=True,
    )
    assert "this machine alone" in asked(python, folder, "serve", "--help")


OWN_CLIENT = """
import json, sys
import numpy as np
import tritonclient.http as by_http

url, texts = sys.argv[1], json.loads(sys.argv[2])
client = by_http.InferenceServerClient(url, concurrency=4)
assert client.is_server_live() and client.is_server_ready() and client.is_model_ready("tiny")
metadata = client.get_model_metadata("tiny")

def ask(batch, binary):
    tensor = by_http.InferInput("TEXT", [len(batch), 1], "BYTES")
    tensor.set_data_from_numpy(np.array([[text.encode()] for text in batch], dtype=object), binary_data=binary)
    outputs = [by_http.InferRequestedOutput(name, binary_data=binary) for name in ("LABEL", "CONFIDENCES")]
    return client.async_infer("tiny", [tensor], outputs=outputs)

def labels(answer):
    return [label.decode() if isinstance(label, bytes) else label for label in answer.as_numpy("LABEL").ravel()]

found = {"inputs": metadata["inputs"]}
for binary in (True, False):
    batches = [texts[start : start + 8] for start in range(0, len(texts), 8)]
    waiting = [ask(batch, binary) for batch in batches]
    answers = [each.get_result() for each in waiting]
    found[str(binary)] = [label for answer in answers for label in labels(answer)]
    sums = [float(row.sum()) for answer in answers for row in answer.as_numpy("CONFIDENCES")]
    assert all(abs(total - 1) < 1e-5 for total in sums)
try:
    ask([" "], True).get_result()
    found["refused"] = ""
except by_http.InferenceServerException as error:
    found["refused"] = str(error)
print(json.dumps(found))
"""


def test_tritons_own_client_asks_the_packages_server(made, tmp_path):
    folder = write(made, tmp_path / "package", "--candidate", "quick")
    python = environment(tmp_path / "venv", TRITON[0], "tritonclient[http]==2.73.0")
    texts = pq.read_table(made / "data/prepared/test.parquet").column("text").to_pylist()
    own = Server(folder, "--quiet")
    try:
        found = json.loads(ran([python, "-c", OWN_CLIENT, f"127.0.0.1:{own.port}", json.dumps(texts)], tmp_path))
        metrics = own.ask("GET", "/metrics")[2].decode()
    finally:
        assert own.stop() == 0
    accuracy = read_record(made / record_file("quick")).accuracy
    wanted = [accuracy.label_names[label] for label in accuracy.answers.predictions]
    assert (found["True"], found["False"]) == (wanted, wanted)
    assert found["inputs"] == [{"name": "TEXT", "datatype": "BYTES", "shape": [-1, 1]}]
    assert "its text is empty" in found["refused"]
    counted = {
        sample.name: sample.value for family in families(metrics) for sample in family.samples if not sample.labels
    }
    assert counted["package_rows_total"] == 2 * len(texts)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as own:
        return int(own.getsockname()[1])


@pytest.fixture
def triton(made, tmp_path) -> Iterator[tuple[Path, int, int]]:
    """A real Triton that serves the tiny study's model for texts: the client's Python, and the ports of HTTP and gRPC."""
    repository = write(made, tmp_path / "repository", "--candidate", "other", "--for", "triton")
    shutil.rmtree(repository / "tiny-tensors")  # this Triton has no backend for it
    needed = repository / "tiny/1/package/requirements.txt"
    kept = [line for line in needed.read_text().splitlines() if not line.startswith("numpy==")]
    (tmp_path / "needed.txt").write_text("\n".join(kept) + "\n")
    python = environment(tmp_path / "venv", "-r", str(tmp_path / "needed.txt"), *TRITON)
    # its own requirements are those of a library around Triton that is not used here
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-deps", PYTRITON], check=True, capture_output=True)
    packages = next((tmp_path / "venv/lib").glob("python3*/site-packages"))
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
        "VIRTUAL_ENV": str(tmp_path / "venv"),
    }
    env["PATH"] = f"{tmp_path / 'venv/bin'}{os.pathsep}{os.environ['PATH']}"
    with open(tmp_path / "triton.log", "wb") as said:
        process = subprocess.Popen(command, env=env, stdout=said, stderr=subprocess.STDOUT)
    try:
        until = time.monotonic() + READY_S
        while not _is_ready(http):
            assert process.poll() is None, (tmp_path / "triton.log").read_text()[-3000:]
            assert time.monotonic() < until, (tmp_path / "triton.log").read_text()[-3000:]
            time.sleep(0.5)
        yield python, http, grpc
    finally:
        process.kill()
        process.wait()


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

http, grpc, texts = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])

def labels(kind, url):
    client = kind.InferenceServerClient(url)
    tensor = kind.InferInput("TEXT", [len(texts), 1], "BYTES")
    tensor.set_data_from_numpy(np.array([[text.encode()] for text in texts], dtype=object))
    answer = client.infer("tiny", [tensor])
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
    return client.infer("tiny", [tensor]).as_numpy("LABEL")[0, 0].decode()

with ThreadPoolExecutor(8) as callers:
    found["at once"] = list(callers.map(one, texts))
try:
    one(" ")
    found["refused"] = ""
except by_grpc.InferenceServerException as error:
    found["refused"] = str(error)
statistics = client.get_inference_statistics("tiny", as_json=True)["model_stats"][0]
found["batches"] = {batch["batch_size"]: int(batch["compute_infer"]["count"]) for batch in statistics["batch_stats"]}
print(json.dumps(found))
"""


def test_a_real_triton_answers_as_the_record_has_it_over_http_and_grpc(triton, made):
    python, http, grpc = triton
    texts = pq.read_table(made / "data/prepared/test.parquet").column("text").to_pylist()
    command = [str(python), "-c", CLIENT, str(http), str(grpc), json.dumps(texts)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=made)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    accuracy = read_record(made / record_file("other")).accuracy
    wanted = [accuracy.label_names[label] for label in accuracy.answers.predictions]
    assert (found["http"], found["grpc"], found["at once"]) == (wanted, wanted, wanted)
    assert "its text is empty" in found["refused"]
    print(f"batches that Triton formed, by their rows: {found['batches']}")
    assert "8" in found["batches"]
