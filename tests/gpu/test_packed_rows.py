"""Packed rows on a real GPU: engines of a few numbers of rows answer padded batches as PyTorch does."""

import pytest

from temper.artifacts.onnx_file import load
from temper.backends.opening import open_artifact
from temper.engines.build import build_engine
from temper.environment.devices import nvidia_gpus
from temper.quantization import fp16
from temper.transforms import fuse_qkv, gelu_tanh, pack_rows
from tests.gpu.conftest import assert_same_answers
from tests.tiny_onnx import TEXT, save_onnx_folder, text_inputs

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not nvidia_gpus(), reason="no NVIDIA GPU")]
pytest.importorskip("tensorrt_rtx")
ROW = {"library": "tensorrt_rtx", "version": "installed", "onnx": "packed", "static_shapes": [[1, 1], [4, 2], [16, 8]]}
OPTIONS = {
    "device_index": 0,
    "cuda_graph": True,
    "kernel_specialization": "eager",
    "runtime_cache": False,
    "trim_padding": False,
}
SHAPES = [(4, 16), (1, 64), (16, 64), (16, 5), (3, 7), (4, 16)]  # the largest needs more rows than there are: two calls


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize(("half", "tolerance"), [(False, 0.02), (True, 0.05)])  # FP32 engines multiply in TF32
def test_packed_rows_answer_as_padded_ones(small_bert, tmp_path, half, tolerance, fused):
    options = pack_rows.Options(row_tokens=64)
    model = pack_rows.convert(load(small_bert.onnx["fp32"]), None, options)
    if fused:
        model = fuse_qkv.convert(model, None, fuse_qkv.Options())
    if half:
        model = gelu_tanh.convert(model, None, gelu_tanh.Options(max_logit_difference=0.05))
        model = fp16.convert(model, None, fp16.Options(keep_in_fp32=()))
    onnx = save_onnx_folder(tmp_path / "onnx", model, pack_rows.signature_after(TEXT, options), external_data=False)
    build_engine(onnx_folder=onnx, engine_folder=tmp_path / "engine", row=ROW, name="packed")
    with open_artifact("tensorrt_rtx", str(tmp_path / "engine"), OPTIONS, "installed") as runner:
        for shape in SHAPES:
            assert_same_answers(runner.infer(text_inputs(*shape)), small_bert.expected(shape), tolerance)
        assert runner.device_time_ms(text_inputs(4, 16)) > 0
        assert runner.describe()["packed_row_tokens"] == 64
