"""An engine for the lengths that a row of `buckets:` chose, on a real GPU."""

import numpy as np
import onnxruntime
import pytest

from temper.artifacts.manifest import write_manifest
from temper.backends.tensorrt_rtx import open_runner
from temper.engines.build import build_engine
from temper.environment.devices import nvidia_gpus
from temper.lengths.buckets.record import KIND
from tests.tiny_onnx import TEXT, save_onnx_folder, summing_text_model, text_inputs

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not nvidia_gpus(), reason="no NVIDIA GPU")]
pytest.importorskip("tensorrt_rtx")
ROW = {"library": "tensorrt_rtx", "version": "installed", "onnx": "tiny", "buckets": "main"}
OPTIONS = {
    "device_index": 0,
    "cuda_graph": False,
    "kernel_specialization": "eager",
    "runtime_cache": False,
    "trim_padding": False,
}
COMPUTED = {
    (8, 16): 8 * 16,
    (8, 17): 8 * 32,
    (3, 20): 8 * 32,
    (1, 64): 8 * 64,
}  # batch and length: tokens of the profile


def test_every_batch_up_to_the_last_limit_is_answered_in_the_smallest_profile_that_fits(tmp_path):
    onnx_folder = save_onnx_folder(tmp_path / "onnx", summing_text_model(), TEXT, external_data=False)
    file = tmp_path / "buckets/main.json"
    file.parent.mkdir()
    write_manifest(file, kind=KIND, facts={"row": {"batch_size": 8}, "limits": [16, 32, 64]})
    build_engine(onnx_folder=onnx_folder, engine_folder=tmp_path / "engine", row=ROW, name="lengths", buckets_file=file)
    session = onnxruntime.InferenceSession(str(onnx_folder / "model.onnx"), providers=["CPUExecutionProvider"])
    with open_runner(str(tmp_path / "engine"), OPTIONS, "installed") as runner:
        for shape, tokens in COMPUTED.items():
            inputs = text_inputs(*shape)
            (expected,) = session.run(["logits"], inputs)
            tolerance = 5e-3 * max(1.0, np.abs(expected).max())  # FP32 engines multiply in TF32
            np.testing.assert_allclose(runner.infer(inputs), expected, atol=tolerance, rtol=0)
            assert runner.computed_tokens(inputs, shape) == tokens
