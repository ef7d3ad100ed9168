"""FP8 from a calibration cache, on the tiny study's model; attention's placements on BERT as PyTorch exports it."""

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, numpy_helper
from transformers import BertConfig, BertForSequenceClassification

from temper.artifacts.census import census_of_model
from temper.artifacts.onnx_file import load, open_session
from temper.engines.profile import Profile, Profiles
from temper.engines.tensorrt_rtx import build
from temper.errors import ArtifactError
from temper.export.to_onnx import _export
from temper.quantization import bf16, fp16
from temper.quantization.calibration import minmax
from temper.quantization.calibration.cache import CalibrationCache, read_cache
from temper.quantization.fp8 import Options, convert
from temper.quantization.layers import chosen, give_back, layers, quantized_layers
from temper.transforms.graph.attention import find_attention
from temper.transforms.graph.probe import example_inputs
from tests.tiny_onnx import TEXT, TOKENS, text_inputs

LAYERS, TOKENS_EACH = 2, 32  # TensorRT-RTX 1.6.1 computes no shorter attention by one kernel of FP8


def bert(opset):
    torch.manual_seed(5)
    config = BertConfig(
        vocab_size=TOKENS,
        hidden_size=64,
        num_hidden_layers=LAYERS,
        num_attention_heads=4,
        intermediate_size=128,
        max_position_embeddings=TOKENS_EACH,
        initializer_range=0.3,
    )
    return _export(BertForSequenceClassification(config).eval(), text_inputs(4, 16), TEXT, opset)


@pytest.fixture(scope="module")
def exported():
    return bert(20)


@pytest.fixture(scope="module")
def cache(exported):
    calls = [example_inputs(exported, (16, 24), seed=seed) for seed in range(4)]
    return CalibrationCache("minmax", minmax.collect(exported, calls, minmax.Options()).ranges, None)


def made_of(exported, cache, attention, keep_in_float=()):
    copy = type(exported).FromString(exported.SerializeToString())
    return convert(copy, cache, Options(per_channel=True, keep_in_float=keep_in_float, attention=attention))


def operands(model, product):
    """What a product reads, in front of DequantizeLinear and QuantizeLinear if it reads these, and their scale."""
    made_by = {node.output[0]: node for node in model.graph.node}
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    node = next(node for node in model.graph.node if node.name == product)
    found = []
    for name in node.input:
        back = made_by[name]
        if back.op_type != "DequantizeLinear":
            found.append((back, None))
            continue
        quantize = made_by[back.input[0]]
        assert quantize.op_type == "QuantizeLinear"
        assert list(quantize.input[1:]) == list(back.input[1:])
        found.append((made_by[quantize.input[0]], stored[quantize.input[1]]))
    return found


def test_every_product_reads_fp8(tiny_study):
    made = convert(
        load(tiny_study.fp32), read_cache(tiny_study.calibration["minmax"]), Options(per_channel=True, keep_in_float=())
    )
    counted = census_of_model(made)
    assert counted.by_precision == {"FP8": counted.total}
    assert any(tensor.data_type == TensorProto.FLOAT8E4M3FN and tensor.dims for tensor in made.graph.initializer)


def test_a_named_layer_stays_in_float(tiny_study):
    model = load(tiny_study.fp32)
    kept = layers(model)[0]
    options = Options(per_channel=True, keep_in_float=(kept.name,))
    made = convert(load(tiny_study.fp32), read_cache(tiny_study.calibration["minmax"]), options)
    assert quantized_layers(made, model) == layers(model)[1:]


def test_a_layer_that_does_not_exist_is_refused(tiny_study):
    options = Options(per_channel=True, keep_in_float=("nowhere",))
    with pytest.raises(ArtifactError, match="no such layer"):
        convert(load(tiny_study.fp32), read_cache(tiny_study.calibration["minmax"]), options)


