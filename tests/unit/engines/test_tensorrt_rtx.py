"""Real engines from tiny models; TensorRT-RTX builds without a GPU."""

import platform
import subprocess
import sys

import onnx
import pytest
from onnx import TensorProto, helper

from temper.engines import tensorrt_rtx
from temper.engines.profile import Profile, Profiles
from temper.environment.library import INSTALLED, installed_version
from temper.errors import BackendError, LibraryError, Unavailable
from tests.tiny_onnx import IMAGE, TEXT, image_model, text_model, unsupported_model

pytest.importorskip("tensorrt_rtx")
STATIC = Profiles.static([(4, 16)])
DYNAMIC = Profiles.dynamic(Profile((1, 16), (4, 16), (8, 64)))
IMAGES = Profiles.dynamic(Profile((1,), (4,), (8,)))


def build(tmp_path, model, profiles=DYNAMIC, signature=TEXT, version=INSTALLED):
    onnx.save(model, tmp_path / "model.onnx")
    return tensorrt_rtx.build(
        onnx_path=tmp_path / "model.onnx", signature=signature, profiles=profiles, version=version
    )


def layer_of(built, onnx_node):
    return next(layer for layer in built.layers if onnx_node in layer.onnx_nodes)


@pytest.mark.parametrize(("precision", "expected"), [("fp32", "FP32"), ("fp16", "FP16"), ("int8", "INT8")])
@pytest.mark.parametrize("profiles", [STATIC, DYNAMIC], ids=["static", "dynamic"])
def test_matrix_products_have_the_precision_of_the_onnx_file(tmp_path, precision, expected, profiles):
    built = build(tmp_path, text_model(precision), profiles)
    assert len(built.serialized) > 1000
    assert built.build_seconds > 0
    assert built.library_version == installed_version(tensorrt_rtx.LIBRARY)
    assert {layer_of(built, node).precision for node in ("first", "second")} == {expected}
    assert built.layers_by_precision[expected] >= 2
    assert sum(built.layers_by_precision.values()) == len(built.layers)


def test_an_fp32_model_has_no_layer_of_another_floating_type(tmp_path):
    built = build(tmp_path, text_model("fp32"))
    assert not built.layers_by_precision.keys() & {"FP16", "BF16", "TF32", "INT8", "FP8"}


def test_the_layer_that_quantizes_reads_fp32_and_writes_int8(tmp_path):
    layers = build(tmp_path, text_model("int8")).layers
    quantize = next(layer for layer in layers if layer.output_types == ("INT8",) and "first_q" in layer.onnx_nodes)
    assert quantize.precision == "FP32"


def test_an_image_model_keeps_its_fixed_axes(tmp_path):
    built = build(tmp_path, image_model(), IMAGES, IMAGE)
    assert "--maxShapes=pixel_values:8x2x2x2" in built.equivalent_commands["tensorrt_rtx"]


def test_the_equivalent_command_gives_each_input_its_shapes(tmp_path):
    command = build(tmp_path, text_model("fp32")).equivalent_commands["tensorrt_rtx"]
    assert command.startswith("tensorrt_rtx --onnx=model.onnx --minShapes=input_ids:1x16,attention_mask:1x16 ")
    assert "--noTF32" in command
    assert "decomposable" not in command


def test_static_shapes_are_profiles_of_one_engine_with_the_same_precisions(tmp_path):
    built = build(tmp_path, text_model("int8"), Profiles.static([(4, 16), (1, 64), (8, 16)]))
    assert {layer_of(built, node).precision for node in ("first", "second")} == {"INT8"}
    assert (
        built.layers_by_precision["INT8"] == 3 * build(tmp_path, text_model("int8"), STATIC).layers_by_precision["INT8"]
    )
    command = built.equivalent_commands["tensorrt_rtx"]
    assert "--profile=2 --minShapes=input_ids:8x16,attention_mask:8x16 --optShapes=input_ids:8x16" in command


