"""A package where nothing of this checkout is: in a fresh virtual environment, and in a real Triton. Long: both are installed."""

import json
import os
import subprocess
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from prometheus_client.parser import text_string_to_metric_families as families

from temper.cli import main
from temper.measurement.record_file import read_record
from temper.report.finished import record_file
from tests.real_triton import TRITON, environment, serving
from tests.unit.package.test_serve import Server

pytestmark = pytest.mark.long

MOST_INSTALLED = 300e6  # bytes


def write(made: Path, folder: Path, *arguments: str) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(made)
        assert main(["package", "--to", str(folder), *arguments]) == 0
    return folder


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


def test_a_real_triton_answers_as_the_record_has_it_over_http_and_grpc(made, tmp_path):
    repository = write(made, tmp_path / "repository", "--candidate", "other", "--for", "triton")
    texts = pq.read_table(made / "data/prepared/test.parquet").column("text").to_pylist()
    with serving(repository, "tiny", tmp_path) as triton:
        found = triton.ask("tiny", texts)
    accuracy = read_record(made / record_file("other")).accuracy
    wanted = [accuracy.label_names[label] for label in accuracy.answers.predictions]
    assert (found["http"], found["grpc"], found["at once"]) == (wanted, wanted, wanted)
    assert "its text is empty" in found["refused"]
    print(f"batches that Triton formed, by their rows: {found['batches']}")
    assert "8" in found["batches"]
