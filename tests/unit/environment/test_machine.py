import json
import os
import platform

from temper.environment.machine import machine, timed_environment, versions, wait_without_spinning


def test_versions_are_those_installed_and_absent_distributions_are_left_out():
    import numpy

    assert versions("numpy", "no-such-thing") == {"python": platform.python_version(), "numpy": numpy.__version__}


def test_the_machine_is_described_without_its_name():
    facts = machine()
    assert facts["cpu"]
    assert facts["cores_usable"] >= 1
    assert platform.node() not in json.dumps(facts)


def test_threads_sleep_where_they_wait_except_where_something_is_timed(monkeypatch):
    monkeypatch.setenv("OMP_WAIT_POLICY", "")  # so that both are put back after
    monkeypatch.setenv("TEMPER_SET_OMP_WAIT_POLICY", "")
    for name in ("OMP_WAIT_POLICY", "TEMPER_SET_OMP_WAIT_POLICY"):
        monkeypatch.delenv(name)
    wait_without_spinning()
    assert os.environ["OMP_WAIT_POLICY"] == "PASSIVE"
    assert "OMP_WAIT_POLICY" not in timed_environment()
    wait_without_spinning()  # a job's own reading of the workflow
    assert "OMP_WAIT_POLICY" not in timed_environment()


def test_what_the_user_says_of_waiting_holds_everywhere(monkeypatch):
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    wait_without_spinning()
    assert os.environ["OMP_WAIT_POLICY"] == timed_environment()["OMP_WAIT_POLICY"] == "ACTIVE"
