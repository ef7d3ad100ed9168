import numpy as np
import pytest

from temper.data.encoded import read_split
from temper.measurement.timed_inputs import TimedInputs, timed_inputs, warm_shapes

WORKLOAD = {"batch_size": 4, "sequence_length": 30}


@pytest.fixture
def draw(tiny_study):
    split = read_split(tiny_study.data / "test.parquet", tiny_study.signature)

    def draw(workload=WORKLOAD, *, distinct_batches=5, seed=3):
        return timed_inputs(split, tiny_study.signature, workload, distinct_batches=distinct_batches, seed=seed)

    return draw


def test_batches_have_the_workloads_shape_and_differ(draw):
    drawn = draw()
    assert len(drawn.batches) == 5
    assert {array.shape for batch in drawn.batches for array in batch.values()} == {(4, 30)}
    assert all(array.flags.c_contiguous for batch in drawn.batches for array in batch.values())
    assert len({batch["input_ids"].tobytes() for batch in drawn.batches}) == 5


def test_equal_sizes_give_equal_inputs_in_whatever_order_they_stand(draw):
    again = draw(dict(reversed(WORKLOAD.items())))
    assert again.sha256 == draw().sha256
    assert np.array_equal(again.batches[2]["input_ids"], draw().batches[2]["input_ids"])


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 4},
        {"distinct_batches": 6},
        {"workload": {"batch_size": 5, "sequence_length": 30}},
        {"workload": {"batch_size": 4, "sequence_length": 31}},
    ],
)
def test_anything_else_gives_others(draw, change):
    assert draw(**change).sha256 != draw().sha256


def test_the_share_of_padding_is_that_of_the_batches(draw):
    drawn = draw()
    masks = np.stack([batch["attention_mask"] for batch in drawn.batches])
    assert drawn.padding_share == pytest.approx(1 - masks.mean())
    assert drawn.padding_share > 0.1


@pytest.mark.parametrize("real_lengths", ["arrival", "bucketed"])
def test_shapes_are_those_of_the_batches(draw, real_lengths):
    drawn = draw({"batch_size": 4, "real_lengths": real_lengths})
    assert drawn.shapes == [batch["input_ids"].shape for batch in drawn.batches]
    assert len(set(drawn.shapes)) > 1


def test_a_runner_computes_what_it_is_given_unless_it_says_otherwise(draw, fake_runner):
    drawn, runner = draw({"batch_size": 4, "real_lengths": "arrival"}), fake_runner()
    assert drawn.computed_padding_share(runner) == pytest.approx(drawn.padding_share)
    runner.computed_sizes = lambda sizes: (4, 64)
    tokens = sum(batch["attention_mask"].sum() for batch in drawn.batches)
    assert drawn.computed_padding_share(runner) == pytest.approx(1 - tokens / (len(drawn.batches) * 4 * 64))


def test_without_a_sequence_rows_are_counted(fake_runner):
    assert fake_runner().computed_tokens({}, (5,)) == 5


def test_each_shape_is_called_once_before_anything_is_timed(fake_runner):
    lengths = [8, 16, 8, 24, 16]
    batches = [{"input_ids": np.full((2, length), number)} for number, length in enumerate(lengths)]
    runner = fake_runner()
    warm_shapes(runner, TimedInputs(batches, [2] * 5, 0.0, "", [(2, length) for length in lengths]))
    assert [call["input_ids"].shape[1] for call in runner.calls] == [8, 16, 24]


def test_a_runner_may_ask_for_more_calls_of_each_shape(fake_runner):
    runner = fake_runner()
    runner.warmup_calls_per_shape = 3
    batches = [{"input_ids": np.zeros((2, length))} for length in (8, 16)]
    warm_shapes(runner, TimedInputs(batches, [2, 2], 0.0, "", [(2, 8), (2, 16)]))
    assert [call["input_ids"].shape[1] for call in runner.calls] == [8, 8, 8, 16, 16, 16]


def test_a_runner_may_compute_other_shapes_than_it_is_given(fake_runner):
    runner = fake_runner()
    runner.shape_of = lambda batch, given: int(batch["input_ids"].sum())  # as packed rows depend on what is padding
    batches = [{"input_ids": np.full((2, 8), number)} for number in (0, 1, 0)]
    warm_shapes(runner, TimedInputs(batches, [2] * 3, 0.0, "", [(2, 8)] * 3))
    assert len(runner.calls) == 2
