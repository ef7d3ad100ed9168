import json
import subprocess
import sys

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch

from temper.artifacts.manifest import read_manifest, sha256
from temper.errors import ArtifactError, ParityError
from temper.export import to_onnx
from temper.export.to_onnx import export_onnx, exported, root_cause
from temper.training.model import load_checkpoint
from tests.tiny_study import EXPORT


@pytest.fixture(scope="module")
def with_external_data(tiny_study, tmp_path_factory):
    """A second export in another folder, with the weights beside the graph."""
    folder = tmp_path_factory.mktemp("elsewhere") / "deeper/fp32"
    checkpoint, data = str(tiny_study.checkpoint), str(tiny_study.data)
    export_onnx(checkpoint_folder=checkpoint, data_folder=data, folder=str(folder), row=EXPORT, external_data=True)
    return folder


def answer(folder, inputs):
    session = ort.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    return session.run(["logits"], inputs)[0]


@pytest.mark.parametrize(
    ("rows", "length"), [([0], None), ([5], 24), ([5], 7), (list(range(13)), None), ([1, 2, 3], 11)]
)
def test_any_batch_and_length_agree_with_pytorch(tiny_study, rows, length):
    inputs = tiny_study.inputs(rows, length=length)
    network = load_checkpoint(tiny_study.checkpoint, "text-classification")
    with torch.inference_mode():
        expected = network(**{name: torch.from_numpy(array) for name, array in inputs.items()}).logits.numpy()
    assert answer(tiny_study.fp32, inputs).shape == (len(rows), 2)
    assert np.abs(answer(tiny_study.fp32, inputs) - expected).max() < 1e-4
    assert np.abs(expected).max() > 0.05  # the comparison means something


def test_inputs_and_output_are_those_of_the_signature(tiny_study):
    session = ort.InferenceSession(tiny_study.fp32 / "model.onnx", providers=["CPUExecutionProvider"])
    signature = tiny_study.signature
    assert [(put.name, put.type) for put in session.get_inputs()] == [
        (spec.name, f"tensor({spec.dtype})") for spec in signature.inputs
    ]
    assert [tuple(put.shape) for put in session.get_inputs()] == [spec.axes for spec in signature.inputs]
    assert [put.name for put in session.get_outputs()] == ["logits"]


def test_the_manifest_holds_row_source_and_parity(tiny_study):
    manifest = read_manifest(tiny_study.fp32 / "onnx.json", kind="onnx")
    assert manifest["made_by"] == {"export": EXPORT}
    assert manifest["made_from"] == {"checkpoint": sha256(tiny_study.checkpoint / "checkpoint.json")}
    assert 0 < manifest["largest_logit_difference"] <= EXPORT["max_logit_difference"]
    assert manifest["census"]["opset"] == EXPORT["opset"]
    assert manifest["census"]["products_quantized"] == 0


@pytest.mark.long  # tests/workflow/test_exactness.py exports in another folder in every run
def test_the_same_export_in_another_process_and_folder_gives_equal_bytes(tiny_study, tmp_path):
    call = {
        "checkpoint_folder": str(tiny_study.checkpoint),
        "data_folder": str(tiny_study.data),
        "folder": str(tmp_path / "again"),
        "row": EXPORT,
        "external_data": False,
    }
    code = "import json, sys; from temper.export.to_onnx import export_onnx; export_onnx(**json.loads(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", code, json.dumps(call)], check=True, capture_output=True)
    for path in sorted(tiny_study.fp32.iterdir()):
        assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes(), path.name


def test_no_path_of_this_machine_is_in_the_file(tiny_study):
    content = (tiny_study.fp32 / "model.onnx").read_bytes()
    for place in (b"/root", b"/home", b"/tmp", b"site-packages", str(tiny_study.fp32.parent).encode(), b".py"):
        assert place not in content, place


def test_external_data_lies_beside_and_answers_the_same(tiny_study, with_external_data):
    assert (with_external_data / "model.onnx.data").stat().st_size > 10_000
    assert (with_external_data / "model.onnx").stat().st_size < (tiny_study.fp32 / "model.onnx").stat().st_size
    inputs = tiny_study.inputs([0, 1, 2])
    assert np.array_equal(answer(with_external_data, inputs), answer(tiny_study.fp32, inputs))
    locations = {
        entry.value
        for tensor in onnx.load(with_external_data / "model.onnx", load_external_data=False).graph.initializer
        for entry in tensor.external_data
        if entry.key == "location"
    }
    assert locations == {"model.onnx.data"}


