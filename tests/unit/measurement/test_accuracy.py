import numpy as np
import pytest

from temper.data.encoded import Split
from temper.measurement.accuracy import Predictions, predict
from tests.tiny_onnx import TEXT

LENGTHS = [3, 5, 2, 9, 4, 1, 7]


@pytest.fixture
def split():
    """Rows whose first token is their number, of different lengths."""
    rows = [np.full(length, number, np.int64) for number, length in enumerate(LENGTHS)]
    masks = [np.ones_like(row) for row in rows]
    labels = np.zeros(len(rows), np.int64)
    return Split(labels=labels, texts=[""] * len(rows), inputs={"input_ids": rows, "attention_mask": masks})


def shapes(runner):
    return [call["input_ids"].shape for call in runner.calls]


def test_every_row_is_answered_in_its_order_and_the_last_batch_is_partial(split, fake_runner):
    runner = fake_runner()
    predictions = predict(runner, split, TEXT, batch_size=3)
    assert predictions.logits[:, 0].tolist() == list(range(7))
    assert shapes(runner) == [(3, 5), (3, 9), (1, 7)]  # padded to the longest of each batch
    assert (predictions.batch_size, predictions.cut_rows) == (3, 0)


def test_padding_is_masked(split, fake_runner):
    runner = fake_runner()
    predict(runner, split, TEXT, batch_size=3)
    assert runner.calls[0]["attention_mask"].tolist() == [[1, 1, 1, 0, 0], [1, 1, 1, 1, 1], [1, 1, 0, 0, 0]]


def test_a_static_batch_is_filled_by_repetition_and_the_surplus_dropped(split, fake_runner):
    runner = fake_runner({"batch_size": (4, 4)})
    predictions = predict(runner, split, TEXT, batch_size=4)
    assert predictions.logits[:, 0].tolist() == list(range(7))
    assert [call["input_ids"][:, 0].tolist() for call in runner.calls] == [[0, 1, 2, 3], [4, 5, 6, 6]]


def test_a_least_batch_above_the_one_asked_for_is_filled_too(split, fake_runner):
    runner = fake_runner({"batch_size": (4, 8)})
    predictions = predict(runner, split, TEXT, batch_size=2)
    assert predictions.logits[:, 0].tolist() == list(range(7))
    assert {shape[0] for shape in shapes(runner)} == {4}
    assert predictions.batch_size == 2


def test_a_lower_limit_than_the_batch_size_is_respected_and_recorded(split, fake_runner):
    runner = fake_runner({"batch_size": (1, 2)})
    assert predict(runner, split, TEXT, batch_size=5).batch_size == 2
    assert [shape[0] for shape in shapes(runner)] == [2, 2, 2, 1]


def test_rows_longer_than_the_limit_are_cut_and_counted(split, fake_runner):
    runner = fake_runner({"sequence_length": (1, 4)})
    predictions = predict(runner, split, TEXT, batch_size=3)
    assert predictions.cut_rows == sum(length > 4 for length in LENGTHS) == 3
    assert [shape[1] for shape in shapes(runner)] == [4, 4, 4]
    assert predictions.logits[:, 0].tolist() == list(range(7))


def test_rows_shorter_than_the_limit_are_padded_and_not_counted(split, fake_runner):
    runner = fake_runner({"sequence_length": (6, 16)})
    assert predict(runner, split, TEXT, batch_size=3).cut_rows == 0
    assert [shape[1] for shape in shapes(runner)] == [6, 9, 7]


def with_static_shapes(runner, *static):
    """The runner with `fits`, as that of an engine with static shapes."""
    runner.fits = lambda sizes: any(
        sizes["batch_size"] <= batch and sizes["sequence_length"] <= length for batch, length in static
    )
    return runner


def test_a_batch_that_no_static_shape_holds_is_made_of_fewer_rows(split, fake_runner):
    runner = with_static_shapes(fake_runner({"batch_size": (1, 4), "sequence_length": (1, 9)}), (4, 5), (2, 9))
    predictions = predict(runner, split, TEXT, batch_size=4)
    assert predictions.logits[:, 0].tolist() == list(range(7))
    assert shapes(runner) == [(3, 5), (2, 9), (2, 7)]  # a fourth row of 9 tokens would not have fitted
    assert (predictions.batch_size, predictions.cut_rows) == (4, 0)


def test_rows_longer_than_every_static_shape_are_cut(split, fake_runner):
    runner = with_static_shapes(fake_runner({"batch_size": (1, 3), "sequence_length": (1, 6)}), (3, 4), (1, 6))
    predictions = predict(runner, split, TEXT, batch_size=3)
    assert predictions.logits[:, 0].tolist() == list(range(7))
    assert predictions.cut_rows == 2
    assert all(
        runner.fits(dict(zip(("batch_size", "sequence_length"), shape, strict=True))) for shape in shapes(runner)
    )


def test_a_least_batch_is_filled_in_one_call_also_where_the_runner_says_what_fits(split, fake_runner):
    runner = fake_runner({"batch_size": (4, 8)})
    runner.fits = lambda sizes: 4 <= sizes["batch_size"] <= 8
    predict(runner, split, TEXT, batch_size=5)
    assert [shape[0] for shape in shapes(runner)] == [5, 4]


def test_a_runner_that_compiles_for_each_shape_gets_few_of_them(split, fake_runner):
    runner = fake_runner()
    runner.compiles_shapes = True
    predictions = predict(runner, split, TEXT, batch_size=3)
    assert shapes(runner) == [(3, 8), (3, 9), (3, 8)]  # multiples of 8, never beyond the longest row; whole batches
    assert predictions.logits[:, 0].tolist() == list(range(7))
    assert predictions.cut_rows == 0


def test_the_predicted_label_is_the_largest_logit_the_first_of_equals():
    logits = np.array([[0.1, 0.2], [3, -1], [0.5, 0.5]], np.float32)
    labels = Predictions(logits, 1, 0).labels
    assert labels.tolist() == [1, 0, 0]
    assert labels.dtype == np.int64
