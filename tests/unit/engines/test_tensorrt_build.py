"""What holds for every library of the family; test_tensorrt_rtx.py builds real engines, test_tensorrt.py has the other API."""

import json
from types import SimpleNamespace

import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from temper.engines import tensorrt_build, tensorrt_rtx
from temper.engines.profile import Profile, Profiles
from temper.engines.tensorrt_build import build_with, inspect_engine, inspect_with
from temper.environment.devices import Gpu, nvidia_gpus
from temper.environment.library import INSTALLED
from temper.errors import BackendError
from tests.tiny_onnx import IMAGE, TEXT, text_model

IMAGES = Profiles.dynamic(Profile((1,), (2,), (4,)))


def engine_that_says(text):
    """A loaded engine whose inspector says this."""
    inspector = SimpleNamespace(get_engine_information=lambda form: text)
    return SimpleNamespace(create_engine_inspector=lambda: inspector)


TRT = SimpleNamespace(LayerInformationFormat=SimpleNamespace(JSON="json"))
TENSOR = {"Name": "x", "Dimensions": [1], "Format/Datatype": "Half", "Datatype": "Half"}


def test_layers_are_those_that_the_inspector_lists():
    layers = [{"Name": name, "LayerType": "gemm", "Inputs": [TENSOR], "Outputs": [TENSOR]} for name in ("one", "two")]
    found = inspect_engine(TRT, engine_that_says(json.dumps({"Layers": layers})))
    assert [layer.name for layer in found.layers] == ["one", "two"]
    assert found.reason == "listed by the engine inspector"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("no json", "JSON is unknown (it is no JSON"),
        ("{}", "is unknown (KeyError"),
        ('{"Layers": []}', "lists no layers"),
    ],
)
def test_what_cannot_be_read_is_not_confirmed_and_no_layer(text, said):
    found = inspect_engine(TRT, engine_that_says(text))
    assert found.layers is None
    assert found.reason.startswith("not confirmed: ")
    assert said in found.reason


def test_without_a_gpu_an_engine_is_not_confirmed_and_no_library_is_imported(monkeypatch):
    monkeypatch.setattr(tensorrt_build, "nvidia_gpus", lambda: ())
    monkeypatch.setattr(tensorrt_build, "import_library", lambda *_: pytest.fail("imported"))
    assert inspect_with(tensorrt_rtx.API, b"", INSTALLED).reason == "not confirmed: no NVIDIA GPU"


@pytest.mark.skipif(
    bool(nvidia_gpus()), reason="this machine has a GPU: tests/gpu/test_tensorrt_rtx.py loads engines there"
)
def test_what_the_real_library_cannot_load_is_not_confirmed(monkeypatch):
    """On a machine whose GPU turns out to be none."""
    pytest.importorskip("tensorrt_rtx")
    monkeypatch.setattr(tensorrt_build, "nvidia_gpus", lambda: (Gpu("none", "0"),))
    found = inspect_with(tensorrt_rtx.API, b"no engine", INSTALLED)
    assert found.layers is None
    assert found.reason.startswith("not confirmed: ")


@pytest.mark.parametrize("error", [RuntimeError("no driver"), TypeError("pybind11::init(): factory returned nullptr")])
def test_a_runtime_that_cannot_be_made_is_not_confirmed_and_says_why(monkeypatch, error):
    def runtime(logger):
        logger.log(Logger.ERROR, "cudaError 35")
        raise error

    class Logger:
        INTERNAL_ERROR, ERROR, WARNING, INFO, VERBOSE = (
            SimpleNamespace(name=name) for name in ("INTERNAL_ERROR", "ERROR", "WARNING", "INFO", "VERBOSE")
        )

    trt = SimpleNamespace(ILogger=Logger, Runtime=runtime)
    monkeypatch.setattr(tensorrt_build, "nvidia_gpus", lambda: (Gpu("none", "0"),))
    monkeypatch.setattr(tensorrt_build, "import_library", lambda library, asked: trt)
    found = inspect_with(tensorrt_rtx.API, b"an engine", INSTALLED)
    assert found.layers is None
    assert found.reason == f"not confirmed: {type(error).__name__}: {error} (cudaError 35)"


def images(nodes, constants, output_shape=("batch_size", 2)):
    """A model from IMAGE's pixels [batch, 2, 2, 2] to logits."""
    graph = helper.make_graph(
        nodes,
        "images",
        [helper.make_tensor_value_info("pixel_values", TensorProto.FLOAT, ["batch_size", 2, 2, 2])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, output_shape)],
        constants,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def convolution(*, quantised):
    """One convolution, on pixels as they are or through Q/DQ."""
    import numpy as np

    weight = np.ones((2, 2, 2, 2), np.float32) / 8
    constants = [
        numpy_helper.from_array(np.float32(0.1), "scale"),
        numpy_helper.from_array(np.int8(0), "zero"),
        numpy_helper.from_array(np.array([0, 2]), "shape"),
    ]
    nodes, source, kernel = [], "pixel_values", "w"
    if quantised:
        constants.append(numpy_helper.from_array((weight * 10).astype(np.int8), "w_int8"))
        nodes = [
            helper.make_node("QuantizeLinear", ["pixel_values", "scale", "zero"], ["q"], name="q"),
            helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["dq"], name="dq"),
            helper.make_node("DequantizeLinear", ["w_int8", "scale", "zero"], ["w_dq"], name="w_dq"),
        ]
        source, kernel = "dq", "w_dq"
    else:
        constants.append(numpy_helper.from_array(weight, "w"))
    nodes += [
        helper.make_node("Conv", [source, kernel], ["features"], name="first_convolution"),
        helper.make_node("Reshape", ["features", "shape"], ["logits"], name="flat"),
    ]
    return images(nodes, constants)


def build(tmp_path, model, signature, profiles, api=tensorrt_rtx.API):
    pytest.importorskip("tensorrt_rtx")
    onnx.save(model, tmp_path / "model.onnx")
    return build_with(api, onnx_path=tmp_path / "model.onnx", signature=signature, profiles=profiles, version=INSTALLED)


def test_int8_convolutions_are_refused_by_name_where_the_library_has_none(tmp_path):
    with pytest.raises(BackendError) as caught:
        build(tmp_path, convolution(quantised=True), IMAGE, IMAGES)
    assert caught.value.happened.startswith(
        "1 convolutions have INT8 inputs (first_convolution), and TensorRT-RTX has no"
    )
    assert "FP16 or FP32 row" in caught.value.fix


def test_convolutions_on_floats_are_built(tmp_path):
    assert build(tmp_path, convolution(quantised=False), IMAGE, IMAGES).layers_by_precision["FP32"] >= 1


def test_another_output_than_the_signatures_is_refused(tmp_path):
    model = text_model("fp32")
    model.graph.node[-1].output[0] = model.graph.output[0].name = "scores"
    with pytest.raises(BackendError) as caught:
        build(tmp_path, model, TEXT, Profiles.static([(1, 8)]))
    assert "['scores']" in caught.value.happened
    assert "['logits']" in caught.value.happened
