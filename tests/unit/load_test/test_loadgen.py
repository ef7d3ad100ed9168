import json
import os
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from temper.data.encoded import write_split_manifest
from temper.errors import BackendError, ConfigError, LoadTestError, NoMemoryError
from temper.load_test.generator import TEST_SCENARIOS
from temper.load_test.loadgen import run_load_test
from temper.load_test.search import MAX_RUNS
from temper.measurement import isolated
from tests.tiny_study import SEED, TEST_ROWS
from tests.unit.load_test.rows import BATCH, ONE, ROW, SERVER

pytest.importorskip("mlperf_loadgen", reason="MLPerf LoadGen is not installed (mlcommons-loadgen)")

DELAY_MS = 2.0
FIRST_CALLS = 160  # more than the calibration makes: the next ones are LoadGen's
# A backend of the subprocess only; what it does on which call is an option.
FAKE_BACKEND = """
import os, signal, threading, time
import numpy as np
from temper.backends.runner import Runner
from temper.errors import BackendError, Unavailable

PREDICTS = False

class FakeRunner(Runner):
    def __init__(self, options):
        self._options, self._calls, self._shapes, self._first = options, 0, set(), []

    def __enter__(self):
        if self._options["does"] == "lacks":
            raise Unavailable("no such device here")
        self._thread = threading.get_ident()
        return self

    def __exit__(self, *exc_info):
        pass

    def infer(self, inputs):
        assert threading.get_ident() == self._thread, "infer is called on another thread"
        assert all(array.flags.c_contiguous for array in inputs.values())
        self._calls += 1
        self._shapes.add(inputs["input_ids"].shape)
        self._first = [*self._first, inputs["input_ids"].shape][:8]
        if self._calls > self._options["from_call"]:
            match self._options["does"]:
                case "refuses":
                    raise BackendError(asked="answer", happened="it broke", affected="this answer", fix="mend it")
                case "raises":
                    raise RuntimeError("CUDA error 700")
                case "hangs":
                    time.sleep(600)
                case "crashes":
                    os.kill(os.getpid(), signal.SIGSEGV)
                case "is killed":
                    os.kill(os.getpid(), signal.SIGKILL)
                case "needs memory":
                    raise BackendError(asked="answer", happened="out of memory", affected="this answer", fix="less of it")
        time.sleep(self._options["delay_ms"] / 1e3)
        return np.zeros((len(inputs["input_ids"]), 2), dtype=np.float32)

    def describe(self):
        return {"library": "fake", "shapes": sorted(self._shapes), "first_calls": self._first}

def open_runner(artifact, options, version):
    return FakeRunner(options)
"""
FAKE = {"does": "answers", "from_call": 0, "delay_ms": DELAY_MS}


@pytest.fixture
def run(tiny_study, tmp_path, monkeypatch):
    """Load-tests the fake backend (or another), which the subprocess finds beside temper's own."""
    folder = tmp_path / "backends"
    folder.mkdir()
    (folder / "fake.py").write_text(FAKE_BACKEND)
    (folder / "sitecustomize.py").write_text(
        f"import temper.backends\ntemper.backends.__path__.append({str(folder)!r})\n"
    )
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setenv("PYTHONPATH", str(folder))
    monkeypatch.setattr("tempfile.tempdir", str(scratch))

    def run(
        runner="fake",
        *,
        workload=ONE,
        gpus=0,
        options=None,
        fake=None,
        data_folder=tiny_study.data,
        busy_share=1.0,
        **changes,
    ):
        try:
            return run_load_test(
                row={**ROW, **changes},
                backend={
                    "runner": runner,
                    "version": "installed",
                    "gpus": gpus,
                    "options": {**FAKE, **(fake or {})} if options is None else options,
                },
                library_version="installed",
                workload=workload,
                distinct_batches=3,
                seed=SEED,
                artifact=str(tiny_study.fp32),
                data_folder=str(data_folder),
                quiet={"busy_share": busy_share, "quiet_wait_s": 0.0},
            )
        finally:
            assert list(scratch.iterdir()) == []  # LoadGen's logs are gone, however it ended

    return run


