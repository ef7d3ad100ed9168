"""The subprocess side of a load test: `python -m temper.load_test.driver REQUEST.json RESULT.json`.

LoadGen calls into Python from C++: an exception that leaves a callback is a segmentation fault, and a query that is never
answered hangs the test. So whatever a runner raises is kept, every query is completed, and the error is raised after the
test. `infer` is called on the thread that loaded the runner, because the current device belongs to a thread in CUDA.
"""

import contextlib
import ctypes
import gc
import importlib
import json
import math
import os
import queue
import re
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from temper import plugins
from temper.artifact import canonical_json, read_manifest, write_text
from temper.backends.runner import Runner
from temper.data.encoded import read_split
from temper.devices import nvidia_gpus
from temper.errors import LibraryError, LoadTestError, PipelineError, Unavailable
from temper.library import Library, installed_version
from temper.load_test.options import LoadTestRow
from temper.measurement.latency import time_inference
from temper.measurement.timed_inputs import TimedInputs, timed_inputs
from temper.signature import Signature, Tensors

LIBRARY = Library("mlperf_loadgen", ("mlcommons-loadgen",), "MLPerf LoadGen")
TEST_SCENARIOS = {"single_stream": "SingleStream", "offline": "Offline", "server": "Server"}  # LoadGen's names

CALIBRATION_S = 0.3  # of timed calls, from which the first expected rate comes
CALIBRATION_MIN_CALLS, CALIBRATION_MAX_CALLS = 5, 5000
PILOT_S = 0.2  # of a run that only tells the next one what rate to expect
EXPECTED_RATE_MARGIN = 1.1  # too low an expected rate makes a run too short, and so INVALID; too high only lengthens it
MAX_ATTEMPTS = 3  # runs until one lasts long enough
QUERY_COST_S, HAND_OFF_COST_S = 5e-6, 30e-6  # LoadGen's own, with the answer in the callback or on another thread

START_SHARE = 0.75  # of the single-thread service rate: where the search for the highest rate begins
GROWTH = 1.25  # while no rate was too high
BRACKET = 0.05  # the search ends when the lowest INVALID rate is at most this much above the highest VALID one
MAX_RUNS = 8
TIMEOUT_SHARE = 0.9  # of the timeout that the search may use: what it has found must still be written

_KINDS = {"checkpoint": "checkpoint", "onnx": "onnx", "engines": "engine"}  # of a manifest, by what a candidate loads
_SPOILED = "this load test only; nothing was written"
_ERROR_PARTS = ("asked", "happened", "spoiled", "fix")

RunSummary = dict[str, Any]
Verdict = Literal["valid", "invalid", "hopeless"]


def import_loadgen() -> Any:
    """The module `mlperf_loadgen`.

    Raises:
        LibraryError: it is not installed, or cannot be imported.
    """
    package = LIBRARY.distributions[0]
    happened = "it is not installed in this environment"
    if installed_version(LIBRARY) is not None:
        try:  # one shared object beside its metadata, not a package: `import_library` could not tell its version
            return importlib.import_module(LIBRARY.module)
        except (ImportError, OSError) as error:
            happened = f"{type(error).__name__}: {error}"
    raise LibraryError(
        asked=f"use {package}", happened=happened, spoiled="load tests only", fix=f"make setup, or reinstall {package}"
    )


class SystemUnderTest:
    """Answers LoadGen's queries with a runner, and remembers what went wrong.

    Attributes:
        failure: the first exception of the runner; every later sample is completed without it.
        samples: how many were completed.
    """

    def __init__(self, loadgen: Any, runner: Runner, library: Sequence[Tensors], batch_size: int) -> None:
        self._complete, self._response = loadgen.QuerySamplesComplete, loadgen.QuerySampleResponse
        self._runner, self._library, self._batch_size = runner, library, batch_size
        self.failure: BaseException | None = None
        self.samples = 0

    def _assemble(self, chosen: Sequence[Any]) -> Tensors:
        """The inputs of a call: always `batch_size` rows, the last one repeated where LoadGen asked for fewer."""
        if self._batch_size == 1:
            index: int = chosen[0].index
            return self._library[index]
        rows = [self._library[sample.index] for sample in chosen]
        rows += rows[-1:] * (self._batch_size - len(rows))
        return {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}

    def answer(self, samples: Sequence[Any]) -> None:
        """Answer LoadGen's samples, a batch at a time. Never raises: it is called from C++."""
        size = self._batch_size
        for start in range(0, len(samples), size):
            chosen = samples[start : start + size]
            if self.failure is None:
                try:
                    self._runner.infer(self._assemble(chosen))
                except BaseException as error:
                    self.failure = error
            self._complete([self._response(sample.id, 0, 0) for sample in chosen])
            self.samples += len(chosen)


