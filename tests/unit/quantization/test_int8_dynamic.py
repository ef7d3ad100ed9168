from onnx import TensorProto

from temper.artifacts.onnx_file import contents, load
from temper.quantization.int8_dynamic import Options, convert


def test_products_with_weights_are_integer_and_quantised_from_each_batchs_own_range(tiny_study):
    before, after = contents(load(tiny_study.fp32)), contents(load(tiny_study.precision["int8_dynamic"]))
    assert before["products_quantized"] == 0
    assert after["products"] == before["products"]
    assert after["products_quantized"] == after["operators"]["MatMulInteger"] == 8  # all but attention's own two
    assert after["operators"]["DynamicQuantizeLinear"] > 0


def test_weights_are_signed_and_take_less_space(tiny_study):
    dtypes = {
        tensor.data_type for tensor in load(tiny_study.precision["int8_dynamic"]).graph.initializer if tensor.dims
    }
    assert TensorProto.INT8 in dtypes
    sizes = [
        (folder / "model.onnx").stat().st_size for folder in (tiny_study.fp32, tiny_study.precision["int8_dynamic"])
    ]
    assert sizes[1] < 0.75 * sizes[0]


def test_per_channel_gives_every_column_a_scale_of_its_own(tiny_study):
    def columns(per_channel):
        model = convert(load(tiny_study.fp32), None, Options(per_channel=per_channel))
        return max(max(tensor.dims, default=1) for tensor in model.graph.initializer if tensor.name.endswith("_scale"))

    assert (columns(True), columns(False)) == (32, 1)  # 32 columns in the larger feed-forward layer
