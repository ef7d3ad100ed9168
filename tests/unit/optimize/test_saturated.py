import threading

import numpy as np
import pytest

from temper.backends.runner import Runner
from temper.optimize import saturated
from temper.optimize.saturated import opened


class Loading(Runner):
    """Answers only once the others are asked too, and notes by which threads it is opened, called and closed."""

    def __init__(self, together):
        self.together, self.threads = together, set()

    def __enter__(self):
        self.threads.add(threading.get_ident())
        return self

    def __exit__(self, *exc_info):
        self.threads.add(threading.get_ident())
        self.closed = True

    def infer(self, inputs):
        self.threads.add(threading.get_ident())
        self.together.wait(timeout=5)
        return np.zeros((1, 2), np.float32)

    def describe(self):
        return {"library": "made up"}


@pytest.fixture
def loadings(monkeypatch):
    together, made = threading.Barrier(3), []

    def loading(side):
        made.append(Loading(together))
        return made[-1]

    monkeypatch.setattr(saturated, "open_side", loading)
    return made


def test_every_caller_has_a_loading_and_a_thread_of_its_own_and_all_are_called_at_once(loadings):
    with opened({"callers": 3}) as runner:
        assert runner.infer({}).shape == (1, 2)
        assert runner.describe() == {"library": "made up", "callers": 3}
        assert runner.shape_of({}, (1, 8)) == (1, 8)
        assert runner.warmup_calls_per_shape == 1
    assert [len(each.threads) for each in loadings] == [1, 1, 1]
    assert len({*loadings[0].threads, *loadings[1].threads, *loadings[2].threads}) == 3
    assert all(each.closed for each in loadings)
    assert threading.get_ident() not in loadings[0].threads


def test_one_caller_is_the_runner_itself(loadings):
    assert isinstance(opened({}), Loading)
