import pytest
import torch
from pydantic import ValidationError

from temper.study.sections.model import model_options
from temper.training.none import Options, train
from tests.tiny_study import SEED


def test_a_fine_tuned_checkpoint_comes_through_unchanged(tiny_study):
    section = {"task": "text-classification", "source": "checkpoint", "revision": None}
    network, history = train(
        options=Options(method="none"),
        model=model_options({**section, "checkpoint": str(tiny_study.checkpoint)}),
        signature=tiny_study.signature,
        data_folder=tiny_study.data,
        seed=SEED,
    )
    from safetensors.torch import load_file

    stored = load_file(tiny_study.checkpoint / "model.safetensors")
    assert stored.keys() == network.state_dict().keys()
    assert all(torch.equal(network.state_dict()[name], value) for name, value in stored.items())
    assert history == {"epochs": []}
    assert network.training is False


def test_it_has_no_options_to_mistake():
    with pytest.raises(ValidationError, match="epochs"):
        Options.model_validate({"method": "none", "epochs": 3})
