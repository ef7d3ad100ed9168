"""Two processes on the CPU, which talk through gloo, train what one trains on batches twice as large."""

from pathlib import Path

import pytest
import torch

from temper.errors import PipelineError
from temper.study.sections.model import model_options
from temper.training.fine_tune import Options, train
from tests.tiny_study import MODEL, SEED, TRAIN

STILL = {"dropout": 0.0, "attention_dropout": 0.0, "seq_classif_dropout": 0.0}  # by process other numbers are drawn


@pytest.fixture
def fine_tune(tiny_study):
    def fine_tune(**changes):
        return train(
            options=Options.model_validate({**TRAIN, **changes}),
            model=model_options({**MODEL, "config": {**MODEL["config"], **STILL}}),
            signature=tiny_study.signature,
            data_folder=Path(tiny_study.data),
            seed=SEED,
        )

    return fine_tune


@pytest.mark.long
def test_two_processes_train_what_one_does_on_batches_twice_as_large(fine_tune):
    several, said = fine_tune(epochs=2, batch_size=8, devices=2)
    alone, expected = fine_tune(epochs=2, batch_size=16)
    assert (said["devices"], said["effective_batch_size"]) == (2, 16)
    assert [row["epoch"] for row in said["epochs"]] == [1, 2]
    assert said["epochs"][-1]["train_loss"] == pytest.approx(expected["epochs"][-1]["train_loss"], rel=1e-3)
    own, other = several.state_dict(), alone.state_dict()
    assert own.keys() == other.keys()
    assert max(float((own[name] - other[name]).abs().max()) for name in own) < 1e-3
    assert several.training is False
    again, _ = fine_tune(epochs=2, batch_size=8, devices=2)
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in own.items())


@pytest.mark.long
def test_what_one_process_refuses_is_said_in_its_own_four_parts(fine_tune):
    with pytest.raises(PipelineError) as caught:
        fine_tune(epochs=3, learning_rate=1.0e30, devices=2)
    assert "the loss became" in caught.value.happened
    assert "train.learning_rate" in caught.value.fix
