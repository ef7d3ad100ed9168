"""Tensors under a wrapper's prefix, tensors that are missing, and heads that are to be new."""

import contextlib
import json
import logging

import pytest
import torch
from safetensors.torch import load_file, save_file

from temper.data.examples import Examples
from temper.data.preprocessing import build_preprocessor
from temper.errors import ArtifactError
from temper.study.sections.model import model_options
from temper.training.model import initial_model
from temper.training.weights import label_tensors
from tests.tiny_classifier import POSITIONS, model_section, rename_tensors, save_classifier

NLI = ("entailment", "neutral", "contradiction")


@pytest.fixture
def start(tmp_path):
    """The model that training starts from, out of a user's folder."""

    def start(folder, names=("negative", "positive"), *, fresh_head):
        options = model_options(model_section(folder))
        preprocessor = build_preprocessor(options, Examples(origin="none", labels=[], texts=[]))
        preprocessor.save(tmp_path / "preprocessor")
        signature = preprocessor.signature(names)
        return initial_model(options, signature, tmp_path / "preprocessor", longest=POSITIONS, fresh_head=fresh_head)

    return start


def same(network, folder, *, prefix=""):
    stored = load_file(folder / "model.safetensors")
    return {name: torch.equal(value, stored[f"{prefix}{name}"]) for name, value in network.state_dict().items()}


@pytest.mark.parametrize("prefix", ["_orig_mod.", "module.", "model.", "module._orig_mod.", "net.encoder."])
@pytest.mark.parametrize("fresh_head", [False, True])
def test_a_wrappers_prefix_is_recognised_and_named(start, tmp_path, capfd, prefix, fresh_head):
    folder = save_classifier(tmp_path / "user")
    rename_tensors(folder, prefix)
    network = start(folder, fresh_head=fresh_head)
    assert all(same(network, folder, prefix=prefix).values())
    assert f"its tensors stand under {prefix!r}" in capfd.readouterr().err
    network.save_pretrained(tmp_path / "saved")  # under the model's own names
    assert set(load_file(tmp_path / "saved/model.safetensors")) == set(network.state_dict())


@pytest.mark.parametrize("left_out", ["", "bert.encoder.layer.1."])
def test_transformers_prints_no_table_of_all_tensors(start, tmp_path, left_out):
    """A line says it, or the error; the table would stand before it, once for each way of loading."""
    from transformers.utils import logging as transformers_logging

    folder = save_classifier(tmp_path / "user")
    rename_tensors(folder, "" if left_out else "module.", left_out=left_out)
    kept: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = kept.append  # type: ignore[method-assign]
    transformers_logging.add_handler(handler)
    try:
        with pytest.raises(ArtifactError) if left_out else contextlib.nullcontext():
            start(folder, fresh_head=True)
    finally:
        transformers_logging.remove_handler(handler)
    assert kept == []


def test_a_prefix_before_a_body_without_a_head_is_recognised(start, tmp_path):
    folder = save_classifier(tmp_path / "user")
    whole = load_file(folder / "model.safetensors")
    body = {
        f"_orig_mod.{name.removeprefix('bert.')}": value for name, value in whole.items() if name.startswith("bert.")
    }
    save_file(body, folder / "model.safetensors", metadata={"format": "pt"})
    network = start(folder, NLI, fresh_head=True)
    assert torch.equal(network.bert.embeddings.word_embeddings.weight, whole["bert.embeddings.word_embeddings.weight"])
    with pytest.raises(ArtifactError) as caught:
        start(folder, fresh_head=False)
    assert "no weights for classifier.bias, classifier.weight" in caught.value.happened
    assert caught.value.fix == "it is not fine-tuned for this task: set train.method to fine_tune"


@pytest.mark.parametrize("left_out", ["bert.encoder.layer.1.", "bert.embeddings.word_embeddings"])
@pytest.mark.parametrize("fresh_head", [False, True])
def test_tensors_of_the_body_are_never_made_up(start, tmp_path, left_out, fresh_head):
    folder = save_classifier(tmp_path / "user")
    rename_tensors(folder, "", left_out=left_out)
    with pytest.raises(ArtifactError) as caught:
        start(folder, fresh_head=fresh_head)
    assert f"no weights for {left_out}" in caught.value.happened
    assert "would be random numbers" in caught.value.fix


