"""Only the token that the classifier reads, on the tiny study's DistilBERT and on a BERT with opset 23."""

import onnx
import onnxruntime
import pytest

from temper.artifacts.onnx_file import load
from temper.errors import ArtifactError
from temper.transforms.graph.probe import observed_shapes
from temper.transforms.read_token import Options, convert
from tests.unit.quantization.calibration.small_models import between_products


def logits(model, inputs):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, inputs)[0]


def test_the_answers_stay_and_the_last_layer_has_one_token(tiny_study):
    before, inputs = load(tiny_study.fp32), tiny_study.inputs([0, 1, 2, 3])
    made = convert(load(tiny_study.fp32), None, Options())
    onnx.checker.check_model(made)
    assert abs(logits(made, inputs) - logits(before, inputs)).max() < 1e-5
    old, new = observed_shapes(before), observed_shapes(made)
    products = [node for node in before.graph.node if node.op_type == "MatMul"]
    one_token = [node.output[0] for node in products if new[node.output[0]] != old[node.output[0]]]
    # of a layer's query, key, value, scores, context, output and two of the feed-forward network, all but key and value
    assert len(products) - len(one_token) == 2
    assert all(1 in new[name] for name in one_token)


def test_padding_changes_nothing(tiny_study):
    made = convert(load(tiny_study.fp32), None, Options())
    short, long = (logits(made, tiny_study.inputs([4], length=length)) for length in (None, 24))
    assert abs(short - long).max() < 1e-5


def test_a_graph_that_reads_no_single_token_is_refused():
    with pytest.raises(ArtifactError, match="0 nodes pick one fixed token"):
        convert(between_products("Relu"), None, Options())
