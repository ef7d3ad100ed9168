import json
import platform

import pytest

from temper.artifacts.manifest import read_manifest, sha256, write_manifest
from temper.engines.build import build_engine
from temper.engines.engine import BuiltEngine, Inspection
from temper.engines.layers import Layer
from temper.environment.devices import nvidia_gpus
from temper.errors import ArtifactError, ConfigError, PrecisionNotActive
from tests.tiny_onnx import IMAGE, TEXT, image_model, save_onnx_folder, text_model

pytest.importorskip("tensorrt_rtx")
ROW = {
    "library": "tensorrt_rtx",
    "version": "installed",
    "onnx": "tiny",
    "min_shape": [1, 16],
    "opt_shape": [4, 16],
    "max_shape": [8, 64],
}


@pytest.fixture
def onnx_folder(tmp_path):
    return save_onnx_folder(tmp_path / "onnx", text_model("int8"), TEXT, external_data=False)


def build(onnx_folder, row=ROW):
    engine_folder = onnx_folder.parent / "engine"
    build_engine(onnx_folder=onnx_folder, engine_folder=engine_folder, row=row, name="tiny-engine")
    return engine_folder


def test_the_folder_holds_engine_signature_preprocessor_and_a_manifest_of_them(onnx_folder):
    folder = build(onnx_folder)
    manifest = read_manifest(folder / "engine.json", kind="engine")
    assert set(manifest["files"]) == {"model.engine", "signature.json", "tokenizer.json", "tokenizer_config.json"}
    assert manifest["status"] == "built"
    assert manifest["version_asked"] == "installed"
    assert manifest["size_bytes"] == (folder / "model.engine").stat().st_size > 1000
    assert manifest["profiles"] == [{key: ROW[key] for key in ("min_shape", "opt_shape", "max_shape")}]
    assert manifest["compute_capability"] is None
    assert set(manifest["equivalent_commands"]) == {"tensorrt_rtx", "polygraphy"}
    assert manifest["layers_by_precision"]["INT8"] >= 2
    assert len(manifest["layers"]) > 2
    assert manifest["made_from"] == {"model.onnx": sha256(onnx_folder / "model.onnx")}


def test_an_engine_that_is_int8_in_name_only_is_refused(onnx_folder, monkeypatch):
    monkeypatch.setattr("temper.engines.build.count_by_precision", lambda layers: {"FP32": len(layers)})
    with pytest.raises(PrecisionNotActive, match="INT8 in name only: its layers are"):
        build(onnx_folder)
    assert not (onnx_folder.parent / "engine").exists()


@pytest.mark.skipif(bool(nvidia_gpus()), reason="tests/gpu takes over where there is a GPU")
def test_without_a_gpu_the_layers_are_not_confirmed_and_the_manifest_says_why(onnx_folder):
    manifest = json.loads((build(onnx_folder) / "engine.json").read_text())
    assert manifest["confirmed_by_inspector"] is False
    assert manifest["gpu"] is None
    assert manifest["confirmation"] == "not confirmed: no NVIDIA GPU"


STATIC_ROW = {key: ROW[key] for key in ("library", "version", "onnx")} | {"static_shapes": [[4, 16], [1, 64], [8, 16]]}


def test_static_shapes_are_one_engine_with_a_profile_for_each(onnx_folder):
    folder = build(onnx_folder, STATIC_ROW)
    manifest = read_manifest(folder / "engine.json", kind="engine")
    assert [profile["opt_shape"] for profile in manifest["profiles"]] == [[1, 64], [4, 16], [8, 16]]
    assert all(profile["min_shape"] == profile["max_shape"] for profile in manifest["profiles"])
    assert manifest["layers_by_precision"]["INT8"] >= 2


def test_a_static_shape_of_another_task_is_refused(onnx_folder):
    with pytest.raises(ConfigError):
        build(onnx_folder, {**STATIC_ROW, "static_shapes": [[4, 16], [8]]})


