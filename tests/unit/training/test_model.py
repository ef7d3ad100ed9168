import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from temper.errors import ArtifactError, ConfigError
from temper.study.sections.model import model_options
from temper.training.model import initial_model, load_checkpoint
from tests.tiny_study import ARCHITECTURE, MAX_TOKENS, MODEL


@pytest.fixture
def checkpoint(tiny_study, copy_of) -> Path:
    """A copy of a fine-tuned checkpoint, to be affected."""
    return copy_of(tiny_study.checkpoint)


@pytest.fixture
def start(tiny_study):
    """The model that training starts from, out of a checkpoint folder or with other architecture keys."""

    def start(checkpoint=None, *, fresh_head=False, label_names=("negative", "positive"), **changes):
        section = {**MODEL, **changes}
        if checkpoint is not None:
            task = {"task": "text-classification", "source": "checkpoint", "revision": None}
            section = {**task, "checkpoint": str(checkpoint)}
        signature = tiny_study.signature.model_copy(update={"label_names": label_names})
        folder = tiny_study.data / "preprocessor"
        return initial_model(model_options(section), signature, folder, longest=MAX_TOKENS, fresh_head=fresh_head)

    return start


def edit(file: Path, **changes) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


def without_classifier(checkpoint: Path) -> None:
    weights = load_file(checkpoint / "model.safetensors")
    kept = {name: value for name, value in weights.items() if not name.startswith("classifier")}
    save_file(kept, checkpoint / "model.safetensors", metadata={"format": "pt"})


def test_a_checkpoint_is_loaded_in_float32_for_evaluation(tiny_study):
    network = load_checkpoint(tiny_study.checkpoint, "text-classification")
    assert {value.dtype for value in network.parameters()} == {torch.float32}
    assert network.training is False


def test_a_folder_that_is_not_there_is_named_with_the_way_to_bring_it(start, tmp_path):
    with pytest.raises(ArtifactError) as caught:
        start(tmp_path / "nowhere/at/all")
    assert caught.value.happened == f"the folder {tmp_path / 'nowhere/at/all'} does not exist"
    assert "temper raw" in caught.value.fix


