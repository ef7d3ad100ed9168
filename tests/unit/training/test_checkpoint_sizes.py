import json

import pytest
import torch
from safetensors.torch import save_file

from temper.cli.entry import main
from temper.errors import ArtifactError
from temper.study.sections.model import model_options
from temper.training.checkpoint_head import check_model
from temper.training.checkpoint_sizes import why_larger_than_weights, why_more_than_weights
from tests.user_checkpoint import save_checkpoint, save_rows


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    return save_checkpoint(tmp_path_factory.mktemp("checkpoint"))


@pytest.fixture
def folder(saved, copy_of):
    return copy_of(saved)


def edit(folder, **changes):
    file = folder / "config.json"
    content = {**json.loads(file.read_text()), **changes}
    file.write_text(json.dumps(content))
    return content


BEYOND = [
    ({"dim": 1_000_000_000}, "dim: 1,000,000,000, and its weights have no tensor with a side above 32"),
    ({"hidden_dim": 10_000}, "hidden_dim: 10,000"),
    ({"vocab_size": 900_000_000}, "vocab_size: 900,000,000"),
    ({"max_position_embeddings": 500_000_000}, "max_position_embeddings: 500,000,000"),
    ({"n_layers": 65}, "n_layers: 65, and its weights have 1 layers"),
    ({"text_config": {"hidden_size": 100_000}}, "hidden_size: 100,000"),
    ({"hidden_sizes": [8, 100_000]}, "hidden_sizes: 100,000"),
    ({"num_labels": 90_000}, "num_labels: 90,000"),
]


@pytest.mark.parametrize(("changes", "words"), BEYOND)
def test_a_size_that_the_weights_do_not_have_is_said(folder, changes, words):
    weights = {"layer.0.weight": torch.zeros(32, 16)}
    save_file(weights, folder / "model.safetensors")
    assert words in str(why_larger_than_weights(folder, edit(folder, **changes)))


@pytest.mark.parametrize(
    "content",
    [
        {"hidden_size": 16_384, "num_hidden_layers": 96, "vocab_size": 2_000_000},  # as large as its weights
        {"text_config": {"vocab_size": 250_002}, "max_position_embeddings": 1_048_576, "rope_theta": 100_000_000},
        {"num_hidden_layers": 12, "use_cache": True, "initializer_range": 0.02, "max_relative_positions": -1},
    ],
)
def test_sizes_that_networks_have_are_not_refused(tmp_path, content):
    weights = {"encoder.layer.95.weight": torch.zeros(1, 16_384), "embeddings.weight": torch.zeros(2_000_000, 1)}
    save_file(weights, tmp_path / "model.safetensors")
    assert why_larger_than_weights(tmp_path, content) is None


def test_without_weights_nothing_is_said(tmp_path):
    assert why_larger_than_weights(tmp_path, {"hidden_size": 10**9}) is None


def test_what_no_key_tells_is_counted_by_a_network_without_memory(folder):
    from transformers import AutoModelForSequenceClassification

    assert why_more_than_weights(folder, AutoModelForSequenceClassification) is None
    edit(folder, dim=8192, hidden_dim=8192, n_layers=8)
    began = torch.random.get_rng_state()
    said = why_more_than_weights(folder, AutoModelForSequenceClassification)
    assert "a DistilBertForSequenceClassification of its config.json takes" in str(said)
    assert torch.equal(torch.random.get_rng_state(), began)


def test_a_study_is_refused_before_a_job_is_started(folder):
    edit(folder, dim=1_000_000_000)
    section = {"task": "text-classification", "source": "checkpoint", "revision": None, "checkpoint": str(folder)}
    for method in ("none", "fine_tune"):
        with pytest.raises(ArtifactError, match="dim: 1,000,000,000"):
            check_model(model_options(section), {"method": method})


def test_init_refuses_it_without_building_it(folder, tmp_path, capsys):
    edit(folder, dim=1_000_000_000)
    rows = save_rows(tmp_path / "rows.tsv")
    assert main(["init", "big", "--model", str(folder), "--data", str(rows), "--yes"]) == 1
    said = capsys.readouterr().err
    assert "its config.json says dim: 1,000,000,000" in said
    assert "fix:      restore config.json beside its weights" in said
