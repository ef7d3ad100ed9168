"""The same rows on four architectures with random weights: GPT-2, DistilBERT, BERT and ResNet.

GPT-2 keeps its weights as [inputs, outputs] and reads the last token that is no padding; ResNet has convolutions, a
pooling and a shortcut. Nothing that quantises knows which one it has.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import ModelProto, numpy_helper

from temper.artifacts.census import census_of_model
from temper.artifacts.onnx_file import QUANTIZABLE, load
from temper.artifacts.signature import Signature
from temper.backends.onnxruntime import open_runner as open_onnxruntime
from temper.backends.openvino import open_runner as open_openvino
from temper.data.encoded import collate, read_split
from temper.data.prepare import prepare_data
from temper.export.to_onnx import export_onnx
from temper.quantization.calibration.cache import read_cache
from temper.quantization.calibration.calibrate import calibrate
from temper.quantization.int8_static import Options, convert
from temper.quantization.layers import give_back, layers, quantized_layers
from temper.training.checkpoint import make_checkpoint
from temper.transforms.convert import convert_precision
from tests.processor import WHOLE_SUMS, int8_tolerance
from tests.tiny_study import EXPORT, MAX_TOKENS, METHODS, MODEL, SAMPLES, SEED, STATIC, TRAIN
from tests.unit.backends.test_runner import CPU

INPUTS_ONLY = {**STATIC, "quantize_outputs": False}
DIGITS = {"source": "digits", "test_rows": 1600, "validation_rows": 24, "calibration_rows": 16, "max_tokens": None}
IMAGES = {
    "task": "image-classification",
    "source": "architecture",
    "model_type": "resnet",
    "config": {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1], "layer_type": "basic"},
    "preprocessor": {"kind": "image_processor", "height": 16, "width": 16, "mean": [0.5] * 3, "std": [0.5] * 3},
}


def _text(model_type, **config):
    return {**MODEL, "model_type": model_type, "config": {**config, "initializer_range": 0.3}}


MODELS = {  # its section, and some of its layers
    "distilbert": (MODEL, ("distilbert.transformer.layer.0.ffn.lin1", "pre_classifier", "classifier")),
    "bert": (
        _text(
            "bert",
            hidden_size=16,
            intermediate_size=32,
            num_hidden_layers=1,
            num_attention_heads=2,
            max_position_embeddings=MAX_TOKENS,
        ),
        ("bert.encoder.layer.0.attention.self.query", "bert.encoder.layer.0.output.dense", "classifier"),
    ),
    "gpt2": (
        _text("gpt2", n_embd=16, n_layer=1, n_head=2, n_positions=MAX_TOKENS),
        ("transformer.h.0.attn.c_attn", "transformer.h.0.attn.c_proj", "transformer.h.0.mlp.c_fc"),
    ),
    "resnet": (
        IMAGES,
        (
            "resnet.embedder.embedder.convolution",
            "resnet.encoder.stages.0.layers.0.layer.0.convolution",  # behind the pooling
            "resnet.encoder.stages.1.layers.0.shortcut.convolution",
            "classifier.1",
        ),
    ),
}
ROWS = ("minmax", "nncf", "weights8")
# Largest difference between two runtimes' logits, as a share of their spread. In float: their order of adding. With INT8
# activations: a value that falls on the other side of a rounding step. With INT8 weights alone both runtimes quantise
# activations by themselves, each its own way (OpenVINO by groups, ONNX Runtime in MatMulNBits).
TOLERANCES = {"fp32": 1e-5, "weights8": 0.05, "minmax": 0.02, "nncf": 0.02}
# nncf also quantises what no product reads, and that stays: embeddings, what a ResNet averages
GIVEN_BACK = {"minmax": 1e-5, "nncf": 0.05}


@dataclass(frozen=True)
class Made:
    """Folders of one architecture's artifacts, and the names of some layers."""

    root: Path
    data: Path
    fp32: Path
    named: tuple[str, ...]

    def onnx(self, row: str) -> Path:
        return self.fp32 if row == "fp32" else self.root / "onnx" / row

    def inputs(self, count: int, start: int = 0) -> dict[str, np.ndarray]:
        """A batch of test rows."""
        signature = Signature.model_validate_json((self.data / "signature.json").read_text())
        split = read_split(self.data / "test.parquet", signature)
        return dict(collate(split, np.arange(start, start + count), signature, sequence_length=None))


# what BERT has, DistilBERT has: its own export is what it costs
@pytest.fixture(
    scope="module",
    params=[pytest.param(name, marks=pytest.mark.long if name == "bert" else ()) for name in MODELS],
)
def made(request, tiny_study, tmp_path_factory):
    """Export, both calibrations and the INT8 files of one architecture."""
    section, named = MODELS[request.param]
    root = tmp_path_factory.mktemp(request.param)
    data, fp32 = tiny_study.data, tiny_study.fp32
    if section["task"] == "image-classification":
        data = root / "data"
        prepare_data(data=DIGITS, model=section, seed=SEED, folder=str(data))
    if section is not MODEL:
        fp32, checkpoint = root / "onnx/fp32", str(root / "checkpoint")
        make_checkpoint(model=section, train=TRAIN, seed=SEED, data_folder=str(data), folder=checkpoint)
        export_onnx(
            checkpoint_folder=checkpoint, data_folder=str(data), folder=str(fp32), row=EXPORT, external_data=False
        )
    methods = {name: METHODS[name] for name in ("minmax", "nncf")}
    if section["task"] == "image-classification":
        methods["nncf"] = {**METHODS["nncf"], "model_type": "other", "smooth_quant_alpha": None}
    for method, options in methods.items():
        row = {"method": method, "samples": SAMPLES, "rows": "drawn", "onnx": "fp32"}
        folder = str(root / "calibration" / method)
        calibrate(onnx_folder=str(fp32), data_folder=str(data), folder=folder, row=row, options=options, seed=SEED)
    for row in ROWS:
        convert_precision(
            onnx_folder=str(fp32),
            calibration_folder=None if row == "weights8" else str(root / "calibration" / row),
            search_folder=None,
            folder=str(root / "onnx" / row),
            step="int8_weight_only" if row == "weights8" else "int8_static",
            options={"per_channel": True, "keep_in_float": []} if row == "weights8" else INPUTS_ONLY,
            external_data=False,
        )
    return Made(root, data, fp32, named)


