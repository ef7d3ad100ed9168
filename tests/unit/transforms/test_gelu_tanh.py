import numpy as np
import onnxruntime
import pytest

from temper.artifacts.onnx_file import load
from temper.errors import ArtifactError
from temper.transforms.gelu_tanh import Options, convert
from temper.transforms.graph.probe import attribute
from tests.unit.quantization.calibration.small_models import between_products


def logits(model, inputs):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, inputs)[0]


def test_every_gelu_is_approximated_and_the_answers_move_a_little(tiny_study):
    inputs = tiny_study.inputs([0, 1, 2, 3])
    made = convert(load(tiny_study.fp32), None, Options(max_logit_difference=0.01))
    assert {attribute(node, "approximate") for node in made.graph.node if node.op_type == "Gelu"} == {b"tanh"}
    moved = np.abs(logits(made, inputs) - logits(load(tiny_study.fp32), inputs)).max()
    assert 0 < moved < 0.01


def test_more_than_the_row_allows_is_refused(tiny_study):
    with pytest.raises(ArtifactError, match=r"where .*e-09 is allowed"):
        convert(load(tiny_study.fp32), None, Options(max_logit_difference=1e-9))


def test_without_a_gelu_there_is_nothing_to_do(tiny_study):
    with pytest.raises(ArtifactError, match="no Gelu of this file"):
        convert(between_products("Relu"), None, Options(max_logit_difference=0.01))
    done = convert(load(tiny_study.fp32), None, Options(max_logit_difference=0.01))
    with pytest.raises(ArtifactError, match="no Gelu of this file"):
        convert(done, None, Options(max_logit_difference=0.01))
