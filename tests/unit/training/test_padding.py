import json

import numpy as np
import pytest
import torch

from temper.data.encoded import collate, read_split
from temper.data.prepare import prepare_data
from temper.errors import ArtifactError
from temper.model_options import model_options
from temper.signature import Signature
from temper.training.checkpoint import make_checkpoint
from temper.training.model import initial_model, load_checkpoint
from tests import tiny_gpt2
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
        network = initial_model(section, signature, made / "data/preprocessor", fresh_head=True)
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
