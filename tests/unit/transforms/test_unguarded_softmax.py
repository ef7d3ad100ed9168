"""Attention without its guard against rows of NaN."""

import onnx
import onnxruntime
import pytest

from temper.artifacts.onnx_file import load
from temper.errors import ArtifactError
from temper.transforms.unguarded_softmax import Options, convert


def operators(model):
    return [node.op_type for node in model.graph.node]


def test_the_guards_go_and_the_answers_stay(tiny_study):
    before, inputs = load(tiny_study.fp32), tiny_study.inputs([0, 1, 2, 3])
    made = convert(load(tiny_study.fp32), None, Options())
    onnx.checker.check_model(made)
    assert operators(before).count("IsNaN") == 1
    assert "IsNaN" not in operators(made)
    assert operators(made).count("Softmax") == 1
    ran = [
        onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"]).run(None, inputs)[0]
        for model in (before, made)
    ]
    assert abs(ran[0] - ran[1]).max() < 1e-6


def test_a_file_without_guards_is_refused(tiny_study):
    made = convert(load(tiny_study.fp32), None, Options())
    with pytest.raises(ArtifactError, match="no Softmax of this file has a guard"):
        convert(made, None, Options())