def _test_settings(
    loadgen: Any, row: LoadTestRow, seed: int, rate_per_s: float, min_queries: int, min_duration_s: float
) -> Any:
    """LoadGen's settings, each set directly: the first `FromConfig` of a process would bring in ten minutes."""
    settings = loadgen.TestSettings()
    settings.scenario = getattr(loadgen.TestScenario, TEST_SCENARIOS[row.scenario])
    settings.mode = loadgen.TestMode.PerformanceOnly
    settings.min_query_count, settings.min_duration_ms = min_queries, math.ceil(min_duration_s * 1e3)
    settings.qsl_rng_seed = settings.sample_index_rng_seed = settings.schedule_rng_seed = seed
    settings.single_stream_expected_latency_ns = max(int(1e9 / rate_per_s), 1)
    settings.offline_expected_qps = settings.server_target_qps = rate_per_s
    if row.latency_bound_ms is not None and row.latency_percentile is not None:
        settings.server_target_latency_ns = round(row.latency_bound_ms * 1e6)
        settings.server_target_latency_percentile = row.latency_percentile / 100
    return settings


@contextlib.contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """It would fall on whichever query happens to be running."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _serve(start_test: Callable[[Any], None], system: SystemUnderTest) -> None:
    """Run the test on a thread of its own, its queries answered one after the other by this one."""
    waiting: queue.SimpleQueue[Any] = queue.SimpleQueue()
    failures: list[Exception] = []

    def test() -> None:
        try:
            start_test(waiting.put)
        except Exception as error:
            failures.append(error)
        finally:
            waiting.put(None)

    thread = threading.Thread(target=test)
    thread.start()
    while (samples := waiting.get()) is not None:
        system.answer(samples)
    thread.join()
    if failures:
        raise failures[0]


def _summary_number(text: str, label: str) -> float | None:
    """The number after 'label :' in LoadGen's summary; None where it has no such line."""
    found = re.search(rf"^\s*{label}\s*:\s*([-+.e\d]+)\s*$", text, re.MULTILINE)
    return float(found[1]) if found else None


def _satisfied(text: str, what: str) -> bool | None:
    """A 'satisfied' line of LoadGen's summary: 'Skipped' is no (fewer queries than asked); None where it is absent."""
    found = re.search(rf"^\s*{what} satisfied\s*:\s*(\w+)", text, re.MULTILINE)
    return found[1] == "Yes" if found else None


def _bullets(text: str, heading: str) -> list[str]:
    """The points below a heading of LoadGen's summary, each in one line."""
    found = re.search(rf"^{heading}:\n((?: .*\n|\n(?= \*))*)", text, re.MULTILINE)
    return (
        [" ".join(point.split()) for point in re.split(r"^ \*", found[1], flags=re.MULTILINE) if point.strip()]
        if found
        else []
    )


