import json
import re

import numpy as np
import pytest
import torch

from temper.artifacts.signature import Signature
from temper.data.encoded import collate, read_split
from temper.data.examples import Examples
from temper.data.prepare import prepare_data
from temper.data.preprocessing import build_preprocessor
from temper.errors import ArtifactError
from temper.study.sections.model import model_options
from temper.training.checkpoint import make_checkpoint
from temper.training.model import initial_model, load_checkpoint
from temper.training.padding import hide_padding
from tests import tiny_classifier, tiny_gpt2
from tests.tiny_study import DATA, SEED


@pytest.fixture(scope="module", params=["right", "left"])
def made(request, tmp_path_factory):
    return tiny_gpt2.make(tmp_path_factory.mktemp("gpt2"), padding_side=request.param)


def checkpoint_of(folder, tmp_path):
    """What the study makes of a user's folder."""
    section = tiny_gpt2.model_section(folder)
    data = str(tmp_path / "data")
    prepare_data(data={**DATA, "max_tokens": 24}, model=section, seed=SEED, folder=data)
    made = tmp_path / "checkpoint"
    make_checkpoint(model=section, train={"method": "none"}, seed=SEED, data_folder=data, folder=str(made))
    return made


def logits(network, inputs):
    with torch.inference_mode():
        return network(**{name: torch.from_numpy(array) for name, array in inputs.items()}).logits.numpy()


def test_the_token_that_pads_is_written_into_the_checkpoint(made):
    assert json.loads((made / "user/config.json").read_text()).get("pad_token_id") is None
    signature = Signature.model_validate_json((made / "checkpoint/signature.json").read_text())
    assert signature.inputs[0].pad_value == 0  # the end-of-sequence token
    assert json.loads((made / "checkpoint/config.json").read_text())["pad_token_id"] == 0


@pytest.mark.parametrize("loaded_by", ["load_checkpoint", "initial_model"])
def test_a_padded_row_is_answered_as_the_row_alone(made, loaded_by):
    signature = Signature.model_validate_json((made / "checkpoint/signature.json").read_text())
    if loaded_by == "load_checkpoint":
        network = load_checkpoint(made / "checkpoint", "text-classification")
    else:
        section = model_options(tiny_gpt2.model_section(made / "user"))
        network = initial_model(
            section, signature, made / "data/preprocessor", longest=tiny_gpt2.POSITIONS, fresh_head=True
        )
        assert {module.training for module in network.modules()} == {False}  # as from_pretrained left it
    split = read_split(made / "data/test.parquet", signature)
    rows = range(6)
    together = logits(network, collate(split, rows, signature, sequence_length=tiny_gpt2.POSITIONS))
    alone = [logits(network, collate(split, [row], signature, sequence_length=None))[0] for row in rows]
    assert np.abs(together - np.stack(alone)).max() < 1e-4
    assert np.ptp(together, axis=0).min() > 0.5


def test_no_keys_and_values_are_kept(made):
    network = load_checkpoint(made / "checkpoint", "text-classification")
    assert network(torch.tensor([[5, 6, 7]])).past_key_values is None


def test_a_padding_token_without_an_embedding_is_refused(tmp_path):
    folder = tiny_gpt2.user_checkpoint(tmp_path / "user", padding_side="right")
    tiny_gpt2.save_tokenizer(folder, padding_side="right", pad_token="[PAD]")  # added, and the model never resized
    with pytest.raises(ArtifactError) as caught:
        checkpoint_of(folder, tmp_path)
    size = tiny_gpt2.VOCABULARY
    assert (
        caught.value.happened == f"its tokenizer pads with token {size}, and its embedding has {size} tokens, from 0 on"
    )
    assert "end-of-sequence" in caught.value.fix
    assert not (tmp_path / "checkpoint").exists()


@pytest.mark.parametrize(
    ("model_type", "config"),
    [
        ("distilbert", {"dim": 32, "hidden_dim": 64, "n_layers": 1, "n_heads": 2}),  # takes no positions
        (  # counts its positions from 2 on
            "roberta",
            {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2},
        ),
    ],
)
def test_left_padding_that_would_move_answers_is_refused(tmp_path, model_type, config):
    folder = tmp_path / "user"
    tiny_gpt2.save_tokenizer(folder, padding_side="left", pad_token=tiny_gpt2.END)
    tiny_gpt2.save_model(folder, model_type, **config)
    with pytest.raises(ArtifactError) as caught:
        checkpoint_of(folder, tmp_path)
    assert "pads on the left, and 3 tokens of padding move a logit by" in caught.value.happened
    assert "padding_side to right" in caught.value.fix
    assert not (tmp_path / "checkpoint").exists()
    tiny_gpt2.save_tokenizer(folder, padding_side="right", pad_token=tiny_gpt2.END)
    assert (checkpoint_of(folder, tmp_path) / "model.safetensors").is_file()


