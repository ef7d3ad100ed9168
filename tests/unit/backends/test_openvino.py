from datetime import timedelta
from types import SimpleNamespace

import onnx
import pytest
from pydantic import ValidationError

from temper.artifacts.manifest import write_manifest
from temper.backends import openvino
from temper.backends.openvino import executed_layers, open_runner
from temper.errors import ArtifactError, BackendError
from tests.tiny_onnx import unsupported_model
from tests.unit.backends.test_runner import CPU

OPTIONS = CPU["openvino"][1]


def layers(folder):
    with open_runner(str(folder), OPTIONS, "installed") as runner:
        return runner.describe()["layers_by_precision"]


def test_layers_are_listed_by_the_precision_that_ran(tiny_study):
    found = layers(tiny_study.fp32)
    assert found["f32"] > 5
    assert not found.keys() & {"bf16", "f16", "i8"}  # u8 is what its masks are


@pytest.mark.parametrize("precision", ["int8_static", "int8_nncf"])
def test_a_quantised_file_really_runs_in_8_bits(tiny_study, precision):
    assert layers(tiny_study.precision[precision])["i8"] >= 5


def test_static_shapes_have_a_compiled_model_each_with_the_answers_of_the_dynamic_one(tiny_study, monkeypatch):
    batches = [tiny_study.inputs([0, 1], length=length) for length in (9, 12, 9, 20)]
    with open_runner(str(tiny_study.fp32), OPTIONS, "installed") as runner:
        expected = [runner.infer(batch) for batch in batches]
        assert not runner.compiles_shapes
    monkeypatch.setattr(openvino, "_MOST_SHAPES", 2)
    with open_runner(str(tiny_study.fp32), {**OPTIONS, "shapes": "static"}, "installed") as runner:
        for batch, logits in zip(batches, expected, strict=True):
            assert abs(runner.infer(batch) - logits).max() < 1e-5
        assert runner.describe()["shapes"] == "static"
        assert runner.describe()["layers_by_precision"]["f32"] > 5
        assert len(runner._requests) == 2  # the oldest are dropped
        assert runner.compiles_shapes  # so that predictions of a whole split have few of them


def test_layers_of_static_shapes_are_traced_over_the_batches_of_one_shape(tiny_study):
    batches = [tiny_study.inputs([0, 1], length=length) for length in (9, 12, 9)]
    found = openvino.trace(str(tiny_study.fp32), {**OPTIONS, "shapes": "static"}, "installed", batches)
    assert sum(layer.is_product for layer in found.layers) == 8
    assert any(layer.type == "Subgraph" for layer in found.layers)  # the two products of attention are inside one


def test_an_altered_file_is_refused_before_it_is_loaded(tiny_study, copy_of):
    folder = copy_of(tiny_study.fp32)
    with open(folder / "model.onnx", "ab") as stream:
        stream.write(b"\0")
    with pytest.raises(ArtifactError, match=r"model\.onnx"), open_runner(str(folder), OPTIONS, "installed"):
        pass


def test_a_model_it_cannot_run_is_a_backend_error(tiny_study, copy_of):
    folder = copy_of(tiny_study.fp32)
    onnx.save(unsupported_model(), folder / "model.onnx")
    write_manifest(folder / "onnx.json", kind="onnx", facts={})
    with pytest.raises(BackendError) as caught, open_runner(str(folder), OPTIONS, "installed"):
        pass
    assert caught.value.asked == f"run {folder / 'model.onnx'} on OpenVINO CPU in f32"
    assert "NoSuchOperator" in caught.value.happened


@pytest.mark.parametrize(
    "change", [{"device": "GPU"}, {"inference_precision": "int8"}, {"streams": 2}, {"shapes": "fixed"}]
)
def test_other_devices_precisions_and_keys_are_refused(change):
    with pytest.raises(ValidationError):
        open_runner("anywhere", {**OPTIONS, **change}, "installed")


def counted(name, kind, kernel, us, status=None):
    """One of OpenVINO's counters."""
    status = status or ("EXECUTED" if us else "NOT_RUN")
    real_time = timedelta(microseconds=us)
    return SimpleNamespace(
        node_name=name, node_type=kind, exec_type=kernel, real_time=real_time, status=SimpleNamespace(name=status)
    )


def test_the_first_call_is_taken_out_of_the_means():
    first, last = ([counted("fc", "FullyConnected", "brgemm_avx512_i8", us)] for us in (1000, 280))
    (layer,) = executed_layers(first, last, {"fc": "i8"}, calls=4, device="CPU")
    assert layer.time_ms == pytest.approx(0.1)  # (5 calls of 280 µs − 1000 µs) / 4
    assert (layer.precision, layer.kernel, layer.device) == ("INT8", "brgemm_avx512_i8", "CPU")


def test_a_layer_too_fast_for_the_mean_was_executed_all_the_same_and_a_fused_one_was_not():
    first = [counted("fast", "Add", "jit_f32", 2), counted("fused", "Relu", "undef", 0)]
    last = [counted("fast", "Add", "jit_f32", 0), counted("fused", "Relu", "undef", 0)]
    (layer,) = executed_layers(first, last, {}, calls=4, device="CPU")
    assert (layer.name, layer.precision, layer.time_ms) == ("fast", "FP32", 0.0)  # by the kernel's last word


def test_bytes_that_are_masks_are_not_called_int8():
    counters = [counted("mask", "Select", "jit_avx512_I8", 5), counted("fc", "FullyConnected", "brgemm_u8", 5)]
    found = executed_layers(counters, counters, {"mask": "u8", "fc": "u8"}, calls=1, device="CPU")
    assert [layer.precision for layer in found] == ["UINT8", "INT8"]
