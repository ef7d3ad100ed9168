"""A package of an engine on a real GPU: its own runtime answers as the backend that was measured does, also over HTTP."""

from pathlib import Path

import numpy as np
import pytest

from temper.artifacts.manifest import MANIFESTS, read_manifest
from temper.artifacts.onnx_file import load
from temper.backends.opening import open_artifact
from temper.engines.build import build_engine
from temper.environment.devices import nvidia_gpus
from temper.package.runtime.model import _runner
from temper.package.runtime.packing import pack
from temper.package.runtime.signature import read_signature
from temper.quantization import fp16
from temper.transforms import gelu_tanh, pack_rows
from tests.gpu.conftest import assert_same_answers
from tests.tiny_onnx import TEXT, save_onnx_folder, text_inputs

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not nvidia_gpus(), reason="no NVIDIA GPU")]
pytest.importorskip("tensorrt_rtx")
OPTIONS = {
    "device_index": 0,
    "cuda_graph": True,
    "kernel_specialization": "eager",
    "runtime_cache": False,
    "trim_padding": False,
}
ENGINE = {"library": "tensorrt_rtx", "version": "installed"}
PACKED = {**ENGINE, "onnx": "packed", "static_shapes": [[1, 1], [4, 2], [16, 8]]}
STATIC = {**ENGINE, "onnx": "fp32", "static_shapes": [[1, 16], [4, 16], [4, 64]]}
DYNAMIC = {**ENGINE, "onnx": "fp32", "min_shape": [1, 8], "opt_shape": [4, 16], "max_shape": [16, 64]}
SHAPES = [(4, 16), (1, 64), (16, 64), (16, 5), (3, 7), (4, 16)]
"""Rows and tokens of calls; some need more than one call of the static engines, (3, 7) is below the least of the dynamic one."""


@pytest.fixture
def engine(small_bert, tmp_path):
    """Builds an engine of a row's kind; its folder."""

    def build(kind: str) -> Path:
        onnx = small_bert.onnx["fp32"]
        if kind == "packed":
            options = pack_rows.Options(row_tokens=64)
            model = pack_rows.convert(load(onnx), None, options)
            model = gelu_tanh.convert(model, None, gelu_tanh.Options(max_logit_difference=0.05))
            model = fp16.convert(model, None, fp16.Options(keep_in_fp32=()))
            signature = pack_rows.signature_after(TEXT, options)
            onnx = save_onnx_folder(tmp_path / "onnx", model, signature, external_data=False)
        row = {"packed": PACKED, "static": STATIC, "dynamic": DYNAMIC}[kind]
        build_engine(onnx_folder=onnx, engine_folder=tmp_path / "engine", row=row, name=kind)
        return tmp_path / "engine"

    return build


def opened(folder: Path, **options):
    """The package's own runner of an engine, and its signature."""
    facts = {
        "name": "tensorrt_rtx",
        "options": {**OPTIONS, **options},
        "profiles": read_manifest(folder / MANIFESTS["engines"], kind="engine", verify=[])["profiles"],
    }
    signature = read_signature(folder / "signature.json")
    return _runner(facts, folder, signature), signature


def answered(runner, signature, inputs):
    """As `Model.infer` does it."""
    if signature.row_tokens is None:
        return runner.infer(inputs)
    packed = pack(inputs, signature.row_tokens, signature.dtypes)
    count = len(next(iter(inputs.values())))
    if count == 1 or runner.cut(packed) is not None:
        return runner.infer(packed)
    halves = slice(0, count // 2), slice(count // 2, None)
    return np.concatenate(
        [answered(runner, signature, {name: own[half] for name, own in inputs.items()}) for half in halves]
    )


@pytest.mark.parametrize(("kind", "shapes"), [("packed", 3), ("static", 3), ("dynamic", 0)])
def test_every_static_shape_is_ready_after_it_was_warmed_up(engine, small_bert, kind, shapes):
    runner, signature = opened(engine(kind))
    runner.warm()
    graphs = {key: int(bound.graph) for key, bound in runner._bound.items()}
    assert len(graphs) == shapes
    for shape in SHAPES:
        assert_same_answers(answered(runner, signature, text_inputs(*shape)), small_bert.expected(shape), 0.05)
    if shapes:
        assert {key: int(bound.graph) for key, bound in runner._bound.items()} == graphs
    runner.close()


@pytest.mark.parametrize("cuda_graph", [True, False])
@pytest.mark.parametrize(("kind", "tolerance"), [("packed", 0.05), ("static", 0.02), ("dynamic", 0.02)])
def test_a_packages_runtime_answers_as_the_backend_does(engine, small_bert, kind, tolerance, cuda_graph):
    folder = engine(kind)
    runner, signature = opened(folder, cuda_graph=cuda_graph)
    with open_artifact("tensorrt_rtx", str(folder), {**OPTIONS, "cuda_graph": cuda_graph}, "installed") as measured:
        for shape in SHAPES:
            found = answered(runner, signature, text_inputs(*shape))
            assert_same_answers(found, small_bert.expected(shape), tolerance)
            if kind == "packed" or shape in ((4, 16), (1, 64)):
                np.testing.assert_allclose(found, measured.infer(text_inputs(*shape)), atol=1e-3, rtol=1e-3)
    runner.close()
