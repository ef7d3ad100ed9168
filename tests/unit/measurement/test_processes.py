"""Memory that runs out, and a device with a clock: the tasks run in this process, on real runners that are made to fail."""

import json

import numpy as np
import pytest

from temper.backends.runner import Runner
from temper.measurement import alone, isolated, processes, task, worker
from temper.measurement.record import Accuracy, NotMeasured, Workload
from temper.measurement.record_file import read_record
from tests.unit.measurement.test_measure import run as run  # the fixture

pytestmark = pytest.mark.usefixtures("warm")

OUT = "CUDA out of memory. Tried to allocate 2 GiB"


class Spoiled(Runner):
    """A runner in whose calls memory runs out where `when` says so."""

    def __init__(self, runner, when):
        self._runner, self._when = runner, when

    def __enter__(self):
        self._runner.__enter__()
        return self

    def __exit__(self, *exc_info):
        self._runner.__exit__(*exc_info)

    def infer(self, inputs):
        if self._when(len(inputs["input_ids"])):
            raise RuntimeError(OUT)
        return self._runner.infer(inputs)

    def describe(self):
        return self._runner.describe()

    def limits(self):
        return self._runner.limits()


@pytest.fixture
def in_process(monkeypatch):
    """Lets the tasks run here, with runners that `wrap` makes of real ones; `wrap` gets the side and the runner."""

    def start(wrap):
        for module in (alone, worker):
            monkeypatch.setattr(module, "open_side", lambda side: wrap(side, task.open_side(side)))

        def here(request):
            request = json.loads(json.dumps(request))
            answer = isolated._answered(lambda: worker.TASKS[request["task"]](request))
            return isolated._result(json.loads(json.dumps(answer)))

        monkeypatch.setattr(processes, "run_isolated", here)

    return start


def of_candidate(side):
    return side["runner"] == "openvino"


def test_a_workload_that_memory_does_not_hold_is_not_measured_and_the_others_are(in_process, run):
    in_process(lambda side, runner: Spoiled(runner, lambda rows: of_candidate(side) and rows == 3))
    record = read_record(run("openvino"))
    assert (record.status, record.reason) == ("measured", None)
    assert record.workloads["b3"] == NotMeasured(reason=f"out of memory: {OUT}")
    assert isinstance(record.workloads["b1"], Workload)
    assert record.workloads["b1"].ratio.taken == "in turns"
    assert isinstance(record.accuracy, Accuracy)


def test_the_first_workload_may_be_the_one(in_process, run):
    in_process(lambda side, runner: Spoiled(runner, lambda rows: of_candidate(side) and rows == 1))
    record = read_record(run("openvino"))
    assert isinstance(record.workloads["b1"], NotMeasured)
    assert isinstance(record.workloads["b3"], Workload)
    assert record.cold_start.first_call_ms > 0


def test_where_every_workload_is_too_large_the_candidate_is_not_measured(in_process, run):
    in_process(lambda side, runner: Spoiled(runner, lambda rows: of_candidate(side)))
    record = read_record(run("openvino"))
    assert (record.status, record.reason) == ("not measured", f"out of memory: {OUT}")


def test_a_baseline_that_memory_does_not_hold_leaves_that_workload_without_a_ratio(in_process, run):
    in_process(lambda side, runner: Spoiled(runner, lambda rows: not of_candidate(side) and rows == 3))
    record = read_record(run("openvino"))
    assert record.workloads["b3"].ratio == NotMeasured(reason=f"the baseline could not be run: out of memory: {OUT}")
    assert record.workloads["b3"].timed_runs >= 12
    assert record.workloads["b1"].ratio.taken == "apart"
    assert OUT in record.workloads["b1"].ratio.why_apart


def test_answers_that_memory_does_not_hold_leave_the_latencies(in_process, run):
    in_process(lambda side, runner: Spoiled(runner, lambda rows: of_candidate(side) and rows == 4))
    record = read_record(run("openvino"))
    assert record.accuracy == NotMeasured(reason=f"out of memory: {OUT}")
    assert record.workloads["b3"].timed_runs >= 12


def test_callers_that_memory_does_not_hold_are_left_out_of_the_throughput(in_process, run, monkeypatch):
    in_process(lambda side, runner: runner)
    whole = alone._saturated

    def saturated(side, first, inputs, callers, duration_s):
        if callers == 2:
            raise RuntimeError(OUT)
        return whole(side, first, inputs, callers, duration_s)

    monkeypatch.setattr(alone, "_saturated", saturated)
    workload = read_record(run()).workloads["b1"]
    assert list(workload.throughput_samples_per_s) == ["1"]
    assert workload.throughput_left_out == {"2": OUT}


def test_another_error_is_none_of_memory_and_ends_the_measurement(in_process, run):
    class Broken(Spoiled):
        def infer(self, inputs):
            raise RuntimeError("a bug")

    in_process(lambda side, runner: Broken(runner, None))
    with pytest.raises(RuntimeError, match="a bug"):
        run()


def test_a_device_with_a_clock_has_the_median_of_its_times_in_the_record(in_process, run):
    class Clocked(Spoiled):
        def device_time_ms(self, inputs):
            return float(np.ptp(inputs["input_ids"]) + 1)

    in_process(lambda side, runner: Clocked(runner, lambda rows: False))
    workload = read_record(run()).workloads["b1"]
    assert workload.device_time_ms >= 1
    assert workload.device_time_ms == round(workload.device_time_ms)
    assert workload.device_time_reason is None


def test_a_device_without_a_clock_says_so(run):
    workload = read_record(run()).workloads["b1"]
    assert (workload.device_time_ms, workload.device_time_reason) == (None, "the backend has no clock on a device")


def test_a_clock_that_fails_leaves_the_latency(in_process, run):
    from temper.errors import BackendError

    class Stopped(Spoiled):
        def device_time_ms(self, inputs):
            raise BackendError(asked="a", happened="no event", affected="c", fix="d")

    in_process(lambda side, runner: Stopped(runner, lambda rows: False))
    workload = read_record(run()).workloads["b1"]
    assert (workload.device_time_ms, workload.device_time_reason) == (None, "no event")
    assert workload.timed_runs > 0
