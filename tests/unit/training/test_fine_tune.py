import math
from pathlib import Path

import numpy as np
import pytest
import torch

from temper.data.encoded import collate, read_split
from temper.errors import ArtifactError, PipelineError
from temper.study.sections.model import model_options
from temper.training.fine_tune import Options, epoch_order, learning_rate_share, train
from tests.tiny_study import MODEL, SEED, TRAIN


@pytest.fixture
def fine_tune(tiny_study):
    """Trains on the tiny study's data with some options changed."""

    def fine_tune(data_folder=tiny_study.data, **changes):
        options = Options.model_validate({**TRAIN, **changes})
        return train(
            options=options,
            model=model_options(MODEL),
            signature=tiny_study.signature,
            data_folder=Path(data_folder),
            seed=SEED,
        )

    return fine_tune


@pytest.mark.parametrize(("rows", "batch_size"), [(1, 4), (7, 4), (8, 4), (1000, 3), (5, 100)])
def test_an_epoch_has_every_row_once(rows, batch_size):
    lengths = np.random.default_rng(0).integers(1, 60, rows)
    batches = epoch_order(lengths, batch_size, np.random.default_rng(1))
    assert sorted(row for batch in batches for row in batch) == list(range(rows))
    assert len(batches) == math.ceil(rows / batch_size)
    assert max(map(len, batches)) <= batch_size


def test_batches_hold_rows_of_like_length_in_random_order():
    lengths = np.random.default_rng(0).integers(1, 60, 800)
    batches = epoch_order(lengths, 8, np.random.default_rng(1))
    assert np.mean([np.ptp(lengths[batch]) for batch in batches]) < 3  # of 59; unsorted batches span about 46
    firsts = [lengths[batch[0]] for batch in batches]
    assert firsts != sorted(firsts)


def test_the_order_comes_from_the_generator_alone():
    lengths = np.full(50, 9)
    orders = [epoch_order(lengths, 4, np.random.default_rng(seed)) for seed in (1, 1, 2)]
    assert orders[0] == orders[1] != orders[2]


def test_the_learning_rate_rises_linearly_and_falls_linearly_to_nothing():
    assert [learning_rate_share(step, 10, 4) for step in range(4)] == [0.25, 0.5, 0.75, 1.0]
    assert [learning_rate_share(step, 10, 4) for step in range(4, 11)] == [(10 - step) / 6 for step in range(4, 11)]


def test_without_warm_up_the_learning_rate_starts_whole():
    assert [learning_rate_share(step, 4, 0) for step in range(6)] == [1.0, 0.75, 0.5, 0.25, 0.0, 0.0]


def test_mixed_precision_trains_a_float32_model_of_other_weights(fine_tune):
    exact, mixed = (fine_tune(precision=precision)[0].state_dict() for precision in ("float32", "bfloat16"))
    assert {value.dtype for value in mixed.values()} == {torch.float32}
    assert any(not torch.equal(exact[name], mixed[name]) for name in exact)
    assert max(float((exact[name] - mixed[name]).abs().max()) for name in exact) < 0.05


def test_early_stopping_stops_and_gives_the_best_epoch_back(fine_tune, tiny_study):
    network, history = fine_tune(epochs=12, learning_rate=0.01, early_stopping_patience=2)
    accuracies = [epoch["validation_accuracy"] for epoch in history["epochs"]]
    best = accuracies.index(max(accuracies))
    assert history["stopped_early"] is True
    assert len(accuracies) == best + 1 + 2 < 12
    split = read_split(tiny_study.data / "validation.parquet", tiny_study.signature)
    tensors = collate(split, range(len(split)), tiny_study.signature, sequence_length=None)
    with torch.inference_mode():
        logits = network(**{name: torch.from_numpy(array) for name, array in tensors.items()}).logits.numpy()
    assert float((logits.argmax(1) == split.labels).mean()) == accuracies[best] > accuracies[-1]


def test_without_patience_every_epoch_is_run_and_recorded(fine_tune):
    network, history = fine_tune(epochs=3)
    assert [epoch["epoch"] for epoch in history["epochs"]] == [1, 2, 3]
    assert history["stopped_early"] is False
    assert network.training is False
    assert all(0 <= epoch["validation_accuracy"] <= 1 for epoch in history["epochs"])


def test_training_lowers_the_loss(fine_tune):
    _, history = fine_tune(epochs=8, learning_rate=3.0e-3)
    losses = [epoch["train_loss"] for epoch in history["epochs"]]
    assert losses[-1] < 0.8 * losses[0]


def test_a_loss_that_explodes_is_an_error_that_names_the_learning_rate(fine_tune):
    with pytest.raises(PipelineError) as caught:
        fine_tune(epochs=3, learning_rate=1.0e30)
    assert "the loss became" in caught.value.happened
    assert caught.value.fix == "lower train.learning_rate"


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_cuda_without_a_gpu_is_an_error_and_never_a_cpu_run(fine_tune):
    with pytest.raises(PipelineError) as caught:
        fine_tune(device="cuda")
    assert caught.value.asked == "fine-tune on cuda"
    assert "train.device" in caught.value.fix


@pytest.mark.parametrize("name", ["train.parquet", "validation.parquet"])
def test_altered_rows_are_refused(fine_tune, tiny_study, copy_of, name):
    folder = copy_of(tiny_study.data)
    (folder / name).write_bytes((folder / name).read_bytes()[:-1])
    with pytest.raises(ArtifactError, match=name):
        fine_tune(folder)


def test_the_test_rows_are_not_read(fine_tune, tiny_study, copy_of):
    folder = copy_of(tiny_study.data)
    (folder / "test.parquet").unlink()
    fine_tune(folder)