def parse_summary(text: str) -> RunSummary:
    """LoadGen's summary as JSON.

    Args:
        text: mlperf_log_summary.txt of a run.

    Returns:
        valid: LoadGen's word; reasons: why not, empty where it is; scenario: as LoadGen writes it;
        min_duration_satisfied, min_queries_satisfied, early_stopping_satisfied, and performance_constraints_satisfied
        (None but for Server); early_stopping: its lines; early_stopping_estimates_ms: by percentile (SingleStream);
        samples_per_s: completed samples over time; scheduled_per_s (None but for Server);
        latency_percentiles_ms, latency_min_ms, latency_mean_ms, latency_max_ms: of samples.

    Raises:
        LoadTestError: the text holds no result.
    """
    result = re.search(r"^Result is\s*:\s*(\w+)", text, re.MULTILINE)
    scenario = re.search(r"^Scenario\s*:\s*(\w+)", text, re.MULTILINE)
    if result is None or scenario is None:
        raise LoadTestError(
            asked="read LoadGen's summary",
            happened=f"it holds no result: {' '.join(text.split())[:300] or 'it is empty'}",
            spoiled=_SPOILED,
            fix="this log may say why; run the load test again",
        )
    checks = {
        "min_duration_satisfied": _satisfied(text, "Min duration"),
        "min_queries_satisfied": _satisfied(text, "Min queries"),
        "performance_constraints_satisfied": _satisfied(text, "Performance constraints"),
        "early_stopping_satisfied": _satisfied(text, "Early stopping"),
    }
    valid = result[1] == "VALID"
    early_stopping = _bullets(text, "Early Stopping Result")
    not_met = [
        f"{check.removesuffix('_satisfied').replace('_', ' ')} not satisfied"
        for check in checks
        if checks[check] is False
    ]
    advice = _bullets(text, "Recommendations")
    if checks["early_stopping_satisfied"] is False:
        advice += [f"Early stopping: {line}" for line in early_stopping]
    per_s = [
        _summary_number(text, label)
        for label in ("Samples per second", "Completed samples per second", r"QPS w/ loadgen overhead")
    ]
    latencies = {name: _summary_number(text, rf"{name.capitalize()} latency \(ns\)") for name in ("min", "mean", "max")}
    percentiles = re.findall(r"^([\d.]+) percentile latency \(ns\)\s*:\s*(\d+)", text, re.MULTILINE)
    estimates = re.findall(r"Early stopping ([\d.]+)th percentile estimate: (\d+)", text)
    return {
        "valid": valid,
        "reasons": [] if valid else [*not_met, *advice],
        "scenario": scenario[1],
        **checks,
        "early_stopping": early_stopping,
        "early_stopping_estimates_ms": {f"{float(at):g}": int(latency) / 1e6 for at, latency in estimates},
        "samples_per_s": next((number for number in per_s if number is not None), None),
        "scheduled_per_s": _summary_number(text, "Scheduled samples per second"),
        "latency_percentiles_ms": {f"{float(at):g}": int(latency) / 1e6 for at, latency in percentiles},
        **{f"latency_{name}_ms": None if value is None else value / 1e6 for name, value in latencies.items()},
    }


def _logged_errors(detail: str) -> list[str]:
    """What LoadGen's detailed log calls an error, in its words."""
    found = []
    for line in detail.splitlines():
        if '"is_error": true' in line:
            with contextlib.suppress(ValueError, KeyError):
                found.append(str(json.loads(line.partition(" ")[2])["value"]))
    return found


@dataclass(frozen=True)
class Run:
    """One LoadGen run.

    Attributes:
        facts: as `parse_summary`, with rate_per_s (expected or, in Server, asked), pilot, samples and errors.
        text: LoadGen's own summary.
    """

    facts: RunSummary
    text: str


