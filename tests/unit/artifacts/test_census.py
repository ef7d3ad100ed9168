import json

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

from temper.artifacts.census import Census, census, census_of_model
from temper.errors import ArtifactError
from tests.tiny_onnx import TEXT, save_onnx_folder, text_model


def model_of(nodes, weights, *, x_type=TensorProto.FLOAT, functions=()):
    """A model x → y of these nodes; `weights` are arrays, or tensors where numpy lacks the type."""
    tensors = [
        value if isinstance(value, TensorProto) else numpy_helper.from_array(np.asarray(value), name)
        for name, value in weights.items()
    ]
    graph = helper.make_graph(
        nodes,
        "hand-made",
        [helper.make_tensor_value_info("x", x_type, ["batch_size", 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch_size", 4])],
        tensors,
    )
    domains = [helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1), helper.make_opsetid("own", 1)]
    return helper.make_model(graph, opset_imports=domains, functions=functions)


def weight(dtype=np.float32):
    return np.eye(4).astype(dtype)


def matmul(a="x", b="w", y="y"):
    return helper.make_node("MatMul", [a, b], [y])


def dequantize(x, y, scale="scale", zero="zero"):
    return helper.make_node("DequantizeLinear", [x, scale, zero], [y])


def quantize(x, y, scale="scale", zero="zero"):
    return helper.make_node("QuantizeLinear", [x, scale, zero], [y])


INT8 = {"scale": np.float32(0.1), "zero": np.int8(0)}


def test_both_operands_out_of_dequantize_linear_are_a_quantised_product():
    assert census_of_model(text_model("int8")) == Census(
        total=2,
        quantized=2,
        weight_only=0,
        dynamic=0,
        by_precision={"INT8": 2},
        weights_by_precision={"INT8": 2},
        batch_dependent=False,
    )


@pytest.mark.parametrize(("precision", "name"), [("fp32", "FP32"), ("fp16", "FP16")])
def test_a_float_model_has_no_quantised_product(precision, name):
    found = census_of_model(text_model(precision))
    assert (found.total, found.quantized, found.weight_only, found.dynamic) == (2, 0, 0, 0)
    assert (found.by_precision, found.weights_by_precision) == ({name: 2}, {name: 2})
    assert not found.batch_dependent


def test_a_weight_alone_is_weight_only_and_computes_in_the_activations_type():
    found = census_of_model(model_of([dequantize("stored", "w"), matmul()], {**INT8, "stored": weight(np.int8)}))
    assert (found.total, found.quantized, found.weight_only) == (1, 0, 1)
    assert (found.by_precision, found.weights_by_precision) == ({"FP32": 1}, {"INT8": 1})


def test_an_activation_alone_is_neither():
    nodes = [quantize("x", "q"), dequantize("q", "d"), matmul("d")]
    found = census_of_model(model_of(nodes, {**INT8, "w": weight()}))
    assert (found.total, found.quantized, found.weight_only) == (1, 0, 0)


def test_a_product_of_two_float_activations_counts_in_the_total_alone():
    found = census_of_model(model_of([matmul("x", "x")], {}))
    assert (found.total, found.quantized, found.weight_only) == (1, 0, 0)
    assert (found.by_precision, found.weights_by_precision) == ({"FP32": 1}, {})


def test_a_weight_is_seen_through_transpose_and_through_quantize_linear():
    turned = helper.make_node("Transpose", ["w0"], ["w"])
    nodes = [quantize("x", "q"), dequantize("q", "d"), quantize("raw", "stored"), dequantize("stored", "w0"), turned]
    found = census_of_model(model_of([*nodes, matmul("d")], {**INT8, "raw": weight()}))
    assert (found.quantized, found.weights_by_precision) == (1, {"INT8": 1})


def test_an_activation_is_seen_through_max_pooling():
    """A ResNet's pooling: quantisers place Q/DQ before it, and what it gives are values of that grid."""
    pooled = helper.make_node("MaxPool", ["d"], ["p"], kernel_shape=[2, 2])
    convolution = helper.make_node("Conv", ["p", "w"], ["y"])
    nodes = [quantize("x", "q"), dequantize("q", "d"), dequantize("stored", "w"), pooled, convolution]
    found = census_of_model(model_of(nodes, {**INT8, "stored": np.ones((1, 1, 1, 1), np.int8)}))
    assert (found.total, found.quantized) == (1, 1)


@pytest.mark.parametrize(
    ("stored", "name"), [(TensorProto.FLOAT8E4M3FN, "FP8"), (TensorProto.INT4, "INT4"), (TensorProto.UINT8, "INT8")]
)
def test_the_precision_is_that_of_the_stored_operands(stored, name):
    values = {
        "scale": np.float32(0.1),
        "zero": helper.make_tensor("zero", stored, [], [0]),
        "stored": helper.make_tensor("stored", stored, [4, 4], [0] * 16),
    }
    nodes = [quantize("x", "q"), dequantize("q", "d"), dequantize("stored", "w"), matmul("d")]
    found = census_of_model(model_of(nodes, values))
    assert (found.quantized, found.by_precision, found.weights_by_precision) == (1, {name: 1}, {name: 1})


def test_the_stored_type_may_stand_in_an_attribute():
    q = helper.make_node("QuantizeLinear", ["x", "scale"], ["q"], output_dtype=TensorProto.FLOAT8E4M3FN)
    d = helper.make_node("DequantizeLinear", ["q", "scale"], ["d"])
    found = census_of_model(model_of([q, d, matmul("d", "d")], {"scale": np.float32(1)}))
    assert found.by_precision == {"FP8": 1}


def test_the_condition_of_a_where_says_nothing_about_its_data():
    nodes = [
        helper.make_node("Less", ["x", "x"], ["condition"]),
        helper.make_node("Where", ["condition", "a", "b"], ["h"]),
        matmul("h", "h"),
    ]
    found = census_of_model(model_of(nodes, {"a": weight(np.float16), "b": weight(np.float16)}))
    assert found.by_precision == {"FP16": 1}


@pytest.mark.parametrize(("domain", "quantized"), [("com.microsoft", 1), ("", 0)])
def test_the_third_input_of_attention_is_a_bias_for_onnx_runtime_and_an_operand_for_onnx(domain, quantized):
    nodes = [quantize("x", "q"), dequantize("q", "d"), dequantize("stored", "w")]
    attention = helper.make_node("Attention", ["d", "w", "third"], ["y"], domain=domain)
    values = {**INT8, "stored": weight(np.int8), "third": weight()}
    assert census_of_model(model_of([*nodes, attention], values)).quantized == quantized


def test_integer_operators_are_quantised_products():
    values = {**INT8, "w": weight(np.int8)}
    nodes = [
        quantize("x", "q"),
        helper.make_node("QLinearMatMul", ["q", "scale", "zero", "w", "scale", "zero", "scale", "zero"], ["q2"]),
        helper.make_node("MatMulInteger", ["q2", "w"], ["i"]),
        helper.make_node("Cast", ["i"], ["y"], to=TensorProto.FLOAT),
    ]
    found = census_of_model(model_of(nodes, values))
    assert (found.total, found.quantized, found.dynamic) == (2, 2, 0)
    assert found.by_precision == {"INT8": 2}


def test_packed_weights_are_weight_only():
    node = helper.make_node("MatMulNBits", ["x", "w", "scale"], ["y"], domain="com.microsoft", bits=4)
    found = census_of_model(model_of([node], {"w": weight(np.uint8), "scale": np.float32(1)}))
    assert (found.total, found.quantized, found.weight_only) == (1, 0, 1)
    assert (found.by_precision, found.weights_by_precision) == ({"FP32": 1}, {"INT4": 1})


def test_dynamic_quantisation_depends_on_the_batch(tmp_path):
    quantize_dynamic(text_model("fp32"), str(tmp_path / "dynamic.onnx"), weight_type=QuantType.QInt8)
    found = census(tmp_path / "dynamic.onnx")
    assert (found.total, found.quantized, found.dynamic, found.weight_only) == (2, 2, 2, 0)
    assert (found.by_precision, found.batch_dependent) == ({"INT8": 2}, True)


def test_an_operator_that_quantises_by_itself_is_dynamic():
    node = helper.make_node("DynamicQuantizeMatMul", ["x", "w", "scale"], ["y"], domain="com.microsoft")
    found = census_of_model(model_of([node], {"w": weight(np.int8), "scale": np.float32(1)}))
    assert (found.quantized, found.dynamic, found.by_precision, found.batch_dependent) == (1, 1, {"INT8": 1}, True)


def test_products_in_branches_count_with_the_weights_of_the_graph_around_them():
    branches = [
        helper.make_graph(
            [matmul("d", "w", name)], name, [], [helper.make_tensor_value_info(name, TensorProto.FLOAT, None)]
        )
        for name in ("then", "else")
    ]
    nodes = [
        quantize("x", "q"),
        dequantize("q", "d"),
        dequantize("stored", "w"),
        helper.make_node("If", ["condition"], ["y"], then_branch=branches[0], else_branch=branches[1]),
    ]
    found = census_of_model(model_of(nodes, {**INT8, "stored": weight(np.int8), "condition": np.bool_(True)}))
    assert (found.total, found.quantized) == (2, 2)


def test_a_function_counts_once_for_each_call():
    function = helper.make_function("own", "Twice", ["a", "b"], ["c"], [matmul("a", "b", "c")], model_opsets())
    calls = [
        helper.make_node("Twice", ["x", "w"], ["h"], domain="own"),
        helper.make_node("Twice", ["h", "w"], ["y"], domain="own"),
    ]
    found = census_of_model(model_of(calls, {"w": weight()}, functions=[function]))
    assert (found.total, found.by_precision) == (2, {"FP32": 2})


def model_opsets():
    return [helper.make_opsetid("", 21)]


def test_the_order_of_the_nodes_does_not_matter():
    model = model_of(
        [matmul("h", "h"), helper.make_node("Relu", ["g"], ["h"]), helper.make_node("Relu", ["x"], ["g"])], {}
    )
    assert census_of_model(model).by_precision == {"FP32": 1}
    quantized = text_model("int8")
    nodes = list(quantized.graph.node)[::-1]
    del quantized.graph.node[:]
    quantized.graph.node.extend(nodes)
    assert census_of_model(quantized) == census_of_model(text_model("int8"))


def test_weights_beside_the_file_are_not_read(tmp_path):
    folder = save_onnx_folder(tmp_path / "onnx", text_model("int8"), TEXT, external_data=True)
    (folder / "model.onnx.data").unlink()
    assert census(folder / "model.onnx") == census_of_model(text_model("int8"))


@pytest.mark.parametrize("content", [None, b"no ONNX"])
def test_what_is_no_onnx_file_is_an_error(tmp_path, content):
    path = tmp_path / "model.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ArtifactError) as caught:
        census(path)
    assert caught.value.asked == f"count the products of {path}"
    assert caught.value.fix.startswith("temper sync")


def test_it_survives_json():
    found = census_of_model(text_model("int8"))
    assert Census.model_validate(json.loads(json.dumps(found.as_dict()))) == found


def test_what_an_if_hands_on_is_of_no_known_type_rather_than_a_wrong_one():
    branch = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["same"])],
        "branch",
        [],
        [helper.make_tensor_value_info("same", TensorProto.FLOAT, None)],
    )
    nodes = [helper.make_node("If", ["condition"], ["h"], then_branch=branch, else_branch=branch), matmul("h", "h")]
    found = census_of_model(model_of(nodes, {"condition": np.bool_(True)}))
    assert (found.total, found.by_precision) == (1, {"unknown": 1})


def test_the_hand_made_quantised_model_is_valid():
    onnx.checker.check_model(text_model("int8"), full_check=True)