def test_single_stream_reports_the_latency_of_one_query_after_the_other(run):
    result = run()
    assert (result["status"], result["reason"], result["valid"]) == ("measured", None, True)
    facts = result["run"]
    assert (facts["scenario"], facts["valid"], facts["reasons"], facts["errors"]) == ("SingleStream", True, [], [])
    assert facts["min_duration_satisfied"]
    assert facts["min_queries_satisfied"]
    assert facts["early_stopping_satisfied"]
    assert facts["performance_constraints_satisfied"] is None
    assert set(facts["latency_percentiles_ms"]) == {"50", "90", "95", "97", "99", "99.9"}
    assert facts["latency_percentiles_ms"]["50"] >= DELAY_MS
    assert facts["early_stopping_estimates_ms"]["90"] >= facts["latency_percentiles_ms"]["90"]
    assert 0 < facts["samples_per_s"] < 1e3 / DELAY_MS
    assert facts["samples"] >= ROW["min_queries"]
    assert facts["samples"] >= ROW["min_duration_s"] * facts["samples_per_s"] * 0.9
    assert result["calibration"]["latency_p50_ms"] >= DELAY_MS
    assert "MLPerf Results Summary" in result["summary"]
    assert [entry["pilot"] for entry in result["runs"]][:2] == [True, False]
    assert result["attempts_ended"] == "long_enough"
    assert result["sample_library"]["samples"] == 3
    assert result["ran"]["shapes"] == [[1, 16]]
    json.dumps(result, allow_nan=False)


def test_offline_answers_samples_in_batches_of_the_workload(run):
    samples = 1001  # no multiple of the batch size, and more than min_duration_s asks for
    result = run(scenario="offline", min_queries=samples, workload=BATCH)
    facts = result["run"]
    assert (facts["scenario"], result["valid"]) == ("Offline", True)
    assert facts["samples"] == samples
    assert result["ran"]["shapes"] == [[4, 8]]  # also the last one, which LoadGen does not fill
    assert result["sample_library"]["samples"] == 3 * 4
    assert facts["min_duration_satisfied"]
    ceiling_per_s = 4e3 / DELAY_MS
    assert 0 < facts["samples_per_s"] < ceiling_per_s


def test_server_finds_the_highest_rate_within_the_bound(run):
    result = run(**SERVER)
    facts, rate = result["run"], result["rate_per_s"]
    assert (facts["scenario"], facts["valid"], result["valid"]) == ("Server", True, True)
    assert facts["rate_per_s"] == rate == max(entry["rate_per_s"] for entry in result["runs"] if entry["valid"])
    assert facts["latency_percentiles_ms"]["90"] <= 12.0
    assert rate < 1.1e3 / DELAY_MS
    assert result["search_ended"] in ("bracket", "runs")
    assert len(result["runs"]) <= MAX_RUNS
    invalid = [entry for entry in result["runs"] if not entry["valid"]]
    assert result["lowest_invalid_per_s"] == min(entry["rate_per_s"] for entry in invalid) > rate
    assert all(entry["reasons"] for entry in invalid)
    assert facts["performance_constraints_satisfied"] is True
    assert facts["scheduled_per_s"] == pytest.approx(rate, rel=0.4)  # Poisson arrivals, few of them


@pytest.fixture
def mixed_lengths(tiny_study, copy_of):
    """The prepared data, its test rows cut to 5, 6, 7 … tokens."""
    folder = copy_of(tiny_study.data)
    table = pq.read_table(folder / "test.parquet")
    for name in (spec.name for spec in tiny_study.signature.inputs):
        rows = [values[: 5 + number] for number, values in enumerate(table.column(name).to_pylist())]
        table = table.set_column(table.schema.get_field_index(name), name, pa.array(rows, pa.list_(pa.int64())))
    pq.write_table(table, folder / "test.parquet")
    write_split_manifest(folder, "test", max_tokens=64)
    return folder


def test_server_draws_single_sentences_of_real_lengths(run, mixed_lengths):
    result = run(**SERVER, workload={"batch_size": 1, "real_lengths": "arrival"}, data_folder=mixed_lengths)
    assert result["valid"], result["run"]["reasons"]
    assert result["sample_library"]["samples"] == TEST_ROWS  # every row of the test split
    shapes = [tuple(shape) for shape in result["ran"]["shapes"]]
    assert shapes == [(1, 8), (1, 16), (1, 24)]
    first_calls = [tuple(shape) for shape in result["ran"]["first_calls"]]
    assert sorted(first_calls[: len(shapes)]) == shapes  # each of them before LoadGen began
    assert result["run"]["latency_percentiles_ms"]["99"] >= DELAY_MS
    padding = result["sample_library"]["padding_share"]
    assert result["sample_library"]["computed_padding_share"] == pytest.approx(padding)
    assert 0 < padding < 0.6  # up to the next 8 tokens alone


def test_a_bound_below_the_runners_own_latency_is_told_after_one_run(run):
    result = run(**{**SERVER, "latency_bound_ms": 1.0})
    assert (result["valid"], result["rate_per_s"], result["search_ended"]) == (False, None, "latency_bound_ms")
    assert len(result["runs"]) == 1
    assert "performance constraints not satisfied" in result["run"]["reasons"]