class LoadTest:
    """LoadGen's runs on one loaded runner; `runs` keeps every one of them in order."""

    def __init__(
        self, row: LoadTestRow, runner: Runner, library: Sequence[Tensors], batch_size: int, seed: int, folder: Path
    ) -> None:
        self._loadgen = import_loadgen()
        self._row, self._runner, self._library, self._batch_size = row, runner, library, batch_size
        self._seed, self._folder = seed, folder
        self.runs: list[Run] = []

    def run(self, rate_per_s: float, *, pilot: bool = False) -> Run:
        """One run of the row's scenario.

        Args:
            rate_per_s: samples per second: what Server sends, and what the others are expected to reach.
            pilot: a short run that only tells what rate to expect.

        Raises:
            Exception: what the runner raised.
            LoadTestError: LoadGen left no result.
        """
        loadgen, row = self._loadgen, self._row
        system = SystemUnderTest(loadgen, self._runner, self._library, self._batch_size)
        min_queries = self._batch_size if pilot else row.min_queries
        min_duration_s = min(PILOT_S, row.min_duration_s) if pilot else row.min_duration_s
        settings = _test_settings(loadgen, row, self._seed, rate_per_s, min_queries, min_duration_s)
        output, logs = loadgen.LogOutputSettings(), loadgen.LogSettings()
        output.outdir = tempfile.mkdtemp(dir=self._folder)
        output.copy_summary_to_stdout = False
        logs.log_output, logs.enable_trace = output, False
        count = len(self._library)
        samples = loadgen.ConstructQSL(count, count, lambda indices: None, lambda indices: None)

        def start_test(issue: Callable[[Any], None]) -> None:
            under_test = loadgen.ConstructSUT(issue, lambda: None)
            try:  # no audit file: LoadGen would take one of that name from the working directory
                loadgen.StartTestWithLogSettings(under_test, samples, settings, logs, "")
            finally:
                loadgen.DestroySUT(under_test)

        try:
            with _no_garbage_collection():
                if row.scenario == "server":
                    _serve(start_test, system)
                else:
                    start_test(system.answer)
        finally:
            loadgen.DestroyQSL(samples)
        if system.failure is not None:
            raise system.failure
        text, detail = (
            (Path(output.outdir) / f"mlperf_log_{log}.txt").read_text(encoding="utf-8") for log in ("summary", "detail")
        )
        facts = {
            "rate_per_s": rate_per_s,
            "pilot": pilot,
            "samples": system.samples,
            **parse_summary(text),
            "errors": _logged_errors(detail),
        }
        print(
            f"{facts['scenario']}{' (pilot)' if pilot else ''}: {rate_per_s:.4g}/s asked, {facts['samples_per_s']}/s, "
            f"{facts['latency_percentiles_ms']} ms, {'VALID' if facts['valid'] else 'INVALID'} {facts['reasons'] or ''}",
            flush=True,
        )
        self.runs.append(Run(facts, text))
        return self.runs[-1]


@dataclass(frozen=True)
class RateSearch:
    """What the search for the highest VALID rate found.

    Attributes:
        rate_per_s: the highest VALID rate; None where no run was.
        lowest_invalid_per_s: the lowest rate above it that was INVALID; None where none was.
        ended: why it ended: 'bracket', 'runs', 'timeout_s' or 'latency_bound_ms' (no query at all was within it).
    """

    rate_per_s: float | None
    lowest_invalid_per_s: float | None
    ended: Literal["bracket", "runs", "timeout_s", "latency_bound_ms"]


def search_rate(judge: Callable[[float], Verdict], start_per_s: float, fits: Callable[[float], bool]) -> RateSearch:
    """Bracket and bisect the highest VALID rate: at most MAX_RUNS runs, until the bracket is BRACKET wide.

    Args:
        judge: makes a run at a rate and says how it ended; 'hopeless' where no lower rate can be VALID.
        start_per_s: the first rate.
        fits: whether a run at a rate would end in time.
    """
    valid, invalid, rate = None, None, start_per_s
    for _ in range(MAX_RUNS):
        if not fits(rate):
            return RateSearch(valid, invalid, "timeout_s")
        verdict = judge(rate)
        if verdict == "hopeless":
            return RateSearch(valid, rate, "latency_bound_ms")
        if verdict == "valid":
            valid = rate
        else:
            invalid = rate
        if valid is None:
            rate = rate / 2
        elif invalid is None:
            rate = rate * GROWTH
        elif invalid - valid <= BRACKET * valid:
            return RateSearch(valid, invalid, "bracket")
        else:
            rate = (valid + invalid) / 2
    return RateSearch(valid, invalid, "runs")


