"""INT8 weights with float activations, on the tiny study's model."""

from onnx import TensorProto

from temper.artifacts.census import census_of_model
from temper.artifacts.onnx_file import load
from temper.quantization.int8_weight_only import Options, convert
from temper.quantization.layers import layers


def weights(model):
    return {
        tensor.name
        for tensor in model.graph.initializer
        if tensor.data_type == TensorProto.INT8 and len(tensor.dims) > 1
    }


def test_weights_are_int8_and_no_activation_is_quantised(tiny_study):
    made = convert(load(tiny_study.fp32), None, Options(per_channel=True, keep_in_float=()))
    counted = census_of_model(made)
    assert (counted.quantized, counted.weight_only) == (0, len(weights(made)))
    assert "QuantizeLinear" not in {node.op_type for node in made.graph.node}
    assert made.ByteSize() < load(tiny_study.fp32).ByteSize()


def test_a_named_layer_keeps_its_float_weight(tiny_study):
    kept = next(layer for layer in layers(load(tiny_study.fp32)) if layer.name == "classifier")
    every = convert(load(tiny_study.fp32), None, Options(per_channel=True, keep_in_float=()))
    made = convert(load(tiny_study.fp32), None, Options(per_channel=True, keep_in_float=(kept.name,)))
    assert len(weights(every) - weights(made)) == 1