@pytest.mark.parametrize(
    ("scenario", "workload"), [("single_stream", ONE), ("offline", BATCH), ("server", ONE)], ids=TEST_SCENARIOS
)
def test_the_null_backend_runs_in_every_scenario(run, scenario, workload):
    bound = SERVER if scenario == "server" else {"scenario": scenario}
    result = run("null", options={}, workload=workload, **bound)
    assert result["valid"], result["run"]["reasons"]
    assert result["ran"] == {"library": "none", "device": "cpu"}
    assert result["run"]["samples_per_s"] > 0
    assert result["loadgen_version"] != "not installed"


@pytest.mark.parametrize("scenario", TEST_SCENARIOS)
def test_the_runners_own_error_comes_out_with_its_four_parts(run, scenario):
    changes = SERVER if scenario == "server" else {"scenario": scenario}
    with pytest.raises(BackendError) as caught:
        run(fake={"does": "refuses", "from_call": FIRST_CALLS}, **changes)
    error = caught.value
    assert (error.asked, error.happened, error.affected, error.fix) == ("answer", "it broke", "this answer", "mend it")


def test_an_unforeseen_error_of_the_runner_is_named(run, capfd):
    with pytest.raises(LoadTestError) as caught:
        run(fake={"does": "raises", "from_call": FIRST_CALLS})
    assert (
        "load-test onnx/fp32 on tiny-backend in the scenario single_stream on the workload tiny-workload"
        in caught.value.asked
    )
    assert caught.value.happened == "RuntimeError: CUDA error 700"
    assert "log" in caught.value.fix
    assert "Traceback" in capfd.readouterr().out


def test_what_the_machine_lacks_is_not_measured(run, monkeypatch):
    result = run(fake={"does": "lacks"})
    assert (result["status"], result["reason"]) == ("not measured", "no such device here")
    monkeypatch.setenv("PATH", os.devnull)  # no nvidia-smi on it
    result = run(gpus=999)
    assert result["status"] == "not measured"
    assert "the backend asks for 999" in result["reason"]


def test_a_runner_that_hangs_is_killed_at_the_timeout(run):
    with pytest.raises(LoadTestError) as caught:
        run(fake={"does": "hangs", "from_call": FIRST_CALLS}, timeout_s=4.0)
    assert "within 4 s" in caught.value.asked
    assert "was killed" in caught.value.happened
    assert "calibrated" in caught.value.happened
    assert "timeout_s" in caught.value.fix


@pytest.mark.parametrize(("does", "name"), [("crashes", "SIGSEGV"), ("is killed", "SIGKILL")])
def test_a_crash_names_its_signal_and_its_last_output(run, does, name):
    with pytest.raises(LoadTestError) as caught:
        run(fake={"does": does, "from_call": FIRST_CALLS})
    assert f"the process that runs LoadGen ended with signal {name}; it last said: " in caught.value.happened
    assert "calibrated" in caught.value.happened
    assert caught.value.affected == "this load test only; nothing was written"
    assert "measure the candidate without load" in caught.value.fix


def test_what_the_systems_memory_killer_ended_is_memory_that_ran_out(run, monkeypatch):
    counts = iter([3, 4])
    monkeypatch.setattr(isolated, "memory_kills", lambda: next(counts))
    with pytest.raises(NoMemoryError, match="memory ran out: the system's memory killer ended the process") as caught:
        run(fake={"does": "is killed", "from_call": FIRST_CALLS})
    assert "fewer callers" in caught.value.fix


def test_a_runner_whose_memory_ran_out_says_so_itself(run):
    with pytest.raises(BackendError) as caught:
        run(fake={"does": "needs memory"})
    assert (caught.value.happened, caught.value.fix) == ("out of memory", "less of it")


def test_a_timeout_too_short_for_one_run_is_told_before_it(run):
    with pytest.raises(LoadTestError) as caught:
        run(min_queries=1_000_000, timeout_s=30.0)
    assert "1000000 queries" in caught.value.happened
    assert "timeout_s" in caught.value.fix


def test_a_query_is_one_sample_but_offline(run):
    with pytest.raises(ConfigError, match="batch_size is 4: a query is one sample"):
        run(workload=BATCH)
    with pytest.raises(ConfigError, match="differ in length"):
        run(scenario="offline", workload={"batch_size": 4, "real_lengths": "arrival"})


def test_a_machine_that_others_use_is_no_load_test_and_the_evidence_is_kept(run):
    burner = [sys.executable, "-c", "while True: pass"]
    with subprocess.Popen(burner, start_new_session=True) as other:
        try:
            found = run(busy_share=0.01)
        finally:
            other.kill()
    assert found["status"] == "not measured"
    assert found["reason"].startswith("the machine was busy: ")
    assert "cpu_times" in found["contention"]["sources"]
    assert "run" not in found
