import json

import pytest
import torch
from transformers import AutoModel, BertConfig, BertModel

from temper.errors import ArtifactError
from temper.training.pooling import KEY, pooled, pooling_of

IDS = torch.tensor([[2, 5, 6, 3], [2, 7, 3, 0]])
MASK = torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]])


@pytest.fixture
def body(tmp_path):
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=20,
        hidden_size=8,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        initializer_range=0.5,
    )
    BertModel(config).eval().save_pretrained(tmp_path)
    return tmp_path


def says(folder, content, *modules):
    kinds = modules or ("Transformer", "Pooling")
    paths = {"Transformer": "", "Pooling": "1_Pooling", "Normalize": "2_Normalize", "Dense": "2_Dense"}
    listed = [
        {"idx": n, "path": paths[kind], "type": f"sentence_transformers.models.{kind}"} for n, kind in enumerate(kinds)
    ]
    (folder / "modules.json").write_text(json.dumps(listed))
    (folder / "1_Pooling").mkdir(exist_ok=True)
    (folder / "1_Pooling/config.json").write_text(json.dumps({"word_embedding_dimension": 8, **content}))


def expected(hidden, mode):
    rows = [hidden[0, :4], hidden[1, :3]]
    return torch.stack(
        [{"mean": row.mean(0), "cls": row[0], "max": row.max(0).values, "last": row[-1]}[mode] for row in rows]
    )


@pytest.mark.parametrize(
    ("content", "mode"),
    [
        ({"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False}, "mean"),
        ({"pooling_mode_cls_token": True}, "cls"),
        ({"pooling_mode_max_tokens": True}, "max"),
        ({"pooling_mode_lasttoken": True}, "last"),
        ({"pooling_mode": "mean"}, "mean"),
        ({"pooling_mode": "lasttoken"}, "last"),
    ],
)
@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("side", ["right", "left"])
def test_an_embedding_is_what_the_checkpoint_s_modules_make(body, content, mode, normalize, side):
    says(body, content, "Transformer", "Pooling", *(["Normalize"] if normalize else []))
    network = AutoModel.from_pretrained(body).eval()
    with torch.inference_mode():
        hidden = network(input_ids=IDS, attention_mask=MASK).last_hidden_state
        given = {"input_ids": IDS, "attention_mask": MASK}
        if side == "left":  # the second row's padding before it; positions make other numbers, so its own are given
            given = {name: torch.stack([value[0], value[1].roll(1)]) for name, value in given.items()}
            given["position_ids"] = torch.tensor([[0, 1, 2, 3], [0, 0, 1, 2]])
        found = pooled(network, str(body))(**given).logits
    wanted = expected(hidden, mode)
    wanted = torch.nn.functional.normalize(wanted, dim=1) if normalize else wanted
    assert torch.allclose(found, wanted, atol=1e-5)


def test_what_was_found_is_kept_with_the_weights(body, tmp_path_factory):
    says(body, {"pooling_mode_cls_token": True}, "Transformer", "Pooling", "Normalize")
    kept = tmp_path_factory.mktemp("kept")
    pooled(AutoModel.from_pretrained(body), str(body)).save_pretrained(kept)
    again = AutoModel.from_pretrained(kept)
    assert getattr(again.config, KEY) == {"mode": "cls", "normalize": True}
    assert pooled(again, str(kept)).config.temper_pooling["mode"] == "cls"


def test_a_body_without_modules_is_pooled_by_the_mean(body):
    assert pooling_of(str(body)) == {"mode": "mean", "normalize": False}


def test_modules_above_the_weights_folder_are_found(body):
    says(body, {"pooling_mode_cls_token": True})
    (body / "0_Transformer").mkdir()
    assert pooling_of(str(body / "0_Transformer"))["mode"] == "cls"


@pytest.mark.parametrize(
    ("content", "modules", "words"),
    [
        ({"pooling_mode_mean_tokens": True}, ("Transformer", "Pooling", "Dense"), "Transformer, Pooling, Dense"),
        ({"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": True}, (), "its pooling is mean, cls"),
        ({"pooling_mode": "weightedmean"}, (), "its pooling is weightedmean"),
        ({}, (), "none that is known"),
    ],
)
def test_what_is_not_computed_here_is_named(body, content, modules, words):
    says(body, content, *modules)
    with pytest.raises(ArtifactError) as caught:
        pooling_of(str(body))
    assert words in caught.value.happened
