import threading

import numpy as np

from temper.measurement import alone
from temper.measurement.alone import _calls_until, _saturated
from temper.measurement.timed_inputs import TimedInputs


def test_every_caller_opens_warms_and_calls_a_loading_of_its_own_in_one_thread(fake_runner, monkeypatch):
    used = {}

    def opened(side):
        number = len(used)
        used[number] = {threading.get_ident()}
        return fake_runner(on_call=lambda: used[number].add(threading.get_ident()))

    monkeypatch.setattr(alone, "open_side", opened)
    first = opened({})
    batches = [{"input_ids": np.zeros((2, length))} for length in (8, 16)]
    inputs = TimedInputs(batches, [2, 2], 0.0, "", [(2, 8), (2, 16)])
    assert _saturated({}, first, inputs, 3, 0.05) > 0
    assert [len(threads) for threads in used.values()] == [1, 1, 1]
    assert len(set.union(*used.values())) == 3
    assert [call["input_ids"].shape[1] for call in first.calls[:2]] == [8, 16]  # every shape before the clock runs


def test_a_caller_that_starts_after_the_end_still_answers_one_call(fake_runner):
    stop, runner = threading.Event(), fake_runner()
    stop.set()
    inputs = TimedInputs([{"input_ids": np.zeros((2, 8))}], [2], 0.0, "", [(2, 8)])
    assert _calls_until(stop, runner, inputs, first=1, step=3) == 2
    assert len(runner.calls) == 1
