"""Fine-tuning with fake quantisation, on three kinds of layers: Linear, GPT-2's Conv1D, convolutions."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from onnx import TensorProto, numpy_helper

from temper.artifacts.census import census_of_model
from temper.artifacts.manifest import read_manifest, sha256, write_manifest
from temper.artifacts.onnx_file import load
from temper.artifacts.signature import Signature
from temper.backends import onnxruntime as ort_backend
from temper.backends import openvino as openvino_backend
from temper.data.encoded import collate, read_split
from temper.data.prepare import prepare_data
from temper.errors import ArtifactError, ParityError, PipelineError
from temper.export.to_onnx import export_onnx
from temper.quantization.aware import parity_check, train_quantized
from temper.quantization.calibration.calibrate import calibrate
from temper.study.sections.quantization_aware import QuantizationAwareRow
from temper.training.checkpoint import make_checkpoint
from temper.training.model import load_checkpoint
from tests.tiny_study import DATA, EXPORT, MAX_TOKENS, MODEL, SEED, TRAIN
from tests.unit.backends.test_runner import CPU

ROW: dict[str, Any] = {
    "onnx": "fp32",
    "calibration": "main",
    "device": "cpu",
    "threads": 1,
    "steps": 8,
    "batch_size": 8,
    "learning_rate": 1.0e-3,
    "steps_per_log": 3,
    "keep_in_float": [],
    "max_logit_difference": 0.05,
}
BERT = {
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "initializer_range": 0.3,
}
DIGITS = {"source": "digits", "test_rows": 1500, "validation_rows": 30, "calibration_rows": 16, "max_tokens": None}
PIXELS = {"kind": "image_processor", "height": 16, "width": 16, "mean": [0.5] * 3, "std": [0.5] * 3}
RESNET = {"num_channels": 3, "embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1], "layer_type": "basic"}
KINDS: dict[str, tuple[dict[str, Any], dict[str, Any], int, int]] = {  # data, model, its products, those with a weight
    "bert": (DATA, {**MODEL, "model_type": "bert", "config": {**BERT, "max_position_embeddings": MAX_TOKENS}}, 10, 8),
    "gpt2": (
        DATA,
        {
            **MODEL,
            "model_type": "gpt2",
            "config": {"n_embd": 16, "n_layer": 1, "n_head": 2, "n_positions": MAX_TOKENS, "initializer_range": 0.3},
        },
        7,
        5,
    ),
    "resnet": (
        DIGITS,
        {
            "task": "image-classification",
            "source": "architecture",
            "model_type": "resnet",
            "config": RESNET,
            "preprocessor": PIXELS,
        },
        7,
        7,
    ),
}


@dataclass(frozen=True)
class Made:
    """A study up to its calibration, and what `train_quantized` made of it."""

    root: Path
    products: int
    weighted: int

    @property
    def arguments(self) -> dict[str, Any]:
        return {
            "checkpoint_folder": str(self.root / "checkpoint"),
            "onnx_folder": str(self.root / "onnx/fp32"),
            "calibration_folder": str(self.root / "calibration"),
            "data_folder": str(self.root / "data"),
            "folder": str(self.root / "onnx/trained"),
            "row": ROW,
            "export": EXPORT,
            "seed": SEED,
            "external_data": False,
        }

    @property
    def signature(self) -> Signature:
        return Signature.model_validate_json((self.root / "data/signature.json").read_text())

    def rows(self, count: int) -> dict[str, np.ndarray]:
        split = read_split(self.root / "data/test.parquet", self.signature)
        return dict(collate(split, range(count), self.signature, sequence_length=None))


# of text, every change trains the tiny study's DistilBERT (below), and the image study of tests/workflow/ this kind whole
@pytest.fixture(
    scope="module", params=[pytest.param(kind, marks=() if kind == "resnet" else pytest.mark.long) for kind in KINDS]
)
def made(request, tmp_path_factory):
    data, model, products, weighted = KINDS[request.param]
    study = Made(tmp_path_factory.mktemp(request.param), products, weighted)
    folder, fp32 = str(study.root / "data"), str(study.root / "onnx/fp32")
    prepare_data(data=data, model=model, seed=SEED, folder=folder)
    checkpoint = str(study.root / "checkpoint")
    make_checkpoint(model=model, train=TRAIN, seed=SEED, data_folder=folder, folder=checkpoint)
    export_onnx(checkpoint_folder=checkpoint, data_folder=folder, folder=fp32, row=EXPORT, external_data=False)
    calibrate(
        onnx_folder=fp32,
        data_folder=folder,
        folder=str(study.root / "calibration"),
        row={"method": "minmax", "samples": 16, "rows": "drawn", "onnx": "fp32"},
        options={},
        seed=SEED,
    )
    train_quantized(**study.arguments)
    return study


def manifest(folder):
    return read_manifest(Path(folder) / "onnx.json", kind="onnx")


def test_every_product_with_a_weight_is_int8(made):
    found = census_of_model(load(made.root / "onnx/trained"))
    assert (found.total, found.quantized) == (made.products, made.weighted)
    assert found.by_precision.get("INT8") == made.weighted
    assert found.weights_by_precision == {"INT8": made.weighted}


def test_int8_is_what_tensorrt_takes_and_what_multiplies_has_a_scale_per_channel(made):
    model = load(made.root / "onnx/trained")
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    pairs = [node for node in model.graph.node if node.op_type in ("QuantizeLinear", "DequantizeLinear")]
    assert all(stored[node.input[2]].dtype == np.int8 and not stored[node.input[2]].any() for node in pairs)
    of_weights = [node for node in pairs if node.input[0] in stored]
    assert {stored[node.input[1]].ndim for node in of_weights} == {1}
    assert {stored[node.input[1]].ndim for node in pairs if node not in of_weights} == {0}
    assert TensorProto.INT32 not in {tensor.data_type for tensor in model.graph.initializer if ".bias" in tensor.name}


def test_training_changed_the_weights_and_the_file_answers_as_the_trained_network(made):
    facts = manifest(made.root / "onnx/trained")
    assert facts["largest_logit_difference"] <= ROW["max_logit_difference"]
    model = load(made.root / "onnx/trained")
    unlike = ort.InferenceSession(str(made.root / "onnx/fp32/model.onnx")).run(None, made.rows(20))[0]
    answer = ort.InferenceSession(model.SerializeToString()).run(None, made.rows(20))[0]
    assert np.abs(answer - unlike).max() > 0.01
    floats = {tensor.name: numpy_helper.to_array(tensor) for tensor in load(made.root / "onnx/fp32").graph.initializer}
    biases = [tensor for tensor in model.graph.initializer if tensor.name.endswith(".bias") and tensor.name in floats]
    assert any(np.abs(numpy_helper.to_array(each) - floats[each.name]).max() > 1e-4 for each in biases)
    assert sorted(facts["made_from"]) == [
        "cache.json",
        "checkpoint",
        "model.onnx",
        "train.parquet",
        "validation.parquet",
    ]
    assert facts["made_from"]["model.onnx"] == sha256(made.root / "onnx/fp32/model.onnx")
    assert facts["made_by"] == {"quantization_aware": ROW, "export": EXPORT, "seed": SEED}
    assert len(facts["training"]["layers"]) == made.weighted
    assert [each["step"] for each in facts["training"]["losses"]] == [3, 6, 8]
    assert set(facts["training"]["validation_accuracy"]) == {"float", "before", "after"}


def test_the_loss_falls_on_rows_that_can_be_learnt(made):
    row = {**ROW, "steps": 48, "steps_per_log": 12, "max_logit_difference": 5.0}
    train_quantized(**{**made.arguments, "row": row, "folder": str(made.root / "onnx/longer")})
    losses = [each["mean_loss"] for each in manifest(made.root / "onnx/longer")["training"]["losses"]]
    assert losses[-1] < losses[0]


def test_a_repeated_run_gives_equal_bytes_and_another_seed_others(made):
    for name, seed in (("again", SEED), ("other", SEED + 1)):
        train_quantized(**{**made.arguments, "folder": str(made.root / "onnx" / name), "seed": seed})
    before, again, other = ((made.root / "onnx" / name) for name in ("trained", "again", "other"))
    assert {path.name: path.read_bytes() for path in before.iterdir()} == {
        path.name: path.read_bytes() for path in again.iterdir()
    }
    assert sha256(other / "model.onnx") != sha256(before / "model.onnx")


def test_test_rows_are_never_read(made, copy_of):
    data = copy_of(made.root / "data")
    (data / "test.parquet").unlink()
    (data / "calibration.parquet").unlink()
    folder = made.root / "onnx/blind"
    train_quantized(**{**made.arguments, "data_folder": str(data), "folder": str(folder)})
    assert sha256(folder / "model.onnx") == sha256(made.root / "onnx/trained/model.onnx")


def test_statistics_of_normalisations_stay_as_they_are(made):
    """Only what the exporter folded them into may differ: the float file of the unchanged statistics is the export's."""
    network = load_checkpoint(made.root / "checkpoint", made.signature.task)
    norms = [module for module in network.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    assert bool(norms) == (made.products == made.weighted)  # the ResNet has no products of two activations
    row = {**ROW, "learning_rate": 1.0e-12}
    folder = made.root / "onnx/still"
    train_quantized(**{**made.arguments, "row": row, "folder": str(folder)})
    facts = manifest(folder)["training"]["validation_accuracy"]
    assert facts["before"] == facts["after"]
    before, after = (load(path).graph.initializer for path in (made.root / "onnx/fp32", folder))
    floats = {tensor.name: numpy_helper.to_array(tensor) for tensor in before}
    kept = [tensor for tensor in after if tensor.name in floats and tensor.data_type == TensorProto.FLOAT]
    assert kept
    for tensor in kept:
        np.testing.assert_allclose(numpy_helper.to_array(tensor), floats[tensor.name], atol=1e-6)


def test_openvino_executes_them_in_int8(made):
    options = {"device": "CPU", "inference_precision": "f32", "threads": 1, "shapes": "dynamic"}
    ran = openvino_backend.trace(str(made.root / "onnx/trained"), options, "installed", [made.rows(4)])
    products = [layer for layer in ran.layers if layer.is_product]
    assert sum(layer.precision == "INT8" for layer in products) >= made.weighted


def test_onnx_runtime_loads_it_with_every_optimisation(made):
    _, options = CPU["onnxruntime"]
    with ort_backend.open_runner(str(made.root / "onnx/trained"), options, "installed") as runner:
        assert np.isfinite(runner.infer(made.rows(4))).all()


@pytest.fixture(scope="module")
def text(tiny_study, tmp_path_factory):
    """The tiny study's DistilBERT: what the errors are tried on."""
    root = tmp_path_factory.mktemp("errors")
    arguments = {
        "checkpoint_folder": str(tiny_study.checkpoint),
        "onnx_folder": str(tiny_study.fp32),
        "calibration_folder": str(tiny_study.calibration["minmax"]),
        "data_folder": str(tiny_study.data),
        "folder": str(root / "trained"),
        "row": {**ROW, "steps": 2},
        "export": EXPORT,
        "seed": SEED,
        "external_data": False,
    }
    return arguments


def refusal(arguments, kind=ArtifactError, **changes):
    with pytest.raises(kind) as caught:
        train_quantized(**{**arguments, "row": {**arguments["row"], **changes}})
    assert caught.value.affected == "this ONNX file and what is made from it; nothing was written"
    assert not Path(arguments["folder"]).exists()
    return caught.value


LAYERS = [
    "distilbert.transformer.layer.0.attention.q_lin", "distilbert.transformer.layer.0.attention.k_lin",
    "distilbert.transformer.layer.0.attention.v_lin", "distilbert.transformer.layer.0.attention.out_lin",
    "distilbert.transformer.layer.0.ffn.lin1", "distilbert.transformer.layer.0.ffn.lin2", "pre_classifier", "classifier",
]  # fmt: skip


def test_layers_stay_in_float_by_name(text, tmp_path):
    folder = tmp_path / "kept"
    row = {**text["row"], "keep_in_float": ["classifier", LAYERS[4]]}
    train_quantized(**{**text, "folder": str(folder), "row": row})
    assert manifest(folder)["census"]["products_quantized"] == len(LAYERS) - 2
    assert census_of_model(load(folder)).weights_by_precision["INT8"] == len(LAYERS) - 2
    assert not {"classifier", LAYERS[4]} & set(manifest(folder)["training"]["layers"])


def test_a_name_that_no_layer_has_is_refused_with_those_that_there_are(text):
    error = refusal(text, keep_in_float=["classifier", "bert.query"])
    assert error.asked == "keep bert.query in float (keep_in_float)"
    assert "pre_classifier" in error.happened


def test_nothing_to_quantise_is_refused(text):
    assert "no MatMul, Gemm or Conv that may be quantised" in refusal(text, keep_in_float=LAYERS).happened


def test_a_loss_that_is_no_number_names_the_step(text):
    error = refusal(text, PipelineError, steps=40, learning_rate=1.0e30)
    assert error.asked == "train with fake quantisation for 40 steps"
    assert re.fullmatch(r"the loss became (nan|inf) at step [23]", error.happened)
    assert error.fix == "lower the row's learning_rate"


@pytest.mark.skipif(torch.cuda.is_available(), reason="CUDA works here")
def test_cuda_is_never_replaced_by_the_cpu(text):
    error = refusal(text, PipelineError, device="cuda")
    assert error.asked == "train with fake quantisation on cuda"
    assert "sees no CUDA device" in error.happened


def test_a_range_that_is_missing_is_refused_before_training(text, tiny_study):
    error = refusal({**text, "calibration_folder": str(tiny_study.calibration["nncf"])}, steps=10**9)
    assert "the calibration cache has no range for" in error.happened


def test_a_file_that_answers_otherwise_than_the_network_is_refused(made):
    row = QuantizationAwareRow.model_validate(ROW)
    batch, path = made.rows(20), made.root / "onnx/trained/model.onnx"
    (answer,) = ort.InferenceSession(str(path)).run(["logits"], batch)
    check = parity_check(answer, [batch], row, made.signature)
    assert check(path) <= ROW["max_logit_difference"]
    for wrong in (answer + 0.2, np.where(answer == answer[0, 0], np.nan, answer)):
        with pytest.raises(ParityError) as caught:
            parity_check(wrong, [batch], row, made.signature)(path)
        assert "the largest difference on 20 validation rows is" in caught.value.happened
        assert "max_logit_difference" in caught.value.fix


def test_another_networks_file_is_refused(text, tiny_study, copy_of):
    folder = copy_of(tiny_study.fp32)
    model = load(folder)
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype == np.float32:
            tensor.CopyFrom(numpy_helper.from_array(values + 1, tensor.name.replace("lin1", "lin9")))
    for node in model.graph.node:
        for place, name in enumerate(node.input):
            node.input[place] = name.replace("lin1", "lin9")
    onnx.save(model, folder / "model.onnx")
    (folder / "onnx.json").unlink()
    write_manifest(folder / "onnx.json", kind="onnx", facts={})
    error = refusal({**text, "onnx_folder": str(folder)})
    assert "hold weights of no linear or convolution module" in error.happened
    assert "lin9" in error.happened
    assert json.loads((folder / "onnx.json").read_text())["kind"] == "onnx"
