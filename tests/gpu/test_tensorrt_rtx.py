"""Engines on a real GPU: parity with ONNX Runtime, the profile's limits, and a latency smoke test."""

import time

import numpy as np
import onnxruntime
import pytest

from temper.artifacts.manifest import read_manifest
from temper.backends.tensorrt_rtx import open_runner
from temper.engines.build import build_engine
from temper.environment.devices import nvidia_gpus
from temper.errors import BackendError, Unavailable
from tests.tiny_onnx import TEXT, save_onnx_folder, text_inputs, text_model

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not nvidia_gpus(), reason="no NVIDIA GPU")]
pytest.importorskip("tensorrt_rtx")
ROW = {
    "library": "tensorrt_rtx",
    "version": "installed",
    "onnx": "tiny",
    "min_shape": [1, 16],
    "opt_shape": [4, 16],
    "max_shape": [8, 64],
}
TOLERANCE = {"fp32": 1e-3, "fp16": 3e-2, "int8": 1e-3}


@pytest.fixture(params=["fp32", "fp16", "int8"])
def precision(request):
    return request.param


@pytest.fixture
def folders(tmp_path, precision):
    onnx_folder = save_onnx_folder(tmp_path / "onnx", text_model(precision), TEXT, external_data=False)
    build_engine(onnx_folder=onnx_folder, engine_folder=tmp_path / "engine", row=ROW, name=precision)
    return onnx_folder, tmp_path / "engine"


def open_engine(folder, device_index=0):
    options = {
        "device_index": device_index,
        "cuda_graph": False,
        "kernel_specialization": "lazy",
        "runtime_cache": False,
        "trim_padding": False,
    }
    return open_runner(str(folder), options, "installed")


def test_logits_agree_with_onnx_runtime_at_every_shape_of_the_profile(folders, precision):
    session = onnxruntime.InferenceSession(str(folders[0] / "model.onnx"), providers=["CPUExecutionProvider"])
    with open_engine(folders[1]) as runner:
        for shape in [(1, 16), (4, 16), (8, 64), (3, 33), (4, 16)]:
            inputs = text_inputs(*shape)
            (expected,) = session.run(["logits"], inputs)
            logits = runner.infer(inputs)
            assert logits.dtype == np.float32
            assert logits.shape == (shape[0], 2)
            np.testing.assert_allclose(logits, expected, atol=TOLERANCE[precision], rtol=0)


def test_an_answer_is_not_overwritten_by_the_next(folders):
    with open_engine(folders[1]) as runner:
        first = runner.infer(text_inputs(8, 64))
        kept = first.copy()
        other = text_inputs(8, 64)
        runner.infer({**other, "input_ids": other["input_ids"][:, ::-1].copy()})  # the mask stays: another answer
        np.testing.assert_array_equal(first, kept)


def test_inputs_outside_the_profile_are_refused_and_the_runner_goes_on(folders):
    with open_engine(folders[1]) as runner:
        assert runner.limits() == {"batch_size": (1, 8), "sequence_length": (16, 64)}
        for shape in [(9, 16), (1, 15), (1, 65)]:
            with pytest.raises(BackendError, match=rf"\({shape[0]}, {shape[1]}\)"):
                runner.infer(text_inputs(*shape))
        assert runner.infer(text_inputs(1, 16)).shape == (1, 2)


def test_the_inspector_confirms_the_layers_and_the_runner_describes_them(folders, precision):
    manifest = read_manifest(folders[1] / "engine.json", kind="engine")
    assert manifest["gpu"] == nvidia_gpus()[0].name
    assert manifest["confirmed_by_inspector"], manifest["confirmation"]
    with open_engine(folders[1]) as runner:
        described = runner.describe()
    assert described["version"] == manifest["library_version"]
    assert described["layers_by_precision"][precision.upper()] >= 2, described


def test_a_gpu_that_is_not_there_is_unavailable(folders):
    with pytest.raises(Unavailable, match="index 99"), open_engine(folders[1], device_index=99):
        pass


def test_a_hundred_calls_of_a_tiny_model_take_less_than_a_second(folders):
    with open_engine(folders[1]) as runner:
        inputs = text_inputs(4, 16)
        for _ in range(10):
            runner.infer(inputs)
        started = time.perf_counter()
        for _ in range(100):
            runner.infer(inputs)
        assert time.perf_counter() - started < 1.0
