import torch

from temper.study.sections.model import model_options
from temper.training.untrained import Options, train
from tests.tiny_study import MODEL, SEED


def test_the_weights_follow_from_the_seed(tiny_study):
    networks = [
        train(
            options=Options(method="untrained"),
            model=model_options(MODEL),
            signature=tiny_study.signature,
            data_folder=tiny_study.data,
            seed=seed,
        )[0]
        for seed in (SEED, SEED, SEED + 1)
    ]
    first, same, other = (network.state_dict() for network in networks)
    assert all(torch.equal(first[name], same[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)
    assert networks[0].training is False