def test_an_engine_of_static_shapes_of_which_one_contradicts_the_file_names_it(tmp_path):
    model = text_model("fp32")
    for value in model.graph.input:
        value.type.tensor_type.shape.dim[1].dim_value = 16
    with pytest.raises(BackendError) as caught:
        build(tmp_path, model, Profiles.static([(4, 16), (1, 64)]))
    assert "input_ids:1x64,attention_mask:1x64" in caught.value.asked


def test_two_builds_of_one_file_give_the_same_bytes(tmp_path):
    model = text_model("fp16")
    assert build(tmp_path, model).serialized == build(tmp_path, model).serialized


def attention_model():
    """One opset-23 Attention node; FP32, for which TensorRT-RTX has no fused kernel."""
    shape = ["batch_size", 2, 2, 2]
    nodes = [
        # three tensors: TensorRT-RTX 1.6.1 crashes where query, key and value are one and the same
        *(helper.make_node(kind, ["pixel_values"], [kind]) for kind in ("Neg", "Abs", "Relu")),
        helper.make_node("Attention", ["Neg", "Abs", "Relu"], ["mixed"], name="attention"),
        helper.make_node("ReduceMean", ["mixed", "axes"], ["logits"], name="mean", keepdims=0),
    ]
    axes = helper.make_tensor("axes", TensorProto.INT64, [2], [1, 2])
    graph = helper.make_graph(
        nodes,
        "attention",
        [helper.make_tensor_value_info("pixel_values", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch_size", 2])],
        [axes],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 23)], ir_version=11)


def test_fp32_attention_of_opset_23_builds(tmp_path):
    built = build(tmp_path, attention_model(), IMAGES, IMAGE)
    assert built.layers_by_precision["FP32"] >= 1
    assert "--decomposableAttentions" in built.equivalent_commands["tensorrt_rtx"]


def test_an_unsupported_operator_is_named_with_its_node(tmp_path):
    with pytest.raises(BackendError) as caught:
        build(tmp_path, unsupported_model())
    assert "NoSuchOperator" in caught.value.happened
    assert "'relu'" in caught.value.happened


def test_a_file_that_is_no_onnx_says_so(tmp_path):
    (tmp_path / "model.onnx").write_text("not a model")
    with pytest.raises(BackendError, match="Failed to parse"):
        tensorrt_rtx.build(onnx_path=tmp_path / "model.onnx", signature=TEXT, profiles=STATIC, version=INSTALLED)


def test_a_profile_that_the_file_contradicts_is_an_error_with_the_builders_message(tmp_path):
    model = text_model("fp32")
    for value in model.graph.input:
        value.type.tensor_type.shape.dim[1].dim_value = 16
    with pytest.raises(BackendError) as caught:
        build(tmp_path, model, DYNAMIC)
    assert "input_ids" in caught.value.happened
    assert "attention_mask:8x64" in caught.value.asked


def test_another_models_signature_is_refused(tmp_path):
    with pytest.raises(BackendError) as caught:
        build(tmp_path, image_model(), DYNAMIC, TEXT)
    assert "pixel_values" in caught.value.happened
    assert "input_ids" in caught.value.happened


def test_a_version_that_is_not_there_says_how_to_get_it(tmp_path):
    with pytest.raises(LibraryError) as caught:
        build(tmp_path, text_model("fp32"), version="0.0.1")
    assert "make library PACKAGE=tensorrt-rtx-cu13 VERSION=0.0.1" in caught.value.fix


def test_a_platform_without_tensorrt_rtx_is_unavailable(tmp_path, monkeypatch):
    monkeypatch.setattr(platform, "machine", lambda: "arm64")
    with pytest.raises(Unavailable, match="arm64"):
        build(tmp_path, text_model("fp32"))


def test_importing_the_module_does_not_import_the_library():
    program = "import sys, temper.engines.tensorrt_rtx, temper.backends.tensorrt_rtx as b; b.Options(device_index=0, \
cuda_graph=False, kernel_specialization='lazy', runtime_cache=False, trim_padding=False); \
print(any('tensorrt' in m and not m.startswith('temper') or m.startswith('cuda') for m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
