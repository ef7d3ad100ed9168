"""Rows end to end answer as padded ones do: families, token types, single tokens, and what is refused."""

import numpy as np
import pytest
import torch
import transformers

from temper.artifacts.signature import Signature, TensorSpec
from temper.backends.pytorch_unpadded import Unpadded
from temper.errors import BackendError

SIZES = {
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "vocab_size": 50,
    "num_labels": 3,
    "pad_token_id": 1,
}
DISTIL = {"dim": 32, "n_layers": 3, "n_heads": 4, "hidden_dim": 64, "vocab_size": 50, "num_labels": 3}
FAMILIES = {
    "bert": lambda: transformers.BertForSequenceClassification(transformers.BertConfig(**SIZES)),
    "distilbert": lambda: transformers.DistilBertForSequenceClassification(transformers.DistilBertConfig(**DISTIL)),
    "roberta": lambda: transformers.RobertaForSequenceClassification(transformers.RobertaConfig(**SIZES)),
    "xlm-roberta": lambda: transformers.XLMRobertaForSequenceClassification(transformers.XLMRobertaConfig(**SIZES)),
}
LENGTHS = [5, 1, 12, 9]


def signature(names=("input_ids", "attention_mask"), side="right"):
    spec = {"dtype": "int64", "axes": ("batch_size", "sequence_length"), "pad_value": 1}
    return Signature(
        task="text-classification",
        inputs=tuple(TensorSpec(name=name, **spec) for name in names),
        label_names=("a", "b", "c"),
        padding_side=side,
    )


def made(family):
    torch.manual_seed(3)
    model = FAMILIES[family]().eval()
    for parameter in model.parameters():  # untrained biases are 0, and norms 1: nothing would tell them apart
        parameter.data += 0.1 * torch.randn_like(parameter)
    return model


def batch(lengths=LENGTHS, columns=12, types=False):
    generator = np.random.default_rng(0)
    ids = generator.integers(5, 50, size=(len(lengths), columns))
    mask = (np.arange(columns) < np.array(lengths)[:, None]).astype(np.int64)
    found = {"input_ids": np.where(mask, ids, 1), "attention_mask": mask}
    if types:
        found["token_type_ids"] = np.where(mask, generator.integers(0, 2, size=ids.shape), 0)
    return found


def padded(model, inputs):
    with torch.inference_mode():
        return model(**{name: torch.from_numpy(array) for name, array in inputs.items()}).logits.numpy()


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("lengths", [LENGTHS, [12], [1, 1]])
def test_the_logits_are_those_of_padded_rows(family, lengths):
    model, inputs = made(family), batch(lengths)
    runner = Unpadded(model, signature(), "unpadded", "cpu", asked="run it")
    with torch.inference_mode():
        np.testing.assert_allclose(runner.infer(inputs), padded(model, inputs), atol=2e-5)
    assert runner.shape_of(inputs)[:2] == (len(lengths), sum(lengths))


def test_token_types_go_with_their_tokens():
    model, inputs = made("bert"), batch(types=True)
    runner = Unpadded(model, signature(tuple(inputs)), "unpadded", "cpu", asked="run it")
    with torch.inference_mode():
        np.testing.assert_allclose(runner.infer(inputs), padded(model, inputs), atol=2e-5)
        other = {**inputs, "token_type_ids": 0 * inputs["token_type_ids"]}
        assert np.abs(runner.infer(other) - runner.infer(inputs)).max() > 1e-3


def test_gelu_by_tanh_answers_a_little_otherwise():
    model, inputs = made("bert"), batch()
    with torch.inference_mode():
        found = [
            Unpadded(model, signature(), mode, "cpu", asked="run it").infer(inputs)
            for mode in ("unpadded", "unpadded-gelu-tanh")
        ]
    assert 0 < np.abs(found[0] - found[1]).max() < 1e-2


def refused(model, given, words):
    with pytest.raises(BackendError, match=words) as raised:
        Unpadded(model, given, "unpadded", "cpu", asked="run it")
    assert "set another mode" in raised.value.fix


def test_a_model_that_reads_other_tokens_or_its_padding_is_refused():
    electra = transformers.ElectraForSequenceClassification(transformers.ElectraConfig(**SIZES, embedding_size=32))
    refused(electra, signature(), "its model_type is electra")
    words = transformers.BertForTokenClassification(transformers.BertConfig(**SIZES))
    refused(words, signature(), "reads other tokens than the first")
    relu = transformers.BertForSequenceClassification(transformers.BertConfig(**SIZES, hidden_act="relu"))
    refused(relu, signature(), "its activation is relu")
    refused(made("bert"), signature(side="left"), "padded on the left")
    refused(made("bert"), signature(("input_ids", "attention_mask", "position_ids")), "its inputs are")


def test_products_in_fp8_answer_nearly_as_float_ones_and_no_row_depends_on_the_others():
    model, inputs = made("bert"), batch()
    runner = Unpadded(model, signature(), "unpadded-fp8", "cpu", asked="run it")
    with torch.inference_mode():
        found, exact = runner.infer(inputs), padded(model, inputs)
        alone = {name: array[1:2] for name, array in inputs.items()}
        np.testing.assert_allclose(runner.infer(alone), found[1:2], atol=2e-5)
    assert 1e-4 < np.abs(found - exact).max() < 0.15 * np.abs(exact).max()
    assert runner.describe()["products"].startswith("FP8")
