"""MLPerf LoadGen, and a loaded runner as the system that answers its queries.

LoadGen calls into Python from C++: an exception that leaves a callback is a segmentation fault, and a query that is never
answered hangs the test. So whatever a runner raises is kept, every query is completed, and the error is raised after the
test. `infer` is called on the thread that loaded the runner, because the current device belongs to a thread in CUDA.
"""

import importlib
import math
import queue
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from temper.artifacts.signature import Tensors
from temper.backends.runner import Runner
from temper.environment.library import Library, installed_version
from temper.errors import LibraryError
from temper.load_test.summary import RunSummary, logged_errors, parse_summary
from temper.measurement.garbage import no_garbage_collection
from temper.measurement.watch import Watch
from temper.study.sections.load_tests import LoadTestRow

LIBRARY = Library("mlperf_loadgen", ("mlcommons-loadgen",), "MLPerf LoadGen")
TEST_SCENARIOS = {"single_stream": "SingleStream", "offline": "Offline", "server": "Server"}  # LoadGen's names
PILOT_S = 0.2  # of a run that only tells the next one what rate to expect


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
        asked=f"use {package}", happened=happened, affected="load tests only", fix=f"make setup, or reinstall {package}"
    )


Issue = Callable[[Any], None]  # LoadGen's callback: takes the samples of a query


class System(Protocol):
    """What answers LoadGen's queries.

    Attributes:
        failure: the first that went wrong; every later sample is completed without an answer.
        samples: how many were completed.
    """

    failure: BaseException | None
    samples: int

    def run(self, start_test: Callable[[Issue], None]) -> None:
        """Run a test, and answer its queries until it ends.

        Args:
            start_test: runs the test and calls what it is given with each query's samples.
        """
        ...


class SystemUnderTest:
    """Answers LoadGen's queries with a runner, and remembers what went wrong. Attributes as of `System`."""

    def __init__(
        self, loadgen: Any, runner: Runner, library: Sequence[Tensors], batch_size: int, *, beside: bool = False
    ) -> None:
        """Answer with a loaded runner.

        Args:
            loadgen: the module.
            runner: answers.
            library: LoadGen's samples, each a batch of one.
            batch_size: rows of a call.
            beside: LoadGen goes on while a query is answered (Server), instead of waiting for it.
        """
        self._complete, self._response = loadgen.QuerySamplesComplete, loadgen.QuerySampleResponse
        self._runner, self._library, self._batch_size, self._beside = runner, library, batch_size, beside
        self.failure: BaseException | None = None
        self.samples = 0

    def run(self, start_test: Callable[[Issue], None]) -> None:
        if self._beside:
            _serve(start_test, self)
        else:
            start_test(self.answer)

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


def _serve(start_test: Callable[[Issue], None], system: SystemUnderTest) -> None:
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
    """LoadGen's runs on one system; `runs` keeps every one of them in order."""

    def __init__(
        self,
        row: LoadTestRow,
        open_system: Callable[[Any], System],
        library: int,
        batch_size: int,
        seed: int,
        folder: Path,
        watch: Watch,
    ) -> None:
        """Prepare.

        Args:
            row: the load test.
            open_system: makes what answers a run, of LoadGen's module.
            library: samples that LoadGen chooses from.
            batch_size: rows of a call: samples of a pilot.
            seed: of LoadGen's schedule and choice.
            folder: for LoadGen's logs.
            watch: sees what others take of the machine.
        """
        self._loadgen = import_loadgen()
        self._row, self._open_system, self._count, self._batch_size = row, open_system, library, batch_size
        self._seed, self._folder, self._watch = seed, folder, watch
        self.runs: list[Run] = []

    def run(self, rate_per_s: float, *, pilot: bool = False) -> Run:
        """One run of the row's scenario, made again where others took too much of the machine beside it.

        Args:
            rate_per_s: samples per second: what Server sends, and what the others are expected to reach.
            pilot: a short run that only tells what rate to expect.

        Raises:
            Exception: what the system's failure was.
            LoadTestError: LoadGen left no result.
            Busy: the machine was not quiet for as long as the watch waits.
        """
        self.runs.append(self._watch.taken(lambda: self._run(rate_per_s, pilot)))
        return self.runs[-1]

    def _run(self, rate_per_s: float, pilot: bool) -> Run:
        loadgen, row = self._loadgen, self._row
        system = self._open_system(loadgen)
        min_queries = self._batch_size if pilot else row.min_queries
        min_duration_s = min(PILOT_S, row.min_duration_s) if pilot else row.min_duration_s
        settings = _test_settings(loadgen, row, self._seed, rate_per_s, min_queries, min_duration_s)
        output, logs = loadgen.LogOutputSettings(), loadgen.LogSettings()
        output.outdir = tempfile.mkdtemp(dir=self._folder)
        output.copy_summary_to_stdout = False
        logs.log_output, logs.enable_trace = output, False
        samples = loadgen.ConstructQSL(self._count, self._count, lambda indices: None, lambda indices: None)

        def start_test(issue: Issue) -> None:
            under_test = loadgen.ConstructSUT(issue, lambda: None)
            try:  # no audit file: LoadGen would take one of that name from the working directory
                loadgen.StartTestWithLogSettings(under_test, samples, settings, logs, "")
            finally:
                loadgen.DestroySUT(under_test)

        try:
            with no_garbage_collection():
                system.run(start_test)
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
            "errors": logged_errors(detail),
        }
        print(
            f"{facts['scenario']}{' (pilot)' if pilot else ''}: {rate_per_s:.4g}/s asked, {facts['samples_per_s']}/s, "
            f"{facts['latency_percentiles_ms']} ms, {'VALID' if facts['valid'] else 'INVALID'} {facts['reasons'] or ''}",
            flush=True,
        )
        return Run(facts, text)
