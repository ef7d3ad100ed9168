import numpy as np
import pytest

from temper.data.encoded import read_split
from temper.measurement.timed_inputs import timed_inputs

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