def test_all_of_attention_has_qdq_directly_at_its_products_and_the_scale_on_the_querys_side(exported, cache):
    model = made_of(exported, cache, "whole")
    onnx.checker.check_model(model, full_check=True)
    blocks = find_attention(exported, "test")
    assert len(blocks) == LAYERS
    for block in blocks:
        (query, query_scale), (key, key_scale) = operands(model, block.scores)
        assert (query.op_type, key.op_type) == ("Mul", "Transpose")
        stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
        assert stored[query.input[1]] == pytest.approx(16**-0.5)
        low, high = cache.ranges[query.output[0]]  # of a query with half of the scale
        assert query_scale == pytest.approx(max(-low, high) * 16**-0.25 / 448)
        low, high = cache.ranges[key.output[0]]
        assert key_scale == pytest.approx(max(-low, high) * 16**0.25 / 448)
        (softmax, softmax_scale), (_, value_scale) = operands(model, block.values)
        assert softmax.op_type == "Softmax"
        assert softmax_scale == np.float32(1 / 448)
        assert value_scale is not None
    assert quantized_layers(model, exported) == layers(exported)  # the product behind attention among them
    assert not any(node.op_type == "IsNaN" for node in model.graph.node)


def test_attention_in_float_is_everything_else_in_fp8(exported, cache):
    blocks = find_attention(exported, "test")
    products = {product for block in blocks for product in (block.scores, block.values)}
    quantized = quantized_layers(made_of(exported, cache, "float"), exported)
    assert {layer.node for layer in layers(exported)} - {layer.node for layer in quantized} == products


def test_a_block_is_left_as_it_was_by_the_name_of_one_of_its_products(exported, cache):
    first, second = find_attention(exported, "test")
    model = made_of(exported, cache, "whole", keep_in_float=(first.values,))
    (_, query_scale), _ = operands(model, first.scores)
    assert query_scale == pytest.approx(
        max(map(abs, cache.ranges[operands(model, first.scores)[0][0].output[0]])) / 448
    )
    assert [scale for _, scale in operands(model, first.values)] == [None, None]
    assert operands(model, second.values)[0][0].op_type == "Softmax"


@pytest.mark.parametrize("level", ["ORT_DISABLE_ALL", "ORT_ENABLE_BASIC"])
@pytest.mark.parametrize("around", ["fp32", "fp16"])
def test_labels_stay_near_the_float_files(exported, cache, around, level):
    model = made_of(exported, cache, "whole")
    if around == "fp16":
        model = fp16.convert(model, None, fp16.Options(keep_in_fp32=()))
    onnx.checker.check_model(model, full_check=True)
    inputs = example_inputs(exported, (128, 24), seed=50)
    answers = open_session(model, 1, level).run(None, inputs)[0]
    before = open_session(exported, 1, level).run(None, inputs)[0]
    assert np.isfinite(answers).all()
    assert (answers.argmax(axis=1) == before.argmax(axis=1)).mean() > 0.9
    assert np.abs(answers - before).mean() < 0.3 * before.std()


def test_what_a_search_gives_back_computes_as_in_float(exported, cache):
    model = made_of(exported, cache, "whole")
    whole = give_back(model, exported, layers(exported))
    inputs = example_inputs(exported, (8, 24), seed=50)
    before = open_session(exported, 1, "ORT_DISABLE_ALL").run(None, inputs)[0]
    np.testing.assert_allclose(open_session(whole, 1, "ORT_DISABLE_ALL").run(None, inputs)[0], before, atol=1e-4)
    (first, _) = find_attention(exported, "test")
    one = give_back(model, exported, chosen(layers(exported), (first.scores,), "test"))
    onnx.checker.check_model(one, full_check=True)
    assert [scale for _, scale in operands(one, first.scores)] == [None, None]


@pytest.mark.parametrize(("attention", "reads"), [("products", []), ("float", ["BF16"]), ("whole", ["FP8"])])
def test_tensorrt_computes_attention_as_one_in_either_of_two_placements(exported, cache, tmp_path, attention, reads):
    model = bf16.convert(made_of(exported, cache, attention), None, bf16.Options())
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, str(tmp_path / "model.onnx"))
    shapes = Profiles((Profile.static((4, TOKENS_EACH)),))
    built = build(onnx_path=tmp_path / "model.onnx", signature=TEXT, profiles=shapes, version="installed")
    fused = [layer for layer in built.layers if "mha" in layer.name]
    assert [layer.precision for layer in fused] == reads * LAYERS


def test_attention_as_one_operator_is_refused(cache):
    with pytest.raises(ArtifactError, match=rf"one operator in this file \({LAYERS} Attention nodes\)"):
        made_of(bert(23), cache, "whole")
