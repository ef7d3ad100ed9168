"""`temper diagnose` on files of a finished study in which one layer was broken: it names that layer."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from temper.artifacts.onnx_file import load
from temper.quantization import fp16
from tests.workflow.conftest import StudyFolder, happened

FP32, FP16, INT8 = (Path("artifacts/onnx") / name for name in ("fp32", "fp16", "int8"))
BEYOND_HALF = 2.0**19  # times weights of 0.02 still lies within FP16's range, and what they are multiplied to does not


def diagnosed(study: StudyFolder, entry: str) -> str:
    done = study.temper("diagnose", entry, "--directory", str(study.folder))
    assert done.returncode == 0, done.stderr
    return " ".join(done.stdout.split())


def scaled(model: onnx.ModelProto, module: str, factor: float, *, bias: bool = True) -> None:
    """Multiply a linear layer's weight, which is the product's second input in front of its named bias, and that bias."""
    added = next(node for node in model.graph.node if any(name.endswith(f"{module}.bias") for name in node.input))
    product = next(node for node in model.graph.node if node.op_type == "MatMul" and node.output[0] in added.input)
    names = {product.input[1], *(added.input if bias else ())}
    for tensor in model.graph.initializer:
        if tensor.name in names:
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor) * np.float32(factor), tensor.name))


def test_sound_files_part_nowhere(study):
    assert "No tensor differs by more than 10 % of its magnitude." in diagnosed(study, "fp16")
    assert "No tensor differs by more than 50 % of its magnitude." in diagnosed(study, "int8")


def test_a_product_that_sixteen_bits_cannot_hold_is_named(study):
    """The float file answers as before: what reads the values is as much smaller."""
    model = onnx.load(study / str(FP32 / "model.onnx"))
    scaled(model, "v_lin", BEYOND_HALF)
    scaled(model, "out_lin", 1 / BEYOND_HALF, bias=False)
    onnx.save(model, study / str(FP32 / "model.onnx"))
    made = fp16.convert(load(study / str(FP32)), None, fp16.Options(keep_in_fp32=()))
    onnx.save(made, study / str(FP16 / "model.onnx"))
    said = diagnosed(study, "fp16")
    assert "The first that has no number: " in said
    first = said.partition("The first that has no number: ")[2].partition(").")[0]
    assert first.endswith("distilbert.transformer.layer.0.attention.v_lin"), first


def test_a_scale_that_is_too_small_is_named_and_what_lies_outside_it_is_counted(study):
    model = onnx.load(study / str(INT8 / "model.onnx"))
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    quantised = [node for node in model.graph.node if node.op_type == "QuantizeLinear" and node.input[0] not in weights]
    broken = quantised[len(quantised) // 2]
    scale = weights[broken.input[1]]
    scale.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(scale) / np.float32(30), scale.name))
    (back,) = (node for node in model.graph.node if broken.output[0] in node.input)
    read = next(node for node in model.graph.node if back.output[0] in node.input)
    onnx.save(model, study / str(INT8 / "model.onnx"))
    said = diagnosed(study, "int8")
    assert f"The first beyond 50 %: {read.output[0]} " in said
    assert f"% of {broken.input[0]} outside the range of its scale, up to " in said


@pytest.mark.parametrize("entry", ["fp32", "ort-fp3"])
def test_what_is_made_from_no_other_file_is_refused_in_words(study, entry):
    done = study.temper("diagnose", entry, "--directory", str(study.folder))
    assert done.returncode != 0
    assert happened(done.stdout + done.stderr) == "it is no ONNX file that is made from another"
