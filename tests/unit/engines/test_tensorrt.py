"""TensorRT cannot be installed here: its build runs over a module that is none, as far as the two libraries differ."""

from types import SimpleNamespace

import pytest

from temper.engines import tensorrt, tensorrt_build
from temper.engines.build import build_engine
from temper.engines.profile import Profiles
from temper.environment.devices import Gpu
from temper.errors import LibraryError, Unavailable
from tests.tiny_onnx import TEXT, save_onnx_folder, text_model


class FakeNetwork:
    """A network with the signature's tensors and one INT8 convolution, which TensorRT has a kernel for."""

    num_inputs, num_outputs = 2, 1

    def __init__(self, trt):
        tensor = SimpleNamespace(name="x", dtype=trt.int8)
        quantized = SimpleNamespace(name="dq")
        dequantize = SimpleNamespace(
            name="dequantize",
            type=trt.LayerType.DEQUANTIZE,
            num_outputs=1,
            get_output=lambda at: quantized,
            get_input=lambda at: tensor,
        )
        convolution = SimpleNamespace(
            name="convolution",
            type=trt.LayerType.CONVOLUTION,
            num_outputs=1,
            get_output=lambda at: SimpleNamespace(name="y"),
            get_input=lambda at: quantized,
        )
        self.layers = [dequantize, convolution]
        self.num_layers = 2

    def get_input(self, at):
        return SimpleNamespace(name=TEXT.inputs[at].name)

    def get_output(self, at):
        return SimpleNamespace(name="logits")

    def get_layer(self, at):
        return self.layers[at]


class FakeProfile:
    def __init__(self):
        self.shapes = {}

    def set_shape(self, name, *shapes):
        self.shapes[name] = shapes


def fake_module(version):
    """`tensorrt` of a version, with what its builder was asked for in `asked`."""
    asked = {"profiles": [], "cleared": []}
    flags = SimpleNamespace(STRONGLY_TYPED=1) if version.startswith("10.") else SimpleNamespace()
    config = SimpleNamespace(clear_flag=asked["cleared"].append, add_optimization_profile=asked["profiles"].append)
    trt = SimpleNamespace(
        __file__=None,
        __version__=version,
        ILogger=type("ILogger", (), dict.fromkeys(("INTERNAL_ERROR", "ERROR", "WARNING", "VERBOSE"))),
        NetworkDefinitionCreationFlag=flags,
        LayerType=SimpleNamespace(CONVOLUTION=1, DEQUANTIZE=2),  # no ATTENTION_INPUT: 10.13 has none
        ProfilingVerbosity=SimpleNamespace(DETAILED=1),
        BuilderFlag=SimpleNamespace(TF32="TF32"),
        OnnxParser=lambda network, logger: SimpleNamespace(parse_from_file=lambda path: True),
        int8="int8",
        asked=asked,
    )

    def create_network(number):
        asked["flags"] = number
        return FakeNetwork(trt)

    trt.Builder = lambda logger: SimpleNamespace(
        create_network=create_network,
        create_builder_config=lambda: config,
        create_optimization_profile=FakeProfile,
        build_serialized_network=lambda network, config: b"a plan",
    )
    return trt


@pytest.fixture
def with_tensorrt(monkeypatch):
    def put(version):
        trt = fake_module(version)
        monkeypatch.setattr(tensorrt_build, "nvidia_gpus", lambda: (Gpu("Fake GPU", "580.1"),))
        monkeypatch.setattr(tensorrt_build, "import_library", lambda library, asked: trt)
        monkeypatch.setattr(tensorrt_build, "current_capability", lambda: (8, 9))
        return trt

    return put


@pytest.mark.parametrize(("version", "flags"), [("10.13.3.9", 0b10), ("11.1.0.106", 0)])
def test_an_engine_is_strongly_typed_bound_to_its_gpu_and_may_hold_int8_convolutions(with_tensorrt, version, flags):
    trt = with_tensorrt(version)
    profiles = Profiles.static([(4, 16), (1, 64)])
    built = tensorrt.build(onnx_path="model.onnx", signature=TEXT, profiles=profiles, version="installed")
    assert (built.serialized, built.library_version) == (b"a plan", version)
    assert built.compute_capability == (8, 9)
    assert trt.asked["flags"] == flags
    assert trt.asked["cleared"] == ["TF32"]
    shapes = [profile.shapes["input_ids"] for profile in trt.asked["profiles"]]
    assert shapes == [((1, 64),) * 3, ((4, 16),) * 3]
    assert built.equivalent_commands["trtexec"].startswith("trtexec --onnx=model.onnx --profile=0 ")
    assert built.equivalent_commands["polygraphy"].startswith("polygraphy convert model.onnx ")


def test_without_a_gpu_it_is_not_built_and_the_folder_says_why(tmp_path, monkeypatch):
    monkeypatch.setattr(tensorrt_build, "nvidia_gpus", lambda: ())
    onnx = save_onnx_folder(tmp_path / "onnx", text_model("fp32"), TEXT, external_data=False)
    row = {"library": "tensorrt", "version": "installed", "onnx": "fp32", "static_shapes": [[1, 16]]}
    build_engine(onnx_folder=onnx, engine_folder=tmp_path / "engine", row=row, name="fp32")
    from temper.artifacts.manifest import read_manifest

    manifest = read_manifest(tmp_path / "engine/engine.json", kind="engine")
    assert (manifest["status"], manifest["reason"]) == (
        "not built",
        "TensorRT builds on the GPU that it builds for, and there is no NVIDIA GPU",
    )


def test_where_the_library_is_absent_the_error_says_so(monkeypatch):
    from temper.environment.library import installed_version

    if installed_version(tensorrt.LIBRARY) is not None:
        pytest.skip("TensorRT is installed")
    monkeypatch.setattr(tensorrt_build, "nvidia_gpus", lambda: (Gpu("Fake GPU", "580.1"),))
    with pytest.raises(LibraryError, match="use tensorrt-cu13"):
        tensorrt.build(onnx_path="m", signature=TEXT, profiles=Profiles.static([(1, 8)]), version="installed")


def test_a_gpu_older_than_turing_is_not_supported():
    assert tensorrt.API.unsupported("11.1", (7, 0)) is not None
    assert tensorrt.API.unsupported("11.1", (9, 0)) is None


def test_no_gpu_is_unavailable_before_anything_is_imported(monkeypatch):
    monkeypatch.setattr(tensorrt_build, "nvidia_gpus", lambda: ())
    monkeypatch.setattr(tensorrt_build, "import_library", lambda *_: pytest.fail("imported"))
    with pytest.raises(Unavailable, match="no NVIDIA GPU"):
        tensorrt.build(onnx_path="m", signature=TEXT, profiles=Profiles.static([(1, 8)]), version="installed")
