import numpy as np
import pytest

from temper.measurement.timed_inputs import TimedInputs
from temper.measurement.worker import _timed


def test_padding_is_told_of_the_inputs_and_of_what_the_runner_makes_of_them(fake_runner):
    batches = [{"input_ids": np.zeros((2, length))} for length in (8, 16)]
    inputs = TimedInputs(batches, [2, 2], 0.25, "digest", [(2, 8), (2, 16)])
    runner = fake_runner()
    assert _timed(inputs, runner) == {
        "padding_share": 0.25,
        "computed_padding_share": pytest.approx(0.25),
        "inputs_sha256": "digest",
    }
    runner.computed_tokens = lambda shape: 4 * 16  # an engine of one shape
    assert _timed(inputs, runner)["computed_padding_share"] == pytest.approx(1 - 0.75 * (16 + 32) / (2 * 64))
