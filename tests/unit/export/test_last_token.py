"""GPT-2 answers with a row's last token: the ONNX file is held against transformers on each row alone, without padding."""

import numpy as np
import onnxruntime as ort
import pytest
import torch
from transformers import AutoModelForSequenceClassification

from temper.artifacts.onnx_file import load
from temper.artifacts.signature import Signature
from temper.data.encoded import collate, read_split, row_lengths
from temper.export.to_onnx import export_onnx
from temper.lengths.packing import pack
from temper.transforms.pack_rows import Options, convert, signature_after
from tests.tiny_gpt2 import POSITIONS, make

OPSETS = (20, 23)


@pytest.fixture(scope="module", params=["right", pytest.param("left", marks=pytest.mark.long)])
def exported(request, tmp_path_factory):
    """The study's folder with onnx/<opset>, for one side of the padding."""
    root = make(tmp_path_factory.mktemp("gpt2"), padding_side=request.param)
    for opset in OPSETS:
        export_onnx(
            checkpoint_folder=str(root / "checkpoint"),
            data_folder=str(root / "data"),
            folder=str(root / f"onnx/{opset}"),
            row={"opset": opset, "max_logit_difference": 1e-4},
            external_data=False,
        )
    signature = Signature.model_validate_json((root / "onnx/20/signature.json").read_text())
    assert signature.padding_side == request.param
    return root, signature, read_split(root / "data/test.parquet", signature)


@pytest.fixture(scope="module")
def alone(exported):
    """Logits of every test row by transformers itself, from the user's folder: batches of one without a padding token."""
    root, _, split = exported
    network = AutoModelForSequenceClassification.from_pretrained(root / "user").eval()
    assert network.config.pad_token_id is None
    with torch.inference_mode():
        rows = [network(torch.tensor(ids)[None]).logits.numpy()[0] for ids in split.inputs["input_ids"]]
    logits = np.stack(rows)
    assert np.ptp(logits, axis=0).min() > 1  # rows differ, so a wrong token would show
    return logits


def answers(root, opset, inputs):
    session = ort.InferenceSession(root / f"onnx/{opset}/model.onnx", providers=["CPUExecutionProvider"])
    assert {put.name for put in session.get_inputs()} == {"input_ids", "attention_mask"}
    return session.run(["logits"], inputs)[0]


@pytest.mark.parametrize("opset", OPSETS)
def test_rows_of_mixed_lengths_have_their_own_answers(exported, alone, opset):
    root, signature, split = exported
    rows = list(range(len(split)))
    inputs = collate(split, rows, signature, sequence_length=None)
    without_padding = inputs["attention_mask"].all(axis=1)
    assert 0 < without_padding.sum() < len(rows)  # the longest rows have none, the others some
    assert np.abs(answers(root, opset, inputs) - alone).max() < 1e-4


@pytest.mark.parametrize("opset", OPSETS)
def test_padding_beyond_the_longest_row_moves_no_answer(exported, alone, opset):
    root, signature, split = exported
    rows = np.argsort(row_lengths(split, signature))[:5]
    inputs = collate(split, rows, signature, sequence_length=POSITIONS)
    assert not inputs["attention_mask"].all(axis=1).any()
    assert np.abs(answers(root, opset, inputs) - alone[rows]).max() < 1e-4


@pytest.mark.parametrize("opset", OPSETS)
def test_a_row_alone_has_no_padding(exported, alone, opset):
    root, signature, split = exported
    for row in range(4):
        inputs = collate(split, [row], signature, sequence_length=None)
        assert inputs["attention_mask"].all()
        assert np.abs(answers(root, opset, inputs) - alone[[row]]).max() < 1e-4


@pytest.mark.parametrize("opset", OPSETS)
def test_rows_that_hold_several_have_the_answers_of_each(exported, alone, opset):
    root, signature, split = exported
    options = Options(row_tokens=POSITIONS + 9)
    inputs = collate(split, list(range(len(split))), signature, sequence_length=None)
    packed = pack(
        inputs, options.row_tokens, {spec.name: spec.dtype for spec in signature_after(signature, options).inputs}
    )
    assert len(packed["input_ids"]) < len(split)
    model = convert(load(root / f"onnx/{opset}"), None, options)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    assert np.abs(session.run(["logits"], packed)[0] - alone).max() < 1e-4


def test_transformers_answers_a_padded_batch_alike(exported):
    """The batch that transformers would be given: its own pad_token_id, positions as its text generation counts them."""
    root, signature, split = exported
    rows = np.argsort(row_lengths(split, signature))[:9]
    inputs = collate(split, rows, signature, sequence_length=POSITIONS)
    network = AutoModelForSequenceClassification.from_pretrained(root / "user").eval()
    network.config.pad_token_id = signature.inputs[0].pad_value
    ids, mask = (torch.from_numpy(inputs[name]) for name in ("input_ids", "attention_mask"))
    with torch.inference_mode():
        positions = (mask.cumsum(-1) - 1).clamp(min=0)
        expected = network(ids, attention_mask=mask, position_ids=positions).logits.numpy()
        by_column = network(ids, attention_mask=mask).logits.numpy()
    assert np.abs(answers(root, 20, inputs) - expected).max() < 1e-4
    # what calling transformers without positions would give: right with padding on the right only
    assert (np.abs(by_column - expected).max() > 0.1) == (signature.padding_side == "left")
