import copy
from types import SimpleNamespace

import pytest

from temper.measurement import conditions
from temper.measurement.conditions import around_timing, cpu_conditions, gpu_conditions, warnings

BEFORE = {
    "cpu": {"load_average_1min": 0.5, "governor": None, "affinity": [0, 1]},
    "gpus": [{"sm_clock_mhz": 1980, "temperature_celsius": 40, "throttle_reasons": []}],
}


def after(**gpu):
    changed = copy.deepcopy(BEFORE)
    changed["gpus"][0] |= gpu
    return changed


def test_nothing_that_moved_is_no_warning():
    assert warnings(BEFORE, after(sm_clock_mhz=1900, temperature_celsius=49), 2) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sm_clock_mhz": 1500}, "GPU 0: the SM clock went from 1980 to 1500 MHz"),
        ({"temperature_celsius": 55}, "GPU 0: the temperature rose from 40 to 55 °C"),
        ({"throttle_reasons": ["SwPowerCap"]}, "GPU 0: clocks were held back: SwPowerCap"),
    ],
)
def test_what_moved_is_said(changes, message):
    assert warnings(BEFORE, after(**changes), 2) == [message]


def test_a_busy_machine_is_said():
    busy = {**BEFORE, "cpu": {**BEFORE["cpu"], "load_average_1min": 3.5}}
    assert warnings(busy, BEFORE, 2) == [
        "the load average was 3.5 on 2 cores when it began: other processes were running"
    ]
    assert warnings(busy, BEFORE, 16) == []


def test_values_that_a_gpu_does_not_tell_are_not_compared():
    assert warnings(BEFORE, after(sm_clock_mhz="not told: Not Supported", throttle_reasons="not told"), 2) == []


def test_this_machine_tells_its_load_and_cores():
    found = cpu_conditions()
    assert found["load_average_1min"] >= 0
    assert found["affinity"]


def test_a_row_without_a_gpu_asks_none(monkeypatch):
    assert gpu_conditions([]) == []


def test_throttle_reasons_have_names_and_idling_is_none():
    nvml = SimpleNamespace(
        nvmlClocksEventReasonGpuIdle=1, nvmlClocksEventReasonSwPowerCap=4, nvmlClocksEventReasonHwSlowdown=8
    )
    assert conditions.throttle_names(nvml, 0b0101) == ["SwPowerCap"]
    assert conditions.throttle_names(nvml, 0b1101) == ["HwSlowdown", "SwPowerCap"]


@pytest.mark.parametrize(
    ("before", "later", "message"),
    [
        ({"compute_processes": 2}, {}, "GPU 0: 2 other process(es) computed on it when it began"),
        ({}, {"compute_processes": 1}, "GPU 0: 1 other process(es) computed on it when it ended"),
        (
            {"utilization_percent": 60},
            {},
            "GPU 0: it was busy for 60 % of the time when it began: it is shared",
        ),
    ],
)
def test_a_gpu_that_others_use_is_said(before, later, message):
    assert warnings({**BEFORE, "gpus": after(**before)["gpus"]}, after(**later), 2) == [message]


def test_a_gpu_that_nobody_uses_or_that_does_not_tell_is_no_warning():
    quiet = {"compute_processes": 0, "utilization_percent": 3}
    untold = {"compute_processes": "not told: Not Supported", "utilization_percent": None}
    for gpu in (quiet, untold):
        assert warnings({**BEFORE, "gpus": after(**gpu)["gpus"]}, after(**gpu), 2) == []


def test_a_measurements_own_processes_are_not_others():
    outside = [{"compute_processes": 0, "utilization_percent": 1, "sm_clock_mhz": 300}]
    beside = [{"compute_processes": 1, "utilization_percent": 90, "sm_clock_mhz": 1980}]
    assert around_timing(outside, beside) == [{"compute_processes": 0, "utilization_percent": 1, "sm_clock_mhz": 1980}]
    assert around_timing([{"not_measured": "NVML"}], beside)[0]["compute_processes"] is None