def test_a_difference_beyond_the_row_is_a_parity_error_with_the_figure(tiny_study, tmp_path):
    with pytest.raises(ParityError) as caught:
        export_onnx(
            checkpoint_folder=str(tiny_study.checkpoint),
            data_folder=str(tiny_study.data),
            folder=str(tmp_path / "made"),
            row={**EXPORT, "max_logit_difference": 1e-12},
            external_data=False,
        )
    recorded = json.loads((tiny_study.fp32 / "onnx.json").read_text())["largest_logit_difference"]
    assert f"the largest difference on 24 validation batches is {recorded:.3g}" == caught.value.happened
    assert "max_logit_difference" in caught.value.fix
    assert list(tmp_path.iterdir()) == []


def test_an_altered_checkpoint_is_refused(tiny_study, copy_of, tmp_path):
    folder = copy_of(tiny_study.checkpoint)
    weights = bytearray((folder / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (folder / "model.safetensors").write_bytes(weights)
    with pytest.raises(ArtifactError, match=r"model\.safetensors"):
        export_onnx(
            checkpoint_folder=str(folder),
            data_folder=str(tiny_study.data),
            folder=str(tmp_path / "made"),
            row=EXPORT,
            external_data=False,
        )
    assert not (tmp_path / "made").exists()


def refusing(monkeypatch, attentions):
    """An exporter that refuses these attentions, wrapping its reason as torch.onnx does."""

    def export(network, example, signature, opset):
        if network.config._attn_implementation in attentions:
            try:
                raise NotImplementedError("\x1b[96mtranspose\x1b[0m of a\nlayout that is not known\nmore")
            except NotImplementedError as inner:
                raise RuntimeError(
                    "\x1b[93mFailed to export the model with torch.export.\x1b[0m " + 600 * "x"
                ) from inner
        return f"exported with {network.config._attn_implementation}"

    monkeypatch.setattr(to_onnx, "_export", export)


def test_the_attention_that_exports_is_taken_and_named(tiny_study, monkeypatch):
    network = load_checkpoint(tiny_study.checkpoint, "text-classification")
    own = network.config._attn_implementation
    assert own == "sdpa"
    refusing(monkeypatch, [own])
    assert exported(network, {}, tiny_study.signature, 20) == ("exported with eager", "eager")
    assert network.config._attn_implementation == own  # what the file is held against stays as it is
    refusing(monkeypatch, [])
    assert exported(network, {}, tiny_study.signature, 20) == ("exported with sdpa", None)


def test_a_model_that_no_attention_exports_says_the_root_cause_alone(tiny_study, monkeypatch):
    network = load_checkpoint(tiny_study.checkpoint, "text-classification")
    refusing(monkeypatch, ["sdpa", "eager"])
    with pytest.raises(ArtifactError) as caught:
        exported(network, {}, tiny_study.signature, 20)
    assert caught.value.happened == "NotImplementedError: transpose of a layout that is not known"


def test_an_error_that_nothing_wraps_is_its_own_cause():
    assert root_cause(ValueError("a\n\nb")) == "ValueError: a"


@pytest.mark.long  # three exports of networks with windows
@pytest.mark.parametrize(("model_type", "attention"), [("swin", "eager"), ("swinv2", None), ("donut-swin", None)])
def test_networks_with_windows_are_exported(model_type, attention):
    from transformers import CONFIG_MAPPING, AutoModelForImageClassification

    from temper.artifacts.signature import BATCH_AXIS, Signature, TensorSpec

    sizes = {"image_size": 32, "patch_size": 2, "embed_dim": 8, "depths": [1, 2], "num_heads": [1, 2], "window_size": 4}
    torch.manual_seed(0)
    network = AutoModelForImageClassification.from_config(CONFIG_MAPPING[model_type](**sizes, num_labels=3)).eval()
    pixels = np.random.default_rng(0).normal(size=(4, 3, 32, 32)).astype(np.float32)
    spec = TensorSpec(name="pixel_values", dtype="float32", axes=(BATCH_AXIS, 3, 32, 32), pad_value=0)
    signature = Signature(
        task="image-classification", inputs=(spec,), label_names=("a", "b", "c"), padding_side="right"
    )
    model, found = exported(network, {"pixel_values": pixels}, signature, 20)
    assert found == attention
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    with torch.inference_mode():
        expected = network(torch.from_numpy(pixels)).logits.numpy()
    for rows in (1, 3, 4):
        answered = session.run(["logits"], {"pixel_values": pixels[:rows]})[0]
        assert np.abs(answered - expected[:rows]).max() < 1e-5