def _calibrate(runner: Runner, inputs: TimedInputs) -> dict[str, Any]:
    """Timed calls, one after the other: the rate that one caller can reach without LoadGen."""
    timing = time_inference(
        runner,
        inputs.batches,
        warmup_runs=min(len(inputs.batches), CALIBRATION_MIN_CALLS),
        min_timed_runs=CALIBRATION_MIN_CALLS,
        max_timed_runs=CALIBRATION_MAX_CALLS,
        min_duration_s=CALIBRATION_S,
        clock_ns=time.perf_counter_ns,
    )
    return {
        "calls": len(timing.latencies_ns),
        "latency_p50_ms": timing.percentile_ms(50),
        "latency_mean_ms": timing.mean_ms,
    }


def _check_time(row: LoadTestRow, rate_per_s: float, time_left_s: float) -> None:
    """Raise LoadTestError where not even one run could end in time."""
    run_s = max(row.min_duration_s, row.min_queries / rate_per_s)
    if run_s > time_left_s:
        raise LoadTestError(
            asked=f"load-test {row.loads} on {row.backend} in the scenario {row.scenario} within {row.timeout_s:g} s",
            happened=f"a run of {row.min_queries} queries and {row.min_duration_s:g} s takes {run_s:.1f} s at "
            f"{rate_per_s:.4g} queries/s, and {max(time_left_s, 0):.1f} s are left",
            spoiled=_SPOILED,
            fix="raise timeout_s, or lower min_queries or min_duration_s",
        )


def _expected_rate(test: LoadTest, rate_per_s: float) -> dict[str, Any]:
    """SingleStream and Offline: a pilot, then a run with the rate it reached, again where that run ended too early."""
    last = test.run(rate_per_s, pilot=True)
    for _ in range(MAX_ATTEMPTS):
        last = test.run(last.facts["samples_per_s"] * EXPECTED_RATE_MARGIN)
        if last.facts["min_duration_satisfied"]:
            break
    return {"run": last.facts, "summary": last.text}


def _highest_rate(test: LoadTest, row: LoadTestRow, rate_per_s: float, deadline_s: float) -> dict[str, Any]:
    """Server: the highest rate whose run is VALID."""
    judged: dict[float, Run] = {}

    def fits(rate: float) -> bool:
        queries = max(row.min_queries, rate * row.min_duration_s)
        return not judged or time.monotonic() + queries / min(rate, rate_per_s) < deadline_s

    def judge(rate: float) -> Verdict:
        judged[rate] = run = test.run(rate)
        if run.facts["valid"]:
            return "valid"
        return "hopeless" if run.facts["latency_min_ms"] > row.latency_bound_ms else "invalid"

    start = START_SHARE * rate_per_s
    _check_time(row, start, deadline_s - time.monotonic())
    found = search_rate(judge, start, fits)
    reported = judged[found.rate_per_s] if found.rate_per_s is not None else judged[min(judged)]
    return {
        "run": reported.facts,
        "summary": reported.text,
        "rate_per_s": found.rate_per_s,
        "lowest_invalid_per_s": found.lowest_invalid_per_s,
        "search_ended": found.ended,
    }


def _samples(inputs: TimedInputs, batch_size: int) -> list[Tensors]:
    """LoadGen's sample library: every row of the inputs as a batch of one."""
    if batch_size == 1:
        return list(inputs.batches)
    return [
        {name: array[row : row + 1] for name, array in batch.items()}
        for batch, count in zip(inputs.batches, inputs.samples, strict=True)
        for row in range(count)
    ]


