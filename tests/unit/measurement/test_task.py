import numpy as np

from temper.measurement.task import warm_shapes
from temper.measurement.timed_inputs import TimedInputs


def test_each_shape_is_called_once_before_anything_is_timed(fake_runner):
    lengths = [8, 16, 8, 24, 16]
    batches = [{"input_ids": np.full((2, length), number)} for number, length in enumerate(lengths)]
    runner = fake_runner()
    warm_shapes(runner, TimedInputs(batches, [2] * 5, 0.0, ""))
    assert [call["input_ids"].shape[1] for call in runner.calls] == [8, 16, 24]
