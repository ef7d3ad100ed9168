from types import SimpleNamespace

import numpy as np

from temper.load_test.generator import SystemUnderTest


def test_a_failure_is_kept_and_every_sample_completed():
    completed, calls = [], []

    class Failing:
        def infer(self, inputs):
            calls.append(inputs)
            raise SystemExit(1)

    class Loadgen:
        QuerySamplesComplete = completed.extend

        @staticmethod
        def QuerySampleResponse(id, data, size):  # noqa: N802
            return id

    system = SystemUnderTest(Loadgen, Failing(), [{"x": np.zeros((1, 2))}], batch_size=2)
    system.answer([SimpleNamespace(id=number, index=0) for number in range(5)])
    assert completed == [0, 1, 2, 3, 4]
    assert isinstance(system.failure, SystemExit)
    assert (len(calls), calls[0]["x"].shape) == (1, (2, 2))