@pytest.fixture
def start(tmp_path):
    """The model that training starts from, out of a random classifier with some sizes."""

    def start(model_type, *, longest=64, side="right", **config):
        folder = tiny_classifier.save_classifier(tmp_path / "user", model_type=model_type, **config)
        tiny_classifier.save_tokenizer(folder, padding_side=side)
        options = model_options(tiny_classifier.model_section(folder))
        preprocessor = build_preprocessor(options, Examples(origin="none", labels=[], texts=[]))
        preprocessor.save(tmp_path / "preprocessor")
        signature = preprocessor.signature(("negative", "positive"))
        return initial_model(options, signature, tmp_path / "preprocessor", longest=longest, fresh_head=False)

    return start


@pytest.mark.parametrize(
    ("model_type", "config"),
    [
        ("fnet", {}),  # Fourier transforms over all places, no mask
        ("convbert", {"embedding_size": 32, "conv_kernel_size": 5}),  # convolutions reach into the padding
        ("canine", {"max_position_embeddings": 128, "num_hash_buckets": 64, "type_vocab_size": 2}),
    ],
)
def test_right_padding_that_moves_answers_is_refused(start, model_type, config):
    with pytest.raises(ArtifactError) as caught:
        start(model_type, **config)
    assert "pads on the right, and " in caught.value.happened
    assert "tokens of padding move a logit by" in caught.value.happened
    assert "whose network masks its padding" in caught.value.fix


@pytest.mark.parametrize(
    ("model_type", "config"),
    [
        ("bert", {}),
        ("albert", {"embedding_size": 16}),
        ("modernbert", {"global_attn_every_n_layers": 2, "local_attention": 8}),
        ("mpnet", {"max_position_embeddings": 66}),
        ("longformer", {"attention_window": 8, "max_position_embeddings": 130}),
        ("big_bird", {"block_size": 8, "num_random_blocks": 1}),
    ],
)
def test_models_that_mask_their_padding_are_taken_at_every_length(start, model_type, config):
    assert start(model_type, **config).training is False


@pytest.mark.parametrize(("beyond", "refused"), [(20, True), (63, True), (64, False)])
def test_a_network_that_goes_another_way_in_a_longer_call_is_probed_there(start, tmp_path, beyond, refused):
    """A little padding alone would not see it."""
    from transformers import BertForSequenceClassification

    class Another(BertForSequenceClassification):
        def forward(self, input_ids, attention_mask):
            answer = super().forward(input_ids=input_ids, attention_mask=attention_mask)
            answer.logits = answer.logits + (input_ids.shape[1] > beyond)
            return answer

    start("bert")
    network = Another.from_pretrained(tmp_path / "user")
    options = model_options(tiny_classifier.model_section(tmp_path / "user"))
    signature = build_preprocessor(options, Examples(origin="none", labels=[], texts=[])).signature(("a", "b"))
    call = (network, signature, tmp_path / "preprocessor", 64, "load it")
    if not refused:
        return hide_padding(*call)
    with pytest.raises(ArtifactError, match="tokens of padding move a logit by 1"):
        hide_padding(*call)


@pytest.mark.parametrize(
    ("model_type", "config", "takes"),
    [
        ("roberta", {}, 63),  # 64 positions, of which the first counts no token (the padding's number, and it)
        ("mpnet", {}, 62),
        ("xlm-roberta", {"pad_token_id": 4}, 62),  # what pads is the tokenizer's 0, and 5 positions count no token
        ("opt", {"max_position_embeddings": 40}, 40),
    ],
)
def test_rows_of_more_tokens_than_are_taken_are_refused_before_training_with_the_number(
    start, model_type, config, takes
):
    with pytest.raises(ArtifactError) as caught:
        start(model_type, **config)
    found = re.search(r"set data.max_tokens in params.yaml to (\d+) or less", caught.value.fix)
    assert "it cannot answer a row of 64 tokens; asked with shorter ones, it answers up to " in caught.value.happened
    assert found is not None
    if model_type != "xlm-roberta":
        assert int(found[1]) == takes
    assert start(model_type, **config, longest=int(found[1])).training is False


def test_a_network_that_answers_no_row_says_what_it_said(start, tmp_path):
    from transformers import BertForSequenceClassification

    class Broken(BertForSequenceClassification):
        def forward(self, input_ids, attention_mask):
            raise RuntimeError("a layer is missing")

    start("bert")
    options = model_options(tiny_classifier.model_section(tmp_path / "user"))
    signature = build_preprocessor(options, Examples(origin="none", labels=[], texts=[])).signature(("a", "b"))
    with pytest.raises(ArtifactError, match="a row of 64 tokens: RuntimeError: a layer is missing"):
        hide_padding(Broken.from_pretrained(tmp_path / "user"), signature, tmp_path / "preprocessor", 64, "load it")
