import numpy as np
import pytest

from temper.training.ranks import ALONE, Ranks


def test_alone_there_is_nothing_to_share():
    network = object()
    assert ALONE.wrapped(network) is network
    assert ALONE.share([3, 4, 5]) == ([3, 4, 5], 1.0)
    assert ALONE.agreed(0.3) == ALONE.mean(0.3) == 0.3
    assert ALONE.device("cuda") == "cuda"


@pytest.mark.parametrize(("rows", "count"), [(8, 2), (7, 2), (7, 3), (1, 2), (2, 4)])
def test_the_mean_over_processes_is_the_mean_over_the_rows_of_the_batch(rows, count):
    losses = np.random.default_rng(1).random(rows)
    parts = [Ranks(rank, count).share(range(rows)) for rank in range(count)]
    assert np.isclose(np.mean([weight * losses[own].mean() for own, weight in parts]), losses.mean())
    assert sorted(row for own, weight in parts if weight for row in own) == list(range(rows))


def test_each_process_has_a_gpu_of_its_own():
    assert [Ranks(rank, 2).device("cuda") for rank in range(2)] == ["cuda:0", "cuda:1"]
    assert Ranks(1, 2).device("cpu") == "cpu"
