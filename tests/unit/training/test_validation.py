"""What a checkpoint answers on validation rows, and what is said of it before anything is measured."""

import json

import numpy as np
import pytest
import torch

from temper.data.encoded import read_split
from temper.training import validation
from temper.training.checkpoint import make_checkpoint
from temper.training.model import load_checkpoint
from temper.training.validation import answers_of, on_validation
from tests.tiny_study import SEED


def taken_as_it_is(tiny_study, checkpoint, folder):
    make_checkpoint(
        model={"task": "text-classification", "source": "checkpoint", "revision": None, "checkpoint": str(checkpoint)},
        train={"method": "none"},
        seed=SEED,
        data_folder=str(tiny_study.data),
        folder=str(folder),
    )
    return json.loads((folder / "training_history.json").read_text())["validation"]


def test_training_and_taking_a_checkpoint_say_the_same_of_the_same_model(tiny_study, tmp_path, capfd):
    trained = json.loads((tiny_study.checkpoint / "training_history.json").read_text())
    found = taken_as_it_is(tiny_study, tiny_study.checkpoint, tmp_path / "taken")
    assert found == trained["validation"]
    assert found["accuracy"] == trained["epochs"][-1]["validation_accuracy"]
    said = capfd.readouterr().err
    assert f"checkpoint: accuracy {100 * found['accuracy']:.1f} % of 24 validation rows (always '" in said


def test_a_checkpoint_that_answers_one_label_is_said_to(tiny_study, copy_of, tmp_path, capfd):
    folder = copy_of(tiny_study.checkpoint)
    network = load_checkpoint(folder, "text-classification")
    with torch.no_grad():
        network.classifier.weight.zero_()
        network.classifier.bias.copy_(torch.tensor([0.0, 1.0]))
    network.save_pretrained(folder)
    found = taken_as_it_is(tiny_study, folder, tmp_path / "taken")
    assert list(found) == ["rows", "accuracy"]  # what that is worth is said, and in no file
    said = capfd.readouterr().err
    assert "checkpoint: warning: the model answers 'positive' to all 24 validation rows" in said
    assert "checkpoint: warning: the model is not shown to be better than always answering" in said


@pytest.mark.parametrize("batch_size", [1, 7, 100])
def test_answers_are_in_the_order_of_the_rows_whatever_the_batch(tiny_study, batch_size):
    split = read_split(tiny_study.data / "validation.parquet", tiny_study.signature)
    network = load_checkpoint(tiny_study.checkpoint, "text-classification")
    rows = np.array([5, 2, 9, 0, 11, 3, 17, 4])
    every = answers_of(network, split, np.arange(len(split)), tiny_study.signature, batch_size=24, device="cpu")
    assert (
        answers_of(network, split, rows, tiny_study.signature, batch_size=batch_size, device="cpu").tolist()
        == every[rows].tolist()
    )


def test_of_many_rows_some_are_looked_at_from_the_first_to_the_last(tiny_study, monkeypatch):
    monkeypatch.setattr(validation, "ROWS", 5)
    network = load_checkpoint(tiny_study.checkpoint, "text-classification")
    found = on_validation(network, tiny_study.data, tiny_study.signature)
    assert len(found.answers) == len(found.labels) == 5
