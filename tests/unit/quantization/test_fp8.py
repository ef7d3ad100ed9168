"""FP8 from a calibration cache, on the tiny study's model."""

import pytest
from onnx import TensorProto

from temper.artifacts.census import census_of_model
from temper.artifacts.onnx_file import load
from temper.errors import ArtifactError
from temper.quantization.calibration.cache import read_cache
from temper.quantization.fp8 import Options, convert
from temper.quantization.layers import layers, quantized_layers


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
