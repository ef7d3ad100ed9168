"""TensorRT cannot be installed here: what its rows take, and its runner over a GPU that computes on the host."""

import numpy as np
import pytest
from pydantic import ValidationError

from temper.backends import tensorrt
from tests.tiny_onnx import text_inputs
from tests.unit.backends.conftest import STATIC

OPTIONS = {"device_index": 0, "cuda_graph": True, "trim_padding": False}


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"device_index": 0},
        {"cuda_graph": True},
        {**OPTIONS, "runtime_cache": False},
        {**OPTIONS, "device_index": -1},
    ],
)
def test_options_are_closed_and_have_no_defaults(options):
    with pytest.raises(ValidationError):
        tensorrt.open_runner("engine", options, "installed")


def test_it_runs_engines_without_what_only_tensorrt_rtx_has(on_fake_gpu, monkeypatch):
    gpu = on_fake_gpu(STATIC, compute_capability=[9, 0])
    monkeypatch.setattr(gpu.engine, "create_runtime_config", lambda: pytest.fail("TensorRT-RTX's own"))
    with tensorrt.open_runner(str(gpu.folder), OPTIONS, "installed") as runner:
        inputs = text_inputs(3, 7)
        assert runner.infer(inputs)[:, 1].tolist() == inputs["attention_mask"].sum(axis=1).tolist()
        described = runner.describe()
    assert described["library"] == "tensorrt"
    assert (described["kernel_specialization"], described["runtime_cache"]) == (None, None)


def test_it_traces_engines(on_fake_gpu):
    gpu = on_fake_gpu(STATIC)
    execution = tensorrt.trace(str(gpu.folder), OPTIONS, "installed", [text_inputs(4, 8)])
    assert [layer.name for layer in execution.layers] == ["sum"]
    assert np.isclose(execution.total_ms, 0.5)
