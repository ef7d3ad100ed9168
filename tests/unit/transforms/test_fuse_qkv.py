"""Query, key and value as one product, on BERT and DistilBERT as PyTorch exports them with either opset."""

import dataclasses
import json

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    DistilBertConfig,
    DistilBertForSequenceClassification,
)

from temper.engines.build import build_engine
from temper.errors import ArtifactError
from temper.export.to_onnx import _export
from temper.transforms import additive_mask, fuse_qkv, pack_rows, read_token
from temper.transforms.fuse_qkv import Options, convert
from tests.tiny_onnx import TEXT, TOKENS, save_onnx_folder, text_inputs
from tests.unit.quantization.calibration.small_models import between_products

LAYERS, HEADS = 2, 4
SIZES = {"vocab_size": TOKENS, "max_position_embeddings": 32, "initializer_range": 0.3}
PACKED = pack_rows.Options(row_tokens=32)


def bert():
    config = BertConfig(
        **SIZES, hidden_size=32, num_hidden_layers=LAYERS, num_attention_heads=HEADS, intermediate_size=64
    )
    return BertForSequenceClassification(config)


def distilbert():
    config = DistilBertConfig(**SIZES, dim=32, n_layers=LAYERS, n_heads=HEADS, hidden_dim=64)
    return DistilBertForSequenceClassification(config)


@pytest.fixture(
    scope="module", params=[(bert, 20), (bert, 23), (distilbert, 23)], ids=lambda it: f"{it[0].__name__}-{it[1]}"
)
def exported(request):
    network, opset = request.param
    torch.manual_seed(5)
    made = network().eval()
    with torch.no_grad():  # biases are zeros when a model is new, and could be mixed up unseen
        for parameter in made.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    return _export(made, text_inputs(4, 16), TEXT, opset)


def copied(model):
    return type(model).FromString(model.SerializeToString())


def logits(model, inputs):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, dict(inputs))[0]


def heads_in_front(model):
    """Transposes that split heads, and products of constants."""
    constants = {tensor.name for tensor in model.graph.initializer}
    perms = [list(node.attribute[0].ints) for node in model.graph.node if node.op_type == "Transpose"]
    products = [node for node in model.graph.node if node.op_type == "MatMul" and node.input[1] in constants]
    return perms.count([2, 0, 3, 1, 4]), len(products)


def test_three_products_become_one_and_the_answers_stay(exported):
    inputs = text_inputs(3, 9)
    made = convert(copied(exported), None, Options())
    onnx.checker.check_model(made)
    assert np.ptp(logits(exported, inputs)) > 0.1
    assert np.abs(logits(made, inputs) - logits(exported, inputs)).max() < 1e-5
    before, after = heads_in_front(exported), heads_in_front(made)
    assert after == (LAYERS, before[1] - 2 * LAYERS)
    names = [tensor.name for tensor in made.graph.initializer]
    assert sum(np.prod(tensor.dims) for tensor in made.graph.initializer) <= 1.1 * sum(
        np.prod(tensor.dims) for tensor in exported.graph.initializer
    )  # the three weights are gone
    assert len(names) == len(set(names))


def test_behind_the_cut_of_the_last_layer_key_and_value_are_fused(exported):
    inputs = text_inputs(3, 9)
    made = convert(read_token.convert(copied(exported), None, read_token.Options()), None, Options())
    assert np.abs(logits(made, inputs) - logits(exported, inputs)).max() < 1e-5
    splits = [
        tensor for tensor in made.graph.initializer if tensor.name.startswith("fuse_qkv") and "split" in tensor.name
    ]
    parts = sorted(onnx.numpy_helper.to_array(tensor)[2] for tensor in splits)
    assert parts == [2] + [3] * (LAYERS - 1)


def test_an_engine_on_packed_rows_has_fewer_kernels(exported, tmp_path):
    pytest.importorskip("tensorrt_rtx")
    packed = pack_rows.convert(copied(exported), None, PACKED)
    made = {"packed": packed, "fused": convert(copied(packed), None, Options())}
    if any(node.op_type == "Attention" for node in packed.graph.node):
        made["both"] = additive_mask.convert(copied(made["fused"]), None, additive_mask.Options())
    signature, layers = pack_rows.signature_after(TEXT, PACKED), {}
    for name, model in made.items():
        folder = save_onnx_folder(tmp_path / name, model, signature, external_data=False)
        row = {"library": "tensorrt_rtx", "version": "installed", "onnx": name, "static_shapes": [[4, 2]]}
        build_engine(onnx_folder=folder, engine_folder=tmp_path / f"{name}-engine", row=row, name=name)
        text = (tmp_path / f"{name}-engine/engine.json").read_text()
        layers[name] = len(json.loads(text)["layers"])
    assert layers["fused"] <= layers["packed"] - 2 * LAYERS
    assert layers.get("both", 0) <= layers["fused"]


def test_weights_that_are_not_constants_and_other_networks_are_refused(exported):
    with pytest.raises(ArtifactError, match="no two products of one input with a bias each are split into heads"):
        convert(between_products("Relu"), None, Options())
    done = convert(copied(exported), None, Options())
    with pytest.raises(ArtifactError, match="no two products"):
        convert(done, None, Options())


def test_a_projection_that_is_read_wrongly_is_noticed(exported, monkeypatch):
    read = fuse_qkv._projections

    def without_biases(model, shapes):
        return [dataclasses.replace(each, bias=0 * each.bias) for each in read(model, shapes)]

    monkeypatch.setattr(fuse_qkv, "_projections", without_biases)
    with pytest.raises(ArtifactError, match="logits differ by"):
        convert(copied(exported), None, Options())
