"""Which threads the process of a measurement has while its clock is read: a library's own for its options, none that reports."""

from pathlib import Path

import pytest

from temper.environment import own_process
from temper.measurement import isolated
from temper.measurement.isolated import run_isolated
from tests.tiny_study import SEED
from tests.unit.backends.test_runner import CPU
from tests.unit.measurement.test_measure import MEASUREMENT, WORKLOADS

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/task").exists(), reason="threads are listed where Linux lists them"
)

# that a library starts for one thread of work; the rest were there before: Python's, numpy's, those that read the rows
OWN_THREADS = {"null": 0, "onnxruntime": 0, "openvino": 2, "pytorch": 2}
OF_PYTHON = {"pytorch": ["MainThread", "tqdm_monitor"]}  # a progress bar's, of loading the checkpoint


@pytest.fixture
def timed(tiny_study, tmp_path, monkeypatch):
    """Times a backend in a process with nobody's home, and nothing of a build machine; what it tells of its threads."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    for name in ("CI", "JENKINS_URL", *own_process.ENVIRONMENT):
        monkeypatch.delenv(name, raising=False)

    def timed(runner):
        artifact, options = CPU[runner]
        folder = str(getattr(tiny_study, artifact))
        request = {
            "task": "series",
            "name": runner,
            "candidate": {"runner": runner, "artifact": folder, "options": options, "version": "installed"},
            "gpus": [],
            "batch_sizes": [],
            "wait_s": 0.0,
            "workloads": {"b1": WORKLOADS["b1"]},
            "measurement": MEASUREMENT,
            "seed": SEED,
            "data_folder": str(tiny_study.data),
        }
        return run_isolated(request, worker="threads_worker")

    return timed


def more(told):
    """Threads that were not there before the backend was opened."""
    return sum(told["timed"].values()) - sum(told["before"].values())


@pytest.mark.parametrize("runner", ["null", "onnxruntime", "openvino", pytest.param("pytorch", marks=pytest.mark.long)])
def test_a_timed_process_has_the_librarys_own_threads_and_none_that_reports(timed, runner):
    told = timed(runner)
    assert (told["of Python"], told["child processes"]) == (OF_PYTHON.get(runner, ["MainThread"]), 0)
    assert more(told) == OWN_THREADS[runner], told
    assert set(told["timed"]) <= {"python", "python3", "jemalloc_bg_thd"}, told


def test_without_the_words_for_no_a_reporting_thread_is_seen(timed, monkeypatch):
    """Else the test above tests nothing."""
    monkeypatch.setattr(isolated, "ENVIRONMENT", {})
    assert more(timed("onnxruntime")) == OWN_THREADS["onnxruntime"] + 1  # one of compiled code
    assert timed("openvino")["of Python"] == ["MainThread", "ThreadPoolExecutor-0_0"]  # openvino_telemetry's