def answer(library, folder, inputs):
    opened = {"onnxruntime": open_onnxruntime, "openvino": open_openvino}[library]
    with opened(str(folder), CPU[library][1], "installed") as runner:
        return runner.infer(inputs)


def answer_of(model: ModelProto, inputs):
    return ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"]).run(None, inputs)[0]


def products(model: ModelProto):
    return {node.name: node for node in model.graph.node if node.op_type in QUANTIZABLE}


def test_layers_have_their_modules_names(made):
    found = [layer.name for layer in layers(load(made.fp32))]
    assert set(made.named) <= set(found)
    assert len(set(found)) == len(found) == census_of_model(load(made.fp32)).total


@pytest.mark.parametrize("row", ["minmax", "nncf"])
def test_every_layer_is_quantised(made, row):
    quantized, reference = load(made.onnx(row)), load(made.fp32)
    assert quantized_layers(quantized, reference) == layers(reference)
    assert census_of_model(quantized).by_precision == {"INT8": len(layers(reference))}


@pytest.mark.parametrize("row", ["minmax", "nncf"])
def test_a_layer_that_is_named_stays_in_float_and_no_other(made, row):
    reference, cache = load(made.fp32), read_cache(made.root / "calibration" / row)
    weights = {tensor.name: numpy_helper.to_array(tensor) for tensor in reference.graph.initializer}
    for name in made.named:
        options = Options.model_validate({**INPUTS_ONLY, "keep_in_float": [name]})
        found = convert(load(made.fp32), cache, options)
        onnx.checker.check_model(found, full_check=True)
        assert [layer.name for layer in layers(reference) if layer not in quantized_layers(found, reference)] == [name]
        layer = next(layer for layer in layers(reference) if layer.name == name)
        before, after = products(reference)[layer.node], products(found)[layer.node]
        stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in found.graph.initializer}
        for was, now in zip(before.input, after.input, strict=True):
            if was in weights:
                assert np.array_equal(stored[now], weights[was]), name
            else:
                assert now == was, name
        assert np.isfinite(answer_of(found, made.inputs(3))).all()


@pytest.mark.parametrize("row", ["minmax", "nncf"])
def test_all_layers_given_back_answer_as_the_float_file(made, row):
    quantized, reference = load(made.onnx(row)), load(made.fp32)
    found = give_back(quantized, reference, layers(reference))
    assert census_of_model(found).quantized == 0
    inputs = made.inputs(8)
    expected = answer_of(reference, inputs)
    assert np.abs(answer_of(found, inputs) - expected).max() < GIVEN_BACK[row] * np.ptp(expected)


def test_weights_alone_have_a_scale_for_each_output_whatever_the_layout(made):
    reference, found = load(made.fp32), load(made.onnx("weights8"))
    floats = {tensor.name: numpy_helper.to_array(tensor) for tensor in reference.graph.initializer}
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in found.graph.initializer}
    made_by = {output: node for node in found.graph.node for output in node.output}
    outputs_first = {name: node.op_type == "Conv" for name, node in products(reference).items()}
    checked = 0
    for name, before in products(reference).items():
        if before.input[1] not in floats:
            continue
        outputs_first[name] |= any(entry.name == "transB" and entry.i for entry in before.attribute)
        was, dequantize = floats[before.input[1]], made_by[products(found)[name].input[1]]
        codes, scales = stored[dequantize.input[0]], stored[dequantize.input[1]]
        axis = 0 if outputs_first[name] else was.ndim - 1
        assert codes.dtype == np.int8
        assert scales.shape == (was.shape[axis],)
        broadcast = scales.reshape([-1 if place == axis else 1 for place in range(was.ndim)])
        assert (np.abs(codes * broadcast - was) <= broadcast * 0.501).all(), name
        checked += 1
    assert checked >= len(made.named)


@pytest.mark.parametrize("row", ["fp32", *ROWS])
def test_both_runtimes_give_the_same_labels_and_like_logits_from_one_file(made, row):
    inputs = made.inputs(16)
    first, second = (answer(library, made.onnx(row), inputs) for library in ("onnxruntime", "openvino"))
    exact = row == "fp32" or WHOLE_SUMS
    assert np.array_equal(first.argmax(-1), second.argmax(-1)) or not exact
    assert np.abs(first - second).max() < (TOLERANCES[row] if exact else 0.5) * np.ptp(first)


@pytest.mark.parametrize("row", ROWS)
def test_the_quantised_file_is_near_the_float_file(made, row):
    inputs = made.inputs(16)
    expected = answer("onnxruntime", made.fp32, inputs)
    found = answer("onnxruntime", made.onnx(row), inputs)
    assert 0 < np.abs(found - expected).mean() < int8_tolerance(0.05, 0.1) * np.ptp(expected)


def test_padding_changes_no_answer(made):
    """GPT-2 reads the last token that is no padding; the others mask it."""
    rows = [made.inputs(1, start=row) for row in range(6)]
    alone = np.concatenate([answer("onnxruntime", made.fp32, row) for row in rows])
    np.testing.assert_allclose(answer("onnxruntime", made.fp32, made.inputs(6)), alone, atol=1e-5)