def test_a_truncated_safetensors_file_is_refused(start, checkpoint):
    weights = checkpoint / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[: weights.stat().st_size // 2])
    with pytest.raises(ArtifactError) as caught:
        start(checkpoint)
    assert "SafetensorError" in caught.value.happened
    assert "truncated" in caught.value.fix
    with pytest.raises(ArtifactError, match="read the weights in"):
        load_checkpoint(checkpoint, "text-classification")


def test_pickles_are_refused_and_never_opened(start, checkpoint):
    (checkpoint / "model.safetensors").unlink()
    (checkpoint / "pytorch_model.bin").write_bytes(b"never read")
    with pytest.raises(ArtifactError) as caught:
        start(checkpoint)
    assert "only pytorch_model.bin: pickles run code" in caught.value.happened
    assert "safe_serialization=True" in caught.value.fix


@pytest.mark.parametrize("code", ["modeling_x.Model", ["modeling_x.Model", None]])
def test_code_that_comes_with_weights_is_refused(start, checkpoint, code):
    edit(checkpoint / "config.json", auto_map={"AutoModel": code})
    with pytest.raises(ArtifactError) as caught:
        start(checkpoint)
    assert "asks for remote code" in caught.value.happened
    assert "modeling_x.Model" in caught.value.happened


@pytest.mark.parametrize(
    ("text", "message"), [(None, "config.json does not exist"), ("{", "config.json cannot be read")]
)
def test_a_checkpoint_without_a_readable_configuration_is_refused(start, checkpoint, text, message):
    (checkpoint / "config.json").unlink()
    if text is not None:
        (checkpoint / "config.json").write_text(text)
    with pytest.raises(ArtifactError) as caught:
        start(checkpoint)
    assert message in caught.value.happened


def test_another_number_of_labels_is_refused_where_nothing_is_trained(start, checkpoint):
    with pytest.raises(ArtifactError) as caught:
        start(checkpoint, label_names=("negative", "neutral", "positive"))
    assert "the checkpoint has 2 labels (negative, positive), the data has 3" in caught.value.happened
    assert "train.method to fine_tune" in caught.value.fix


def test_labels_in_another_order_are_refused_where_nothing_is_trained(start, checkpoint):
    with pytest.raises(ArtifactError) as caught:
        start(checkpoint, label_names=("POSITIVE", "NEGATIVE"))
    assert "numbers its labels ['negative', 'positive'], the data ['POSITIVE', 'NEGATIVE']" in caught.value.happened
    assert "data.label_names" in caught.value.fix


@pytest.mark.parametrize("names", [("dull", "moving"), ("positive", "neutral")], ids=["all", "one"])
def test_labels_of_other_names_are_refused_where_nothing_is_trained(start, checkpoint, names):
    """As many labels as the data has, but an answer of the model would be given a name that it never learned."""
    with pytest.raises(ArtifactError) as caught:
        start(checkpoint, label_names=names)
    assert f"labels are ['negative', 'positive'], the data's {list(names)}" in caught.value.happened
    assert "id2label and label2id" in caught.value.fix
    assert "fine_tune" in caught.value.fix
    start(checkpoint, label_names=names, fresh_head=True)  # a new classifier learns them
    start(checkpoint, label_names=("Negative", "POSITIVE"))  # capitals are no other name


def test_of_many_labels_the_first_are_listed(start, checkpoint):
    names = {str(number): f"breed {number}" for number in range(20)}
    edit(checkpoint / "config.json", id2label=names, label2id={name: int(key) for key, name in names.items()})
    weights = load_file(checkpoint / "model.safetensors")
    for name in ("classifier.weight", "classifier.bias"):
        weights[name] = weights[name].repeat(10, *[1] * (weights[name].dim() - 1))
    save_file(weights, checkpoint / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ArtifactError) as caught:
        start(checkpoint, label_names=tuple(f"species {number}" for number in range(20)))
    assert "'breed 11'] and 8 more, the data's ['species 0'" in caught.value.happened


@pytest.mark.parametrize("prefix", ["LABEL_", ""], ids=["transformers' placeholders", "numbers"])
def test_names_that_say_nothing_are_replaced_by_the_datas(start, checkpoint, prefix):
    names = [f"{prefix}0", f"{prefix}1"]
    edit(checkpoint / "config.json", id2label=dict(enumerate(names)), label2id={names[0]: 0, names[1]: 1})
    config = start(checkpoint).config
    assert config.id2label == {0: "negative", 1: "positive"}
    assert config.label2id == {"negative": 0, "positive": 1}


def test_a_checkpoint_without_a_classifier_is_refused_where_nothing_is_trained(start, checkpoint):
    without_classifier(checkpoint)
    with pytest.raises(ArtifactError) as caught:
        start(checkpoint)
    assert "no weights for classifier.bias, classifier.weight" in caught.value.happened
    assert caught.value.fix == "it is not fine-tuned for this task: set train.method to fine_tune"


def test_fine_tuning_gives_it_a_classifier_of_the_datas_labels(start, checkpoint):
    without_classifier(checkpoint)
    names = ("bad", "fair", "good")
    network = start(checkpoint, fresh_head=True, label_names=names)
    assert network.classifier.out_features == 3
    assert network.config.id2label == dict(enumerate(names))
    stored = load_file(checkpoint / "model.safetensors")["distilbert.embeddings.word_embeddings.weight"]
    assert torch.equal(network.distilbert.embeddings.word_embeddings.weight, stored)


def test_an_architecture_takes_vocabulary_and_labels_from_the_data(start, tiny_study):
    network = start(label_names=("a", "b", "c"))
    tokenizer = json.loads((tiny_study.data / "preprocessor/tokenizer.json").read_text())
    ids = {*tokenizer["model"]["vocab"].values(), *(token["id"] for token in tokenizer["added_tokens"])}
    assert network.config.vocab_size == len(ids) == max(ids) + 1
    assert network.config.pad_token_id == tiny_study.signature.inputs[0].pad_value
    assert network.config.dim == ARCHITECTURE["dim"]
    assert network.config.num_labels == 3


def test_an_architecture_may_have_more_embeddings_than_the_tokenizer_has_tokens(start):
    assert start(config={**ARCHITECTURE, "vocab_size": 5000}).get_input_embeddings().num_embeddings == 5000


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"config": {**ARCHITECTURE, "vocab_size": 10}}, "vocab_size is 10, and the tokenizer has 3"),
        ({"config": {**ARCHITECTURE, "vocab_size": "many"}}, "vocab_size is 'many', and the tokenizer has 3"),
        ({"model_type": "distilburt"}, "transformers knows no model_type 'distilburt'"),
        ({"config": {**ARCHITECTURE, "n_layer": 1}}, "the distilbert configuration lacks: n_layer"),
        ({"config": {**ARCHITECTURE, "n_heads": 3}}, "Error: "),
    ],
    ids=[
        "too few embeddings",
        "no number of embeddings",
        "unknown model_type",
        "misspelt key",
        "sizes that contradict each other",
    ],
)
def test_an_architecture_that_cannot_be_is_an_error_of_params_yaml(start, changes, message):
    with pytest.raises(ConfigError) as caught:
        start(**changes)
    assert message in caught.value.happened
    assert caught.value.fix
