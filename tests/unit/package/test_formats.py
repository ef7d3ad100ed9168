"""What a package is written for beside a folder: each layout, and Triton's configuration as its own client parses it."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from google.protobuf import text_format

from temper.cli import main
from temper.environment.library import LIBRARIES_FOLDER
from temper.measurement.record_file import read_record
from temper.package.triton_repository import Word, as_pbtxt, batching
from temper.report.finished import record_file

TRITON_CLIENT = "tritonclient==2.73.0"


@pytest.fixture(scope="module")
def written(made, tmp_path_factory):
    """`temper package --for FORM` of the tiny study, each once."""
    folders: dict[str, Path] = {}

    def write(form: str, candidate: str = "quick") -> Path:
        name = f"{form}-{candidate}"
        if name not in folders:
            folders[name] = tmp_path_factory.mktemp("forms") / name
            with pytest.MonkeyPatch.context() as patch:
                patch.chdir(made)
                assert main(["package", "--to", str(folders[name]), "--candidate", candidate, "--for", form]) == 0
        return folders[name]

    return write


@pytest.fixture(scope="session")
def model_config_class():
    """Triton's own ModelConfig, from its client's module. The client's other requirements do not go with this environment."""
    folder = LIBRARIES_FOLDER / TRITON_CLIENT.replace("==", "-")
    file = folder / "tritonclient/grpc/model_config_pb2.py"
    if not file.is_file():
        command = [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-deps",
            "--target",
            str(folder),
            TRITON_CLIENT,
        ]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            pytest.skip(f"{TRITON_CLIENT} cannot be installed here: {done.stderr.strip()[-200:]}")
    spec = importlib.util.spec_from_file_location("triton_model_config_pb2", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.ModelConfig


def parsed(folder: Path, model_config_class):
    config = model_config_class()
    text_format.Parse((folder / "config.pbtxt").read_text(), config)
    return config


def test_triton_is_told_the_batches_that_were_measured(written, made, model_config_class):
    folder = written("triton")
    texts, tensors = (parsed(folder / name, model_config_class) for name in ("tiny", "tiny-tensors"))
    assert (texts.name, texts.backend, texts.max_batch_size) == ("tiny", "python", 8)
    assert list(texts.dynamic_batching.preferred_batch_size) == [8]
    timed = read_record(made / record_file("quick")).workloads.values()
    shortest_ms = min(own.latency_percentiles_ms["50"] for own in timed)
    assert texts.dynamic_batching.max_queue_delay_microseconds == round(1000 * shortest_ms)
    assert [(own.name, list(own.dims)) for own in texts.input] == [("TEXT", [1])]
    assert [own.name for own in texts.output] == ["LABEL", "CONFIDENCE", "CONFIDENCES"]
    assert [own.batch_size for own in texts.model_warmup] == [1, 8]
    assert (folder / "tiny/labels.txt").read_text().split() == ["negative", "positive"]
    assert texts.output[2].label_filename == "labels.txt"
    assert (tensors.platform, tensors.max_batch_size) == ("onnxruntime_onnx", 8)
    assert [(own.name, own.data_type, list(own.dims)) for own in tensors.input] == [
        ("input_ids", 9, [-1]),
        ("attention_mask", 9, [-1]),
    ]
    assert tensors.parameters["intra_op_thread_count"].string_value == "1"
    assert {own.instance_group[0].count for own in (texts, tensors)} == {1}


def test_a_model_on_openvino_is_plain_on_tritons_openvino(written, model_config_class):
    tensors = parsed(written("triton", "other") / "tiny-tensors", model_config_class)
    assert (tensors.backend, tensors.default_model_filename) == ("openvino", "model.onnx")
    assert tensors.parameters["INFERENCE_PRECISION_HINT"].string_value == "f32"


def test_the_repository_has_the_package_and_the_very_bytes_that_were_measured(written):
    folder = written("triton")
    model = (folder / "tiny-tensors/1/model.onnx").read_bytes()
    assert model == (folder / "tiny/1/package/model/model.onnx").read_bytes()
    assert (folder / "tiny/1/model.py").is_file()
    assert (folder / "tiny/warmup/row").is_file()


def test_pbtxt_is_written_so_that_no_name_breaks_out():
    text = as_pbtxt({"name": 'a"b\\c\n', "kind": Word("KIND_CPU"), "dims": [1, -1], "on": True, "inner": {"count": 2}})
    assert text == 'name: "a\\"b\\\\c\\n"\nkind: KIND_CPU\ndims: 1\ndims: -1\non: true\ninner {\n  count: 2\n}\n'


def test_without_measurements_of_time_the_accuracys_batch_is_taken():
    found = batching({"measured": {"workloads": {}}, "calls": {"batch_size": 4}})
    assert (found["max_batch_size"], found["dynamic_batching"]["preferred_batch_size"]) == (4, [4])


def test_docker_has_both_files_and_says_that_nothing_was_built(written):
    folder = written("docker")
    lines = (folder / "Dockerfile").read_text().splitlines()
    instructions = [line.split()[0] for line in lines if line and line[0].isupper()]
    assert instructions[:4] == ["FROM", "ENV", "WORKDIR", "COPY"]
    assert instructions[-1] == "ENTRYPOINT"
    assert "it was not built there" in lines[0]
    assert "was not built" in (folder / "README.md").read_text()
    service = yaml.safe_load((folder / "compose.yaml").read_text())["services"]["model"]
    assert service["ports"] == ["127.0.0.1:8080:8080"]  # this machine alone
    entrypoint = json.loads(lines[-1].removeprefix("ENTRYPOINT "))
    assert entrypoint[:4] == ["python", "-m", "package_runtime", "serve"]
    copied = next(line for line in lines if line.startswith("COPY requirements")).split()[1:-1]
    assert all((folder / name).is_file() for name in copied)


def test_openvino_model_server_finds_the_model_under_its_version(written):
    folder = written("openvino", "other")
    (config,) = json.loads((folder / "config.json").read_text())["model_config_list"]
    assert config["config"]["base_path"] == "/models/tiny"
    assert config["config"]["plugin_config"]["INFERENCE_PRECISION_HINT"] == "f32"
    assert (folder / "models/tiny/1/model.onnx").read_bytes() == (folder / "package/model/model.onnx").read_bytes()


def test_a_hubs_folder_has_what_transformers_and_optimum_look_for(written, made, tiny_study):
    import shutil

    if not (made / "artifacts/checkpoint").exists():
        shutil.copytree(tiny_study.checkpoint, made / "artifacts/checkpoint")
    folder = written("hub")
    config = json.loads((folder / "config.json").read_text())
    assert config["id2label"] == {"0": "negative", "1": "positive"}
    assert config["model_type"] == "distilbert"
    assert (folder / "onnx/model.onnx").is_file()
    assert (folder / "README.md").read_text().startswith("---\npipeline_tag: text-classification\n")
    from transformers import AutoConfig, AutoTokenizer

    assert AutoConfig.from_pretrained(folder).num_labels == 2
    assert AutoTokenizer.from_pretrained(folder)("a film")["input_ids"]
