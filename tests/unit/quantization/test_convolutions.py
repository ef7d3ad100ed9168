"""Convolutions in 8 bits: a scale for each output channel, whatever puts the Q/DQ nodes there, and the engines of them."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from temper.artifacts.signature import Signature, TensorSpec
from temper.engines import tensorrt_rtx
from temper.engines.profile import Profile, Profiles
from temper.environment.library import INSTALLED
from temper.errors import BackendError
from temper.quantization import fp8, fp16, int8_static, int8_weight_only
from temper.quantization.calibration.cache import CalibrationCache

CHANNELS, SIZE, LABELS = 16, 8, 2
IMAGES = Signature(
    task="image-classification",
    inputs=(TensorSpec(name="pixel_values", dtype="float32", axes=("batch_size", 16, SIZE, SIZE), pad_value=0),),
    label_names=("cat", "dog"),
    padding_side="right",
)
RANGES = {"pixel_values": (-3.0, 3.0), "first": (-6.0, 6.0), "relu": (0.0, 6.0), "second": (-9.0, 9.0)}
RANGES |= {"pooled": (-5.0, 5.0), "flat": (-5.0, 5.0), "logits": (-5.0, 5.0)}


@pytest.fixture
def convolutional() -> onnx.ModelProto:
    """Two convolutions (3 × 3 and 1 × 1), pooling and a linear layer; output channels differ in size by a hundred times."""
    random = np.random.default_rng(5)
    sizes = np.geomspace(0.01, 1.0, CHANNELS).astype(np.float32)
    weights = {
        "first.weight": random.standard_normal((CHANNELS, 16, 3, 3)).astype(np.float32) * sizes[:, None, None, None],
        "first.bias": np.zeros(CHANNELS, np.float32),
        "second.weight": random.standard_normal((CHANNELS, CHANNELS, 1, 1)).astype(np.float32),
        "second.bias": np.zeros(CHANNELS, np.float32),
        "third.weight": random.standard_normal((CHANNELS, LABELS)).astype(np.float32),
    }
    nodes = [
        helper.make_node("Conv", ["pixel_values", "first.weight", "first.bias"], ["first"], name="first", pads=[1] * 4),
        helper.make_node("Relu", ["first"], ["relu"], name="relu"),
        helper.make_node("Conv", ["relu", "second.weight", "second.bias"], ["second"], name="second"),
        helper.make_node("GlobalAveragePool", ["second"], ["pooled"], name="pooled"),
        helper.make_node("Flatten", ["pooled"], ["flat"], name="flat"),
        helper.make_node("MatMul", ["flat", "third.weight"], ["logits"], name="third"),
    ]
    shape = IMAGES.inputs[0].axes
    graph = helper.make_graph(
        nodes,
        "convolutional",
        [helper.make_tensor_value_info("pixel_values", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch_size", LABELS])],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def static(*, quantize_outputs: bool) -> int8_static.Options:
    return int8_static.Options(
        per_channel=True,
        symmetric_activations=True,
        quantize_outputs=quantize_outputs,
        quantize_bias=quantize_outputs,
        keep_in_float=(),
    )


CACHE = CalibrationCache("entropy", RANGES, None)
MADE = {
    "int8_static, outputs too": lambda model: int8_static.convert(model, CACHE, static(quantize_outputs=True)),
    "int8_static": lambda model: int8_static.convert(model, CACHE, static(quantize_outputs=False)),
    "int8_weight_only": lambda model: int8_weight_only.convert(
        model, None, int8_weight_only.Options(per_channel=True, keep_in_float=())
    ),
    "fp8": lambda model: fp8.convert(model, CACHE, fp8.Options(per_channel=True, keep_in_float=())),
}


def weight_quantization(model: onnx.ModelProto) -> dict[str, tuple[np.ndarray, int]]:
    """Scales and axis of each convolution's weight."""
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    producers = {output: node for node in model.graph.node for output in node.output}
    found = {}
    for node in model.graph.node:
        if node.op_type == "Conv":
            dequantize = producers[node.input[1]]
            assert dequantize.op_type == "DequantizeLinear"
            axis = next((entry.i for entry in dequantize.attribute if entry.name == "axis"), 1)
            found[node.name] = stored[dequantize.input[1]], axis
    return found


@pytest.mark.parametrize("made", MADE)
def test_a_convolutions_weight_has_a_scale_for_each_output_channel(convolutional, made):
    first = numpy_helper.to_array(convolutional.graph.initializer[0])
    found = weight_quantization(MADE[made](convolutional))
    assert set(found) == {"first", "second"}
    for scales, axis in found.values():
        assert scales.shape == (CHANNELS,)
        assert axis == 0
    largest = np.abs(first).max(axis=(1, 2, 3))
    np.testing.assert_allclose(found["first"][0] / found["first"][0][-1], largest / largest[-1], rtol=0.01)


def build(tmp_path, model: onnx.ModelProto):
    pytest.importorskip("tensorrt_rtx")
    onnx.save(model, tmp_path / "model.onnx")
    return tensorrt_rtx.build(
        onnx_path=tmp_path / "model.onnx",
        signature=IMAGES,
        profiles=Profiles.dynamic(Profile((1,), (16,), (16,))),
        version=INSTALLED,
    )


@pytest.mark.parametrize(("made", "expected"), [("int8_weight_only", "INT8"), ("fp8", "FP8")])
def test_tensorrt_rtx_builds_convolutions_of_int8_weights_and_of_fp8(tmp_path, convolutional, made, expected):
    halved = fp16.convert(MADE[made](convolutional), None, fp16.Options(keep_in_fp32=()))
    built = build(tmp_path, halved)
    of_weights = [layer for layer in built.layers if any("first" in node for node in layer.onnx_nodes)]
    assert expected in {layer.precision for layer in of_weights}
    assert built.layers_by_precision.get("FP32", 0) < len(built.layers)


def test_tensorrt_rtx_has_no_convolution_of_int8_activations_and_says_so(tmp_path, convolutional):
    with pytest.raises(BackendError, match=r"2 convolutions have INT8 inputs \(first, second\)") as caught:
        build(tmp_path, MADE["int8_static"](convolutional))
    assert "no INT8 convolution" in caught.value.happened
