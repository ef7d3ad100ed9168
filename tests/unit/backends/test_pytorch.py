import numpy as np
import pytest
import torch

from temper.backends.pytorch import open_runner, trace
from temper.errors import ArtifactError, Unavailable
from tests.unit.backends.test_runner import CPU

OPTIONS = CPU["pytorch"][1]


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_cuda_without_a_gpu_is_unavailable_and_never_a_cpu_latency(tiny_study):
    runner = open_runner(str(tiny_study.checkpoint), {**OPTIONS, "device": "cuda"}, "installed")
    with pytest.raises(Unavailable, match="sees no CUDA device"), runner:
        pass


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_the_dtype_asked_for_is_the_one_that_runs(tiny_study, dtype):
    inputs = tiny_study.inputs([0, 1, 2])
    with open_runner(str(tiny_study.checkpoint), OPTIONS, "installed") as runner:
        expected = runner.infer(inputs)
    with open_runner(str(tiny_study.checkpoint), {**OPTIONS, "dtype": dtype}, "installed") as runner:
        logits = runner.infer(inputs)
        assert runner.describe()["dtype"] == dtype
    assert logits.dtype == np.float32
    assert np.abs(logits - expected).max() < 0.1
    assert (dtype == "float32") == np.array_equal(logits, expected)


def test_altered_weights_are_refused(tiny_study, copy_of):
    folder = copy_of(tiny_study.checkpoint)
    with open(folder / "model.safetensors", "ab") as stream:
        stream.write(b"\0")
    with pytest.raises(ArtifactError, match=r"model\.safetensors"), open_runner(str(folder), OPTIONS, "installed"):
        pass


@pytest.mark.parametrize(("dtype", "precision"), [("float32", "FP32"), ("bfloat16", "BF16")])
def test_modules_that_were_called_are_listed_with_the_dtype_of_their_parameters(tiny_study, dtype, precision):
    execution = trace(
        str(tiny_study.checkpoint), {**OPTIONS, "dtype": dtype}, "installed", [tiny_study.inputs([0]) for _ in range(2)]
    )
    assert {layer.type for layer in execution.layers} == {"Embedding", "LayerNorm", "Linear"}
    assert {(layer.precision, layer.device, layer.time_ms) for layer in execution.layers} == {(precision, "cpu", None)}
    assert len({layer.name for layer in execution.layers}) == len(execution.layers)


def test_a_module_that_was_not_called_is_not_listed(tiny_study):
    assert trace(str(tiny_study.checkpoint), OPTIONS, "installed", []).layers == ()
