import json

import pytest

from temper.backends import onnxruntime, openvino
from temper.backends.trace import ExecutedLayer, Execution, precision_name
from tests.tiny_onnx import TEXT, save_onnx_folder, text_inputs, text_model
from tests.unit.backends.test_runner import CPU

OPTIONS = {onnxruntime: CPU["onnxruntime"][1], openvino: CPU["openvino"][1]}


def layer(kind, precision="FP32", time_ms=None, kernel=None, device="cpu"):
    return ExecutedLayer(f"a {kind}", kind, precision, device, time_ms, kernel)


EXECUTION = Execution(
    source="made by hand",
    layers=(
        layer("MatMul", "INT8", 5.0, "fast"),
        layer("MatMul", "INT8", 1.0, "fast"),
        layer("MatMul", "FP32", 2.0, "slow"),
        layer("QuantizeLinear", "FP32", 1.0),
        layer("Softmax", "FP32", 1.0, device="gpu"),
        layer("If", "BOOL", None),
    ),
    elsewhere=tuple(f"Shape {number}" for number in range(12)),
)


def test_the_summary_counts_layers_and_shares_their_time():
    found = EXECUTION.summary()
    assert json.loads(json.dumps(found)) == found
    assert found == {
        "source": "made by hand",
        "layers": 6,
        "layers_by_precision": {"BOOL": 1, "FP32": 3, "INT8": 2},
        "layers_by_device": {"cpu": 5, "gpu": 1},
        "layers_elsewhere": {"total": 12, "first": [f"Shape {number}" for number in range(10)]},
        "products": {"total": 3, "quantized": 2},
        "products_by_precision": {"FP32": 1, "INT8": 2},
        "time_share_by_precision": {"INT8": 0.6, "FP32": 0.4},
        "conversion_time_share": 0.1,
        "product_time_share": 0.8,
        "most_expensive_types": [
            {"type": "MatMul", "kernel": "fast", "layers": 2, "time_share": 0.6},
            {"type": "MatMul", "kernel": "slow", "layers": 1, "time_share": 0.2},
            {"type": "QuantizeLinear", "kernel": None, "layers": 1, "time_share": 0.1},
            {"type": "Softmax", "kernel": None, "layers": 1, "time_share": 0.1},
        ],
    }


def test_without_times_there_are_no_shares():
    found = Execution("by hand", (layer("MatMul", "INT8"),)).summary()
    assert found["products"] == {"total": 1, "quantized": 1}
    shares = ("time_share_by_precision", "conversion_time_share", "product_time_share")
    assert [found[key] for key in shares] == [None, None, None]
    assert found["most_expensive_types"] == []


def test_the_ten_dearest_types_are_listed():
    layers = tuple(layer(f"Type{number}", time_ms=float(number)) for number in range(12))
    assert [entry["type"] for entry in Execution("", layers).summary()["most_expensive_types"]] == [
        f"Type{number}" for number in range(11, 1, -1)
    ]


@pytest.mark.parametrize(
    ("kind", "kernel"),
    [
        ("MatMul", None),
        ("FusedGemm", None),
        ("MatMulIntegerToFloat", None),
        ("DynamicQuantizeMatMul", None),
        ("QLinearConv", None),
        ("QAttention", None),
        ("ConvTranspose", None),
        ("Linear", None),
        ("Conv2d", None),
        ("FullyConnectedQuantizedLegacy", "brgemm_avx512_amx_i8"),
        ("gemm", None),
        ("correlation", None),
        ("kgen", "_gemm_mha_v2"),
        ("runtime_fusion", "__myl_FcAddRelu"),
    ],
)
def test_products_are_known_by_type_or_kernel(kind, kernel):
    assert layer(kind, kernel=kernel).is_product
    assert not layer(kind, kernel=kernel).is_conversion


@pytest.mark.parametrize(
    ("kind", "kernel"),
    [
        ("QuantizeLinear", None),
        ("DequantizeLinear", None),
        ("DynamicQuantizeLinear", None),
        ("FakeQuantize", "jit_avx512_f32"),
        ("Cast", None),
        ("Convert", "ref_i64"),
        ("Reorder", "reorder_brgemm_f32"),
        ("ReorderInput", None),
        ("Reformat", None),
        ("MemcpyToHost", None),
    ],
)
def test_conversions_are_no_products(kind, kernel):
    assert layer(kind, kernel=kernel).is_conversion
    assert not layer(kind, kernel=kernel).is_product


@pytest.mark.parametrize("kind", ["QLinearAdd", "LayerNorm", "Embedding", "Softmax", "Transpose", "kgen", "MulAdd"])
def test_other_layers_are_neither(kind):
    assert not layer(kind).is_product
    assert not layer(kind).is_conversion


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("f32", "FP32"),
        ("float", "FP32"),
        ("float16", "FP16"),
        ("bfloat16", "BF16"),
        ("uint8", "INT8"),
        ("I8", "INT8"),
        ("float8e4m3fn", "FP8"),
        ("i64", "INT64"),
        ("int64", "INT64"),
        ("bool", "BOOL"),
        ("boolean", "BOOL"),
        ("string", "STRING"),
    ],
)
def test_the_libraries_words_for_a_type_are_one_name(word, name):
    assert precision_name(word) == name


@pytest.mark.parametrize("backend", OPTIONS, ids=lambda module: module.__name__)
def test_an_fp32_file_is_executed_in_fp32(tmp_path, backend):
    found = traced(tmp_path, backend, "fp32")
    assert found["products"] == {"total": 2, "quantized": 0}
    assert found["products_by_precision"] == {"FP32": 2}
    assert "INT8" not in found["layers_by_precision"]


# ONNX Runtime leaves the product before a Relu in float: what is quantised in the file need not run so.
@pytest.mark.parametrize(("backend", "quantized"), [(onnxruntime, 1), (openvino, 2)])
def test_a_static_int8_file_is_executed_in_int8_as_far_as_the_backend_goes(tmp_path, backend, quantized):
    found = traced(tmp_path, backend, "int8")
    assert found["products"] == {"total": 2, "quantized": quantized}
    assert found["products_by_precision"]["INT8"] == quantized
    assert 0 < found["product_time_share"] < 1
    assert sum(found["time_share_by_precision"].values()) == pytest.approx(1, abs=0.01)


def traced(tmp_path, backend, precision):
    folder = save_onnx_folder(tmp_path / "onnx", text_model(precision), TEXT, external_data=False)
    batches = [text_inputs(4, 16), text_inputs(2, 8)]
    return backend.trace(str(folder), OPTIONS[backend], "installed", batches).summary()