def test_tensors_of_other_names_or_sizes_are_refused_with_both_named(start, tmp_path):
    folder = save_classifier(tmp_path / "user")
    whole = load_file(folder / "model.safetensors")
    renamed = {name.replace("encoder", "encodings"): value for name, value in whole.items()}
    save_file(renamed, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ArtifactError) as caught:
        start(folder, fresh_head=True)
    assert "no weights for bert.encoder.layer.0." in caught.value.happened
    assert "it has bert.encodings." in caught.value.happened
    assert "a BertForSequenceClassification has no place for" in caught.value.happened
    folder = save_classifier(tmp_path / "other")
    content = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**content, "max_position_embeddings": POSITIONS + 8}))
    with pytest.raises(ArtifactError) as caught:
        start(folder, fresh_head=True)
    assert "no weights for bert.embeddings.position_embeddings.weight" in caught.value.happened


@pytest.mark.parametrize(("model_type", "config"), [("bert", {}), ("roberta", {}), ("electra", {"embedding_size": 32})])
def test_fine_tuning_keeps_the_head_where_the_labels_are_its_own(start, tmp_path, model_type, config):
    folder = save_classifier(tmp_path / "user", NLI, model_type, max_position_embeddings=POSITIONS + 2, **config)
    network = start(folder, tuple(name.upper() for name in NLI), fresh_head=True)
    assert all(same(network, folder).values())


@pytest.mark.parametrize(
    "names", [("contradiction", "entailment", "neutral"), ("neutral", "entailment", "contradiction")]
)
def test_fine_tuning_never_permutes_the_labels_of_a_head(start, tmp_path, names):
    folder = save_classifier(tmp_path / "user", NLI)
    with pytest.raises(ArtifactError) as caught:
        start(folder, names, fresh_head=True)
    assert f"numbers its labels {list(NLI)}, the data {list(names)}" in caught.value.happened
    assert caught.value.fix == "put data.label_names in the checkpoint's order"


@pytest.mark.parametrize(("model_type", "config"), [("bert", {}), ("roberta", {})])
def test_labels_of_other_names_get_a_head_of_their_own(start, tmp_path, capfd, model_type, config):
    folder = save_classifier(tmp_path / "user", NLI, model_type, max_position_embeddings=POSITIONS + 2, **config)
    network = start(folder, ("dull", "fair", "fine"), fresh_head=True)
    kept = same(network, folder)
    weights = {name for name, equal in kept.items() if not equal}
    assert weights == {
        name for name in label_tensors(network) if name.endswith("weight")
    }  # a new bias is 0, as theirs is
    assert "a new classifier is trained for these" in capfd.readouterr().err
    assert network.config.id2label == {0: "dull", 1: "fair", 2: "fine"}
    assert network.num_labels == 3


@pytest.mark.parametrize("problem", ["multi_label_classification", "regression"])
def test_a_head_of_another_kind_is_refused_as_it_is_and_replaced_where_it_is_trained(start, tmp_path, problem):
    folder = save_classifier(tmp_path / "user", NLI, problem_type=problem)
    with pytest.raises(ArtifactError) as caught:
        start(folder, NLI, fresh_head=False)
    assert f"problem_type: {problem}" in caught.value.happened
    network = start(folder, NLI, fresh_head=True)
    assert network.config.problem_type == "single_label_classification"
    assert not same(network, folder)["classifier.weight"]


def test_a_head_for_tokens_is_not_taken_for_one_of_rows(start, tmp_path):
    from transformers import AutoModelForTokenClassification

    folder = save_classifier(tmp_path / "user")
    AutoModelForTokenClassification.from_pretrained(folder, num_labels=2).save_pretrained(folder)
    with pytest.raises(ArtifactError) as caught:
        start(folder, fresh_head=False)
    assert "BertForTokenClassification, which answers each token" in caught.value.happened
    stored = load_file(folder / "model.safetensors")["classifier.weight"]
    network = start(folder, fresh_head=True)
    assert network.classifier.weight.shape == stored.shape
    assert not torch.equal(network.classifier.weight, stored)
