"""Layers by name, and giving some of a quantised file back to float."""

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from temper.artifacts.census import census_of_model
from temper.artifacts.onnx_file import load
from temper.errors import ArtifactError
from temper.quantization.calibration.cache import read_cache
from temper.quantization.int8_static import Options, convert
from temper.quantization.layers import chosen, give_back, layers, quantized_layers
from tests.tiny_onnx import image_model, text_model
from tests.tiny_study import STATIC


def answer(model, inputs):
    return ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"]).run(None, inputs)[0]


@pytest.fixture(params=["int8_static", "int8_nncf"])
def pair(request, tiny_study):
    """A quantised file and the float file it was made from, by ONNX Runtime's inserter and by NNCF."""
    return load(tiny_study.precision[request.param]), load(tiny_study.fp32)


def test_a_layer_has_its_modules_name_where_a_weight_or_a_bias_has_it(tiny_study):
    names = [layer.name for layer in layers(load(tiny_study.fp32))]
    assert "distilbert.transformer.layer.0.attention.q_lin" in names
    assert "classifier" in names
    assert len(set(names)) == len(names)


def test_without_such_names_a_layer_has_its_nodes_name():
    found = layers(text_model("fp32"))
    assert [(layer.name, layer.node, layer.operator) for layer in found] == [
        ("first", "first", "MatMul"),
        ("second", "second", "MatMul"),
    ]


def test_a_name_that_is_no_layers_is_refused_with_those_that_are():
    with pytest.raises(ArtifactError) as caught:
        chosen(layers(text_model("fp32")), ["second", "third"], "keep_in_float")
    assert caught.value.asked == "keep third in float (keep_in_float)"
    assert caught.value.happened == "the model has no such layer; it has first, second"


def test_all_layers_given_back_answer_as_the_float_file(pair, tiny_study):
    quantized, reference = pair
    found = give_back(quantized, reference, layers(reference))
    onnx.checker.check_model(found, full_check=True)
    assert census_of_model(found).quantized == 0
    inputs = tiny_study.inputs([0, 1, 2])
    # NNCF also stores embeddings in 8 bits, which are no product
    np.testing.assert_allclose(answer(found, inputs), answer(reference, inputs), atol=5e-2)
    assert np.abs(answer(quantized, inputs) - answer(reference, inputs)).max() > 1e-4


def test_one_layer_given_back_is_float_and_the_others_are_not(pair):
    quantized, reference = pair
    before = quantized_layers(quantized, reference)
    for layer in before:
        found = give_back(quantized, reference, [layer])
        onnx.checker.check_model(found)
        assert quantized_layers(found, reference) == [other for other in before if other != layer], layer.name


def test_the_quantised_file_is_left_as_it_was(pair):
    quantized, reference = pair
    before = quantized.SerializeToString()
    give_back(quantized, reference, layers(reference)[:2])
    assert quantized.SerializeToString() == before


def test_nothing_given_back_changes_nothing(pair):
    quantized, reference = pair
    assert give_back(quantized, reference, []).SerializeToString() == quantized.SerializeToString()


def test_a_bias_that_was_corrected_is_given_back_too(tiny_study):
    """NNCF moves biases; the layer that is float again has its own."""
    quantized, reference = load(tiny_study.precision["int8_nncf"]), load(tiny_study.fp32)
    layer = next(layer for layer in layers(reference) if layer.name.endswith("ffn.lin1"))
    found = give_back(quantized, reference, [layer])
    stored = {tensor.name: tensor for tensor in found.graph.initializer}
    own = next(name for name in stored if name.endswith("lin1.bias/float"))
    original = next(t for t in reference.graph.initializer if t.name == own.removesuffix("/float"))
    assert stored[own].raw_data == original.raw_data


def test_what_nobody_reads_any_more_is_gone(pair):
    quantized, reference = pair
    found = give_back(quantized, reference, layers(reference))
    read = {name for node in found.graph.node for name in node.input} | {e.name for e in found.graph.output}
    assert {tensor.name for tensor in found.graph.initializer} <= read
    assert all(set(node.output) & read for node in found.graph.node)


def test_a_file_of_another_origin_is_refused(tiny_study):
    with pytest.raises(ArtifactError, match="was not made from that file"):
        give_back(load(tiny_study.precision["int8_nncf"]), text_model("fp32"), layers(text_model("fp32")))


def test_a_shared_activation_stays_quantised_for_the_others():
    """Two products of one tensor, through one Q/DQ pair."""
    reference = image_model()
    first = next(node for node in reference.graph.node if node.name == "first")
    twin = onnx.NodeProto()
    twin.CopyFrom(first)
    twin.name, twin.output[0] = "twin", "twin"
    sum_node = onnx.helper.make_node("Add", ["first", "twin"], ["both"], name="both")
    for node in reference.graph.node:
        for place, read in enumerate(node.input):
            if read == "first":
                node.input[place] = "both"
    at = [node.name for node in reference.graph.node].index("first") + 1
    nodes = list(reference.graph.node)
    nodes[at:at] = [twin, sum_node]
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del reference.graph.node[:]
    reference.graph.node.extend(copies)
    quantized = onnx.ModelProto()
    quantized.CopyFrom(reference)
    constants = [
        onnx.numpy_helper.from_array(np.float32(0.1), "s"),
        onnx.numpy_helper.from_array(np.int8(0), "z"),
        onnx.numpy_helper.from_array(np.zeros((8, 16), np.int8), "w"),
    ]
    quantized.graph.initializer.extend(constants)
    pair = [
        onnx.helper.make_node("QuantizeLinear", ["row", "s", "z"], ["q"]),
        onnx.helper.make_node("DequantizeLinear", ["q", "s", "z"], ["d"]),
        onnx.helper.make_node("DequantizeLinear", ["w", "s", "z"], ["wd"]),
    ]
    nodes = [onnx.NodeProto.FromString(node.SerializeToString()) for node in quantized.graph.node]
    for node in nodes:
        if node.name in ("first", "twin"):
            node.input[0], node.input[1] = "d", "wd"
    at = [node.name for node in nodes].index("first")
    nodes[at:at] = pair
    del quantized.graph.node[:]
    quantized.graph.node.extend(nodes)
    known = quantized_layers(quantized, reference)
    assert [layer.node for layer in known] == ["first", "twin"]
    found = {node.name: node for node in give_back(quantized, reference, known[:1]).graph.node}
    assert list(found["first"].input) == ["row", "first_weight/float"]
    assert list(found["twin"].input) == ["d", "wd"]


def test_int8_static_keeps_the_named_layers_in_float(tiny_study):
    for method in ("minmax", "nncf"):
        model = load(tiny_study.fp32)
        kept = layers(model)[0]
        options = Options.model_validate({**STATIC, "keep_in_float": [kept.name]})
        made = convert(load(tiny_study.fp32), read_cache(tiny_study.calibration[method]), options)
        remaining = quantized_layers(made, model)
        assert kept not in remaining
        assert remaining


def test_a_name_may_have_wildcards_and_the_order_is_the_files():
    known = layers(text_model("fp32"))
    names = [layer.name for layer in known]
    assert [layer.name for layer in chosen(known, ["*"], "keep_in_float")] == names
    assert chosen(known, [names[1], names[0][:3] + "*"], "keep_in_float")[0].name == names[0]
    with pytest.raises(ArtifactError, match=r"no such layer"):
        chosen(known, ["nowhere*"], "keep_in_float")
