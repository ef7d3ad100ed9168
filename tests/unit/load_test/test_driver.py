"""The process of a load test from inside; test_loadgen.py has it from outside."""

import signal
import subprocess
import sys

import pytest

from temper.errors import ArtifactError, DataError, LoadTestError, Unavailable
from temper.load_test import driver
from tests.tiny_study import MAX_TOKENS, SEED
from tests.unit.load_test.rows import ONE, ROW

INTERRUPTED = """
import signal, time
from temper.load_test import driver

def load_test(request, folder):
    signal.raise_signal(signal.SIGINT)
    time.sleep(600)

driver.load_test = load_test
driver.main()
"""


@pytest.fixture
def request_of(tiny_study, tmp_path):
    """Makes what `run_load_test` sends."""
    return lambda artifact=tiny_study.fp32, gpus=0: {
        "row": ROW,
        "workload": ONE,
        "distinct_batches": 3,
        "seed": SEED,
        "asked": "load-test it",
        "loads": ROW["loads"],
        "backend": {"runner": "null", "version": "installed", "gpus": gpus, "options": {}},
        "library_version": "none",
        "artifact": str(artifact),
        "data_folder": str(tiny_study.data),
        "logs_folder": str(tmp_path),
    }


def test_an_altered_artifact_is_not_loaded(request_of, tiny_study, copy_of):
    copy = copy_of(tiny_study.fp32)
    (copy / "model.onnx").write_bytes(b"altered")
    with pytest.raises(ArtifactError, match="truncated or altered"):
        driver.answer(request_of(artifact=copy))


def test_rows_longer_than_the_model_takes_are_refused(request_of):
    request = {**request_of(), "workload": {"batch_size": 1, "sequence_length": MAX_TOKENS + 1}}
    with pytest.raises(DataError, match=f"takes {MAX_TOKENS}, fewer than data.max_tokens"):
        driver.answer(request)


def test_a_gpu_too_few_is_lacking(request_of):
    with pytest.raises(Unavailable) as caught:
        driver.answer(request_of(gpus=999))
    assert "the backend asks for 999" in caught.value.reason


@pytest.mark.parametrize(
    ("error", "happened"),
    [(RuntimeError("CUDA error 700"), "RuntimeError: CUDA error 700"), (SystemExit(1), "SystemExit: 1")],
)
def test_whatever_else_is_raised_becomes_an_error_with_four_parts(request_of, monkeypatch, capfd, error, happened):
    def fail(request, folder):
        raise error

    monkeypatch.setattr(driver, "load_test", fail)
    with pytest.raises(LoadTestError) as caught:
        driver.answer(request_of())
    assert (caught.value.asked, caught.value.happened) == ("load-test it", happened)
    assert "Traceback" in capfd.readouterr().err


def test_an_interrupt_ends_the_process_and_raises_nothing_inside_it():
    request = '{"asked": "load-test it", "logs_folder": ""}'
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, "1"], input=request, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (-signal.SIGINT, "")
