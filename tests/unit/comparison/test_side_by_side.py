"""Two processes that take turns; what their latencies are is of no matter here."""

import pytest

from temper.comparison import side_by_side
from temper.comparison.side_by_side import Clock, Side, SideFailed, _watch, centre_ms, time_side_by_side
from temper.measurement.contention import read_counters
from temper.measurement.watch import Busy
from tests.tiny_study import SEED
from tests.unit.backends.test_runner import CPU
from tests.unit.measurement.test_measure import MEASUREMENT

WORKLOADS = {
    "b2": {"batch_size": 2, "sequence_length": 8},
    "real": {"batch_size": 4, "real_lengths": "bucketed"},
}


@pytest.fixture
def request_of(tiny_study):
    return {
        "data_folder": str(tiny_study.data),
        "workloads": WORKLOADS,
        "measurement": {**MEASUREMENT, "max_calls": 24, "max_duration_s": 20.0},
        "seed": SEED,
    }


def side_of(tiny_study, runner="onnxruntime", version="installed", **changes):
    artifact, options = CPU[runner]
    return {
        "runner": runner,
        "artifact": str(getattr(tiny_study, artifact)),
        "options": {**options, **changes},
        "version": version,
    }


def test_both_sides_are_called_as_often_on_the_same_batches_and_the_clock_is_theirs(tiny_study, request_of):
    found = time_side_by_side(side_of(tiny_study), side_of(tiny_study), request_of)
    assert list(found) == ["b2", "real"]
    turns, statistic = found["b2"]
    assert statistic == "median"
    assert turns.candidate_ns.shape == turns.baseline_ns.shape
    assert turns.candidate_ns.size >= MEASUREMENT["min_calls"]
    assert (turns.candidate_ns > 0).all()
    assert set(turns.candidate_first) == {True, False}
    assert turns.ratio.low <= turns.ratio.ratio <= turns.ratio.high
    assert found["real"][1] == "mean"


def test_the_clock_passes_by_what_the_calls_took_and_by_nothing_else(tiny_study, request_of):
    clock = Clock()
    with Side({**request_of, "side": side_of(tiny_study)}, clock) as side:
        assert side.ran["library"] == "onnxruntime"
        assert side.ask({"workload": "b2"})["batches"] == MEASUREMENT["distinct_batches"]
        assert clock.now_ns() == 0
        side.infer(0)
        after = clock.now_ns()
        assert after > 0
        side.infer(1)
        assert clock.now_ns() > after
        process = side._process
    assert process.returncode == 0  # it was let go, not killed


def test_the_time_of_both_processes_is_nobody_elses(tiny_study, request_of):
    with Side({**request_of, "side": side_of(tiny_study)}, Clock()) as side:
        watch = _watch(request_of["measurement"], [side])
        without = read_counters().own_s
        assert watch.read().own_s > without + 0.05  # it has imported a library


def test_a_machine_that_others_keep_busy_is_told(monkeypatch, tiny_study, request_of):
    def busy(*sides, **settings):
        raise Busy("others disturbed 9 turns", {})

    monkeypatch.setattr(side_by_side, "time_in_turns", busy)
    with pytest.raises(SideFailed, match="others disturbed 9 turns"):
        time_side_by_side(side_of(tiny_study), side_of(tiny_study), request_of)


def test_a_version_that_is_not_there_fails_with_its_reason(tiny_study, request_of):
    with pytest.raises(SideFailed, match=r"onnxruntime-9\.9\.9 is not among its libraries"):
        time_side_by_side(side_of(tiny_study), side_of(tiny_study, version="9.9.9"), request_of)


def test_a_call_that_fails_and_a_process_that_dies_are_told(tiny_study, request_of):
    with Side({**request_of, "side": side_of(tiny_study)}, Clock()) as side:
        side.ask({"workload": "b2"})
        with pytest.raises(SideFailed, match="IndexError"):
            side.infer(99)
    with Side({**request_of, "side": side_of(tiny_study)}, Clock()) as side:
        side._process.kill()
        side._process.wait()
        with pytest.raises(SideFailed, match="ended with -9 and no answer"):
            side.infer(0)


def test_the_centre_is_that_of_the_ratio():
    import numpy as np

    latencies = np.array([[4e6, 1e6], [2e6, 9e6]])
    assert centre_ms(latencies, "median") == 2.0
    assert centre_ms(latencies, "mean") == 4.0
