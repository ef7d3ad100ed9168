"""Rows cut inside the graph, on the tiny study's DistilBERT: the answers are those of a tokenizer that cuts."""

import numpy as np
import onnx
import onnxruntime
import pytest
from transformers import AutoTokenizer

from temper.artifacts.onnx_file import load
from temper.errors import ArtifactError
from temper.quantization import fp16, int8_dynamic
from temper.transforms.truncate import Options, convert, cut_rows, signature_after
from tests.tiny_onnx import IMAGE, TEXT

KEEP, DROP = Options(max_tokens=8, keep_last_token=True), Options(max_tokens=8, keep_last_token=False)
ROWS = [0, 1, 2, 3, 4, 5]


def logits(model, inputs):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, inputs)[0]


def test_the_answers_are_those_to_rows_that_the_tokenizer_cuts(tiny_study):
    from temper.data.encoded import read_split

    made = convert(load(tiny_study.fp32), None, KEEP)
    onnx.checker.check_model(made)
    texts = read_split(tiny_study.data / "test.parquet", tiny_study.signature).texts
    tokenizer = AutoTokenizer.from_pretrained(tiny_study.data / "preprocessor")
    cut = tokenizer(
        [texts[row] for row in ROWS], truncation=True, max_length=8, padding="max_length", return_tensors="np"
    )
    whole = tiny_study.inputs(ROWS)
    assert whole["input_ids"].shape[1] > 8
    cut = {name: np.asarray(cut[name], np.int64) for name in whole}
    expected = logits(load(tiny_study.fp32), cut)
    np.testing.assert_allclose(logits(made, whole), expected, atol=1e-5)
    assert np.abs(logits(load(tiny_study.fp32), whole) - expected).max() > 1e-3
    np.testing.assert_array_equal(cut_rows(whole, KEEP)["input_ids"], cut["input_ids"])


def test_without_its_last_token_a_row_is_its_first_columns(tiny_study):
    made, whole = convert(load(tiny_study.fp32), None, DROP), tiny_study.inputs(ROWS)
    expected = logits(load(tiny_study.fp32), {name: array[:, :8].copy() for name, array in whole.items()})
    np.testing.assert_allclose(logits(made, whole), expected, atol=1e-5)
    assert np.abs(logits(convert(load(tiny_study.fp32), None, KEEP), whole) - expected).max() > 1e-4


def test_rows_within_the_limit_and_padding_change_nothing(tiny_study):
    made = convert(load(tiny_study.fp32), None, Options(max_tokens=23, keep_last_token=True))
    row = {name: array[:, :7] for name, array in tiny_study.inputs([1]).items()}
    row["attention_mask"] = np.array([[1, 1, 1, 1, 1, 0, 0]], np.int64)
    np.testing.assert_allclose(logits(made, row), logits(load(tiny_study.fp32), row), atol=1e-5)


def test_what_comes_behind_it_computes_that_many_tokens(tiny_study):
    """The point of the row beside its labels: the whole model runs on the first tokens."""
    made = convert(load(tiny_study.fp32), None, KEEP)
    table = next(node for node in made.graph.node if node.op_type == "Gather" and "input_ids" in node.input[1])
    made.graph.output.append(onnx.ValueInfoProto(name=table.output[0]))
    session = onnxruntime.InferenceSession(made.SerializeToString(), providers=["CPUExecutionProvider"])
    assert session.run([table.output[0]], tiny_study.inputs(ROWS, length=24))[0].shape == (6, 8, 16)


@pytest.mark.parametrize(
    ("step", "options"),
    [(fp16, {"keep_in_fp32": []}), (int8_dynamic, {"per_channel": True})],
    ids=["fp16", "int8_dynamic"],
)
def test_a_precision_can_follow(tiny_study, step, options):
    made = convert(load(tiny_study.fp32), None, KEEP)
    expected, whole = logits(made, tiny_study.inputs(ROWS)), tiny_study.inputs(ROWS)
    found = logits(step.convert(made, None, step.Options.model_validate(options)), whole)
    assert np.abs(found - expected).max() < 0.2 * np.ptp(expected)


@pytest.mark.parametrize(
    ("signature", "options", "words"),
    [
        (TEXT.model_copy(update={"padding_side": "left"}), KEEP, "padded on the left"),
        (IMAGE, KEEP, "pixel_values"),
        (TEXT.model_copy(update={"row_tokens": 24}), KEEP, "padded on the right"),
        (TEXT, Options(max_tokens=2, keep_last_token=True), "not one token of the text would be left"),
    ],
    ids=["left", "images", "packed", "too short"],
)
def test_what_cannot_be_cut_is_refused(signature, options, words):
    with pytest.raises(ArtifactError) as caught:
        signature_after(signature, options)
    assert words in f"{caught.value.happened} {caught.value.fix}"


def test_inputs_stay_as_they_are():
    assert signature_after(TEXT, KEEP) == TEXT


def test_a_graph_whose_answers_are_not_those_of_cut_rows_is_refused(tiny_study, monkeypatch):
    from temper.transforms import truncate

    monkeypatch.setattr(truncate, "_insert", lambda model, options: None)
    with pytest.raises(ArtifactError, match="logits differ"):
        convert(load(tiny_study.fp32), None, KEEP)