def load_test(request: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Load a runner and run LoadGen on it, in this process.

    Args:
        request: what `temper.load_test.loadgen.run_load_test` writes.
        folder: for LoadGen's logs.

    Returns:
        The measured part of `run_load_test`'s result.

    Raises:
        Unavailable: this machine lacks what the backend needs.
        ArtifactError: the artifact or the test split is not what its manifest says.
        PipelineError: the runner's own.
        LoadTestError: timeout_s is too short for a single run, or LoadGen left no result.
    """
    deadline_s = time.monotonic() + TIMEOUT_SHARE * request["row"]["timeout_s"]
    row, backend = LoadTestRow.model_validate(request["row"]), request["backend"]
    kind = _KINDS[request["loads"].partition("/")[0]]
    manifest = read_manifest(Path(request["artifact"]) / f"{kind}.json", kind=kind)
    data = Path(request["data_folder"])
    read_manifest(data / "data_card.json", kind="data", verify=["test.parquet", "signature.json"])
    gpus = len(nvidia_gpus()) if backend["gpus"] else 0
    if backend["gpus"] > gpus:
        have = f"this machine has {gpus or 'none'}"
        raise Unavailable(f"no NVIDIA GPU: the backend asks for {backend['gpus']}, {have}")
    signature = Signature.model_validate_json((data / "signature.json").read_text(encoding="utf-8"))
    split = read_split(data / "test.parquet", signature)
    workload, batch_size = request["workload"], request["workload"]["batch_size"]
    inputs = timed_inputs(
        split, signature, workload, distinct_batches=request["distinct_batches"], seed=request["seed"]
    )
    library = _samples(inputs, batch_size)
    module = plugins.load("backends", backend["runner"])
    runner: Runner = module.open_runner(request["artifact"], backend["options"], request["library_version"])
    with runner as loaded:
        calibration = _calibrate(loaded, inputs)
        test = LoadTest(row, loaded, library, batch_size, request["seed"], folder)
        mean_s = calibration["latency_mean_ms"] / 1e3
        cost_s = HAND_OFF_COST_S if row.scenario == "server" else QUERY_COST_S
        rate_per_s = batch_size / (mean_s + cost_s)
        print(f"calibrated: {calibration}, {rate_per_s:.4g} samples/s expected", flush=True)
        if row.scenario == "server":
            found = _highest_rate(test, row, rate_per_s, deadline_s)
        else:
            _check_time(row, rate_per_s, deadline_s - time.monotonic())
            found = _expected_rate(test, rate_per_s)
        ran = loaded.describe()
    return {
        "valid": found["run"]["valid"],
        **found,
        "runs": [run.facts for run in test.runs],
        "calibration": {**calibration, "service_rate_per_s": rate_per_s},
        "sample_library": {
            "samples": len(library),
            "inputs_sha256": inputs.sha256,
            "padding_share": inputs.padding_share,
        },
        "files_sha256": {name: facts["sha256"] for name, facts in manifest["files"].items()},
        "ran": ran,
        "loadgen_version": installed_version(LIBRARY),
    }


def answered(task: Callable[[], dict[str, Any]], asked: str) -> dict[str, Any]:
    """What the subprocess writes: the result with its status, or the error in a form that the parent raises again.

    Args:
        task: the load test.
        asked: in words, for an error that is none of ours.
    """
    try:
        return {"status": "measured", "reason": None, **task()}
    except Unavailable as lacking:
        return {"status": "not measured", "reason": lacking.reason}
    except PipelineError as error:
        return {
            "status": "failed",
            "kind": type(error).__name__,
            "error": {part: getattr(error, part) for part in _ERROR_PARTS},
        }
    except BaseException as error:  # also what a runner means to end the process with
        traceback.print_exc()
        happened = f"{type(error).__name__}: {str(error).strip()[:600]}"
        fix = "the traceback stands in this job's log; measure the candidate without load to see whether it answers at all"
        parts = {"asked": asked, "happened": happened, "spoiled": _SPOILED, "fix": fix}
        return {"status": "failed", "kind": LoadTestError.__name__, "error": parts}


def _die_with_parent() -> None:
    """A load test must not go on after the job that asked for it was killed (Linux; elsewhere it ends by itself)."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def main(request_file: str, result_file: str) -> None:
    """Read a request, make the load test, write its result.

    Args:
        request_file: JSON that `temper.load_test.loadgen.run_load_test` wrote.
        result_file: where the result goes; LoadGen's logs go beside it.
    """
    _die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # KeyboardInterrupt inside a callback would be a segmentation fault
    request = json.loads(Path(request_file).read_text(encoding="utf-8"))
    folder = Path(result_file).parent
    write_text(result_file, canonical_json(answered(lambda: load_test(request, folder), request["asked"])))


if __name__ == "__main__":
    main(*sys.argv[1:])
    sys.stdout.flush()
    os._exit(0)  # some libraries crash or hang while they are torn down, with the result already written
