"""A mask that is added to the scores in place of a boolean one, on a BERT with opset 23, padded and on packed rows."""

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification

from temper.artifacts.onnx_file import load
from temper.errors import ArtifactError
from temper.export.to_onnx import _export
from temper.lengths.packing import pack
from temper.quantization import fp16
from temper.transforms import additive_mask, pack_rows
from temper.transforms.additive_mask import HIDDEN, Options, convert
from tests.tiny_onnx import TEXT, TOKENS, text_inputs

ROW_TOKENS = 32


@pytest.fixture(scope="module")
def exported():
    torch.manual_seed(5)
    config = BertConfig(
        vocab_size=TOKENS,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=ROW_TOKENS,
        initializer_range=0.3,
    )
    return _export(BertForSequenceClassification(config).eval(), text_inputs(4, 16), TEXT, 23)


def copied(model):
    return type(model).FromString(model.SerializeToString())


def logits(model, inputs):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, dict(inputs))[0]


def added(model):
    return [node for node in model.graph.node if node.name.endswith(additive_mask.NAME)]


def test_the_answers_stay_and_one_mask_serves_all_layers(exported):
    inputs = text_inputs(3, 9)
    made = convert(copied(exported), None, Options())
    onnx.checker.check_model(made)
    assert np.abs(logits(made, inputs) - logits(exported, inputs)).max() < 1e-5
    (where,) = added(made)
    asking = [node for node in made.graph.node if node.op_type == "Attention"]
    assert [node.input[3] for node in asking] == [where.output[0]] * 2
    hidden = text_inputs(3, 9)
    hidden["input_ids"][:, -1] = (hidden["input_ids"][:, -1] + 1) % TOKENS  # padding: nobody may see it
    assert np.abs(logits(made, hidden) - logits(made, inputs)).max() < 1e-6


def test_on_packed_rows_in_fp16_a_neighbour_is_not_seen(exported):
    packed = pack_rows.convert(copied(exported), None, pack_rows.Options(row_tokens=ROW_TOKENS))
    made = convert(copied(packed), None, Options())
    assert np.abs(HIDDEN) < np.finfo(np.float16).max  # what FP16 has to hold
    half = fp16.convert(copied(made), None, fp16.Options(keep_in_fp32=()))
    dtypes = {value.name: "int32" for value in packed.graph.input}
    inputs = text_inputs(4, 12)
    assert np.abs(logits(made, pack(inputs, ROW_TOKENS, dtypes)) - logits(exported, inputs)).max() < 1e-5
    one, other = ({name: array[rows] for name, array in inputs.items()} for rows in ([0, 1], [0, 2]))
    seen = [logits(half, pack(each, ROW_TOKENS, dtypes))[0] for each in (one, other)]
    assert np.abs(seen[0] - seen[1]).max() < 1e-6


def test_without_a_boolean_mask_there_is_nothing_to_do(exported, tiny_study):
    with pytest.raises(ArtifactError, match="no Attention node of this file asks a boolean mask"):
        convert(load(tiny_study.fp32), None, Options())
    with pytest.raises(ArtifactError, match="no Attention node of this file asks a boolean mask"):
        convert(convert(copied(exported), None, Options()), None, Options())


def test_a_number_that_hides_nothing_is_noticed(exported, monkeypatch):
    monkeypatch.setattr(additive_mask, "HIDDEN", 0.0)
    with pytest.raises(ArtifactError, match="logits differ by"):
        convert(copied(exported), None, Options())