def test_external_data_is_found_and_recorded(tmp_path):
    manifest = json.loads(
        (
            build(save_onnx_folder(tmp_path / "onnx", text_model("fp32"), TEXT, external_data=True)) / "engine.json"
        ).read_text()
    )
    assert set(manifest["made_from"]) == {"model.onnx", "model.onnx.data"}
    assert manifest["layers_by_precision"]["FP32"] >= 2


def test_an_image_engine_carries_the_image_preprocessor(tmp_path):
    folder = save_onnx_folder(tmp_path / "onnx", image_model(), IMAGE, external_data=False)
    engine_folder = build(folder, ROW | {"min_shape": [1], "opt_shape": [2], "max_shape": [4]})
    assert (engine_folder / "preprocessor_config.json").is_file()
    assert not (engine_folder / "tokenizer.json").exists()


def test_an_onnx_file_altered_after_its_manifest_is_refused_and_nothing_is_written(onnx_folder):
    with open(onnx_folder / "model.onnx", "ab") as stream:
        stream.write(b"\0")
    with pytest.raises(ArtifactError, match="altered"):
        build(onnx_folder)
    assert not (onnx_folder.parent / "engine").exists()


def test_a_profile_of_another_task_is_refused(onnx_folder):
    with pytest.raises(ConfigError):
        build(onnx_folder, ROW | {"min_shape": [1], "opt_shape": [2], "max_shape": [4]})


@pytest.mark.parametrize("form", ["static_shapes", "buckets"])
def test_an_engine_has_a_profile_for_each_static_shape(onnx_folder, tmp_path, form):
    file = tmp_path / "main.json"
    write_manifest(file, kind="buckets", facts={"row": {"batch_size": 8}, "limits": [16, 64]})
    row = {key: value for key, value in ROW.items() if not key.endswith("_shape")}
    row |= {"static_shapes": [[8, 16], [8, 64]]} if form == "static_shapes" else {"buckets": "main"}
    build_engine(
        onnx_folder=onnx_folder,
        engine_folder=tmp_path / "engine",
        row=row,
        name="tiny-engine",
        buckets_file=file if form == "buckets" else None,
    )
    manifest = read_manifest(tmp_path / "engine/engine.json", kind="engine")
    assert [profile["opt_shape"] for profile in manifest["profiles"]] == [[8, 16], [8, 64]]
    assert all(profile["min_shape"] == profile["max_shape"] for profile in manifest["profiles"])


def test_where_the_library_cannot_be_installed_the_folder_says_not_built(onnx_folder, monkeypatch):
    monkeypatch.setattr(platform, "machine", lambda: "arm64")
    folder = build(onnx_folder)
    manifest = read_manifest(folder / "engine.json", kind="engine")
    assert manifest["status"] == "not built"
    assert "arm64" in manifest["reason"]
    assert (folder / "model.engine").stat().st_size == 0


@pytest.mark.parametrize(
    ("inspected", "confirmed"), [("INT8", True), ("FP16", False)], ids=["the same", "another precision"]
)
def test_the_inspector_confirms_only_what_the_builder_listed(inspected, confirmed):
    from temper.engines.build import _compare

    built = BuiltEngine(b"", 1.0, "1.6", None, (Layer("l", "gemm", "INT8", (), (), (), ()),), {})
    inspection = Inspection((Layer("l", "gemm", inspected, (), (), (), ()),), "listed")
    answer, words = _compare(built, inspection)
    assert answer is confirmed
    assert confirmed or "FP16" in words


@pytest.mark.parametrize("name", ["int8_static", "int8_nncf"])
def test_an_int8_file_becomes_an_engine_whichever_way_it_was_calibrated(tiny_study, tmp_path, name):
    row = {**ROW, "min_shape": [1, 4], "opt_shape": [2, 16], "max_shape": [4, 32]}
    build_engine(onnx_folder=tiny_study.precision[name], engine_folder=tmp_path, row=row, name=name)
    assert read_manifest(tmp_path / "engine.json", kind="engine")["layers_by_precision"]["INT8"] > 0
