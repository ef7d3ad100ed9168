import os
import subprocess
import sys
import time

import pytest

from temper.measurement import contention
from temper.measurement.contention import Processes, Reading, between, read_counters, waited_between


def reading(**changes):
    whole = {
        "clock_s": 10.0,
        "cores": 2,
        "busy_s": 8.0,
        "steal_s": 0.0,
        "own_s": 3.0,
        "waited_s": {"1": 1.0},
        "pressure_s": 2.0,
        "involuntary": 5,
    }
    return Reading(**{**whole, **changes})


def test_others_are_what_the_processors_did_beside_this_process():
    span = between(reading(), reading(clock_s=12.0, busy_s=11.0, own_s=5.0, steal_s=0.5, involuntary=9))
    assert (span.others_s, span.others_share, span.steal_s, span.involuntary) == (1.0, 0.25, 0.5, 4)


def test_a_processor_clock_that_lags_is_no_negative_share():
    assert between(reading(), reading(clock_s=10.1, own_s=3.2)).others_share == 0.0


def test_threads_that_are_new_count_and_threads_that_ended_do_not():
    assert waited_between({"1": 1.0, "2": 4.0}, {"1": 1.5, "3": 0.25}) == 0.75
    assert waited_between(None, {"1": 1.0}) is None


def test_what_a_platform_does_not_tell_is_none_and_no_source():
    bare = reading(steal_s=None, waited_s=None, pressure_s=None, involuntary=None)
    assert bare.sources == ["cpu_times"]
    span = between(bare, bare)
    assert (span.steal_s, span.waited_s, span.pressure_s, span.involuntary) == (None, None, None, None)


def test_files_that_are_absent_are_no_error(monkeypatch, tmp_path):
    monkeypatch.setattr(contention, "_TASKS", tmp_path / "task")
    monkeypatch.setattr(contention, "_PRESSURE", tmp_path / "cpu")
    found = read_counters()
    assert (found.waited_s, found.pressure_s) == (None, None)
    assert found.busy_s > 0


@pytest.mark.skipif(sys.platform != "linux", reason="the counters of Linux")
def test_this_machines_counters_see_another_process_and_name_it():
    name = "import time\nend = time.monotonic() + 20\nwhile time.monotonic() < end: pass"
    processes, before = Processes(), read_counters()
    with subprocess.Popen([sys.executable, "-c", name], start_new_session=True) as other:
        try:
            processes.look()
            time.sleep(0.6)
            span = between(before, read_counters())
            assert span.cores == len(os.sched_getaffinity(0))
            assert span.others_s > 0.1
            # a child of this process is none of the others
            assert f"process {other.pid})" not in (processes.look() or "")
        finally:
            other.kill()


def test_a_fixed_loop_takes_as_long_as_the_faster_of_two(monkeypatch):
    clock = iter([0, 500_000, 500_000, 600_000])
    monkeypatch.setattr(contention.time, "perf_counter_ns", lambda: next(clock))
    assert contention.fixed_loop_us() == 100.0
