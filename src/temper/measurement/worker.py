"""What a measurement's own processes do: `python -m temper.measurement.worker FD`, a task as JSON on standard input.

alone     one artifact, nothing beside it: cold start, memory, median latency, saturated throughput, what was executed
together  candidate and baseline in turns, then the candidate's predictions
series    one artifact timed in a row, where the two cannot be loaded together; then its predictions
"""

import contextlib
import resource
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from temper import plugins
from temper.backends.opening import open_artifact, trace_artifact
from temper.backends.runner import Runner
from temper.data.encoded import Split, read_split
from temper.errors import Unavailable
from temper.library import import_library
from temper.measurement.accuracy import predict
from temper.measurement.alternation import Stopping, time_in_turns
from temper.measurement.conditions import gpu_conditions
from temper.measurement.isolated import answer_request
from temper.measurement.latency import time_call, time_inference
from temper.measurement.timed_inputs import TimedInputs, has_real_lengths, timed_inputs
from temper.signature import Signature

_MIB = 1024 * 1024
_TRACED_BATCHES = 3


def _peak_rss_mib() -> float:
    """Peak resident set of this process so far, in MiB."""
    try:  # on Linux ru_maxrss begins with the parent's, also after exec
        status = Path("/proc/self/status").read_text(encoding="utf-8")
        return round(int(status.partition("VmHWM:")[2].split()[0]) / 1024, 1)
    except (OSError, IndexError):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return round(peak / (_MIB if sys.platform == "darwin" else 1024), 1)


def _open(side: Mapping[str, Any]) -> Runner:
    return open_artifact(side["runner"], side["artifact"], side["options"], side["version"])


def _data(request: Mapping[str, Any]) -> tuple[Split, Signature]:
    folder = Path(request["data_folder"])
    signature = Signature.model_validate_json((folder / "signature.json").read_text(encoding="utf-8"))
    return read_split(folder / "test.parquet", signature), signature


def _inputs(request: Mapping[str, Any], split: Split, signature: Signature) -> Iterator[tuple[str, TimedInputs]]:
    for name, workload in request["workloads"].items():
        yield (
            name,
            timed_inputs(
                split,
                signature,
                workload,
                distinct_batches=request["measurement"]["distinct_batches"],
                seed=request["seed"],
            ),
        )


class _GpuMemory:
    """The most memory in use on the first of these GPUs while it is watched, above what was before; sampled."""

    def __init__(self, gpus: Sequence[int]) -> None:
        self._gpus, self.reason = gpus, "the backend asks for no GPU"
        self.peak_mib: float | None = None
        self._done = threading.Event()

    def __enter__(self) -> "_GpuMemory":
        if not self._gpus:
            return self
        try:
            import pynvml

            pynvml.nvmlInit()
            handle = pynvml.nvmlDeviceGetHandleByIndex(self._gpus[0])
            before = pynvml.nvmlDeviceGetMemoryInfo(handle).used
        except Exception as error:  # the library is absent, or the driver does not answer
            self.reason = f"NVML: {type(error).__name__}: {error}"
            return self
        self.peak_mib, self.reason = 0.0, ""

        def watch() -> None:
            while not self._done.is_set():
                used = pynvml.nvmlDeviceGetMemoryInfo(handle).used - before
                self.peak_mib = max(self.peak_mib or 0.0, round(used / _MIB, 1))
                self._done.wait(0.01)

        self._thread = threading.Thread(target=watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._done.set()
        if self.peak_mib is not None:
            self._thread.join()


def _calls_until(stop: threading.Event, runner: Runner, inputs: TimedInputs, first: int, step: int) -> int:
    """Call without a pause until it is told to stop; return how many samples were answered."""
    answered, at = 0, first
    while not stop.is_set():
        position = at % len(inputs.batches)
        runner.infer(inputs.batches[position])
        answered += inputs.samples[position]
        at += step
    return answered


def _warm_shapes(runner: Runner, inputs: TimedInputs) -> None:
    """Call each shape once: some runtimes compile for a shape when they first see it."""
    seen = set()
    for batch in inputs.batches:
        shape = tuple((name, array.shape) for name, array in sorted(batch.items()))
        if shape not in seen:
            seen.add(shape)
            runner.infer(batch)


def _saturated(side: Mapping[str, Any], first: Runner, inputs: TimedInputs, callers: int, duration_s: float) -> float:
    """Samples per second while `callers` threads, each with a loading of its own, call without a pause.

    A single caller is this thread: some libraries keep a pool of threads for each thread that calls them.
    """
    stop = threading.Event()
    with contextlib.ExitStack() as opened:
        runners = [first, *(opened.enter_context(_open(side)) for _ in range(callers - 1))]
        for runner in runners:
            runner.infer(inputs.batches[0])
        timer = threading.Timer(duration_s, stop.set)
        with ThreadPoolExecutor(callers) as pool:
            began = time.perf_counter_ns()
            timer.start()
            if callers == 1:
                answered = _calls_until(stop, first, inputs, 0, 1)
            else:
                running = [
                    pool.submit(_calls_until, stop, runner, inputs, number, callers)
                    for number, runner in enumerate(runners)
                ]
                answered = sum(each.result() for each in running)
            elapsed_s = (time.perf_counter_ns() - began) / 1e9  # the last calls are finished, and counted
        timer.join()
        return answered / elapsed_s


def _alone(request: Mapping[str, Any]) -> dict[str, Any]:
    side, measurement = request["candidate"], request["measurement"]
    module = plugins.load("backends", side["runner"])
    split, signature = _data(request)
    every = dict(_inputs(request, split, signature))
    harness_mib = _peak_rss_mib()
    import_s = None
    if module.LIBRARY is not None:
        _, import_s = time_call(lambda: import_library(module.LIBRARY, side["version"]), time.perf_counter_ns)
    imported_mib = _peak_rss_mib()
    found: dict[str, Any] = {"workloads": {}}
    with _GpuMemory(request["gpus"]) as gpu_memory, contextlib.ExitStack() as opened:
        runner, load_s = time_call(lambda: opened.enter_context(_open(side)), time.perf_counter_ns)
        loaded_mib = _peak_rss_mib()
        first = next(iter(every.values()))
        _, first_call_s = time_call(lambda: runner.infer(first.batches[0]), time.perf_counter_ns)
        for name, inputs in every.items():
            _warm_shapes(runner, inputs)
            # real lengths differ from batch to batch: the whole split, as it is timed beside the baseline
            whole = len(inputs.batches) if has_real_lengths(request["workloads"][name]) else 0
            calls = max(measurement["alone_calls"], whole)
            timing = time_inference(
                runner,
                inputs.batches,
                warmup_runs=measurement["warmup_runs"],
                min_timed_runs=calls,
                max_timed_runs=calls,
                min_duration_s=0.0,
                max_duration_s=measurement["max_duration_s"],
                clock_ns=time.perf_counter_ns,
            )
            found["workloads"][name] = {
                "alone_median_ms": timing.percentile_ms(50),
                "alone_mean_ms": timing.mean_ms,
                "alone_calls": len(timing.latencies_ns),
            }
        running_mib = _peak_rss_mib()
        gpu = {"peak_mib": gpu_memory.peak_mib, "reason": gpu_memory.reason or None}
        found["ran"], found["threads"] = runner.describe(), _threads()
        for name, inputs in every.items():
            found["workloads"][name]["throughput_samples_per_s"] = {
                str(callers): _saturated(side, runner, inputs, callers, measurement["throughput_duration_s"])
                for callers in measurement["throughput_callers"]
            }
    executed = {}
    for name, inputs in every.items():
        batches = inputs.batches[:_TRACED_BATCHES]
        execution = trace_artifact(side["runner"], side["artifact"], side["options"], side["version"], batches)
        executed[name] = None if execution is None else execution.summary()
    return {
        **found,
        "cold_start": {"import_s": import_s, "load_s": load_s, "first_call_ms": first_call_s * 1e3},
        "memory": {
            "rss_harness_mib": harness_mib,
            "peak_rss_imported_mib": imported_mib,
            "peak_rss_loaded_mib": loaded_mib,
            "peak_rss_running_mib": running_mib,
            "gpu": gpu,
        },
        "executed": executed,
    }


def _threads() -> list[dict[str, Any]]:
    """Thread pools of the libraries in this process, as threadpoolctl finds them; no paths."""
    from threadpoolctl import threadpool_info

    return [
        {key: pool.get(key) for key in ("user_api", "internal_api", "num_threads", "version")}
        for pool in threadpool_info()
    ]


def _predictions(
    request: Mapping[str, Any], runner: Runner, split: Split, signature: Signature
) -> dict[str, Any] | None:
    """Logits of the whole test split at each batch size that is asked for; None for a backend that computes none."""
    if not plugins.load("backends", request["candidate"]["runner"]).PREDICTS:
        return None
    found = {}
    for size in request["batch_sizes"]:
        answer = predict(runner, split, signature, batch_size=size)
        found[str(size)] = {
            "batch_size": answer.batch_size,
            "cut_rows": answer.cut_rows,
            "predictions": answer.labels.tolist(),
            "logits": np.round(answer.logits.astype(np.float64), 6).tolist(),
        }
    return found


def _timed(inputs: TimedInputs) -> dict[str, Any]:
    return {"padding_share": inputs.padding_share, "inputs_sha256": inputs.sha256}


def _together(request: Mapping[str, Any]) -> dict[str, Any]:
    measurement = request["measurement"]
    split, signature = _data(request)
    found: dict[str, Any] = {}
    with contextlib.ExitStack() as opened:
        candidate = opened.enter_context(_open(request["candidate"]))
        try:
            baseline = opened.enter_context(_open(request["baseline"]))
        except Unavailable as lacking:
            return {"baseline_unavailable": lacking.reason}
        first = next(_inputs(request, split, signature))[1].batches[0]
        for runner in (candidate, baseline):  # a GPU that idles has other clocks than one that works
            for _ in range(measurement["warmup_runs"]):
                runner.infer(first)
        before = gpu_conditions(request["gpus"])
        for name, inputs in _inputs(request, split, signature):
            real = has_real_lengths(request["workloads"][name])
            calls = measurement["calls_per_turn"]
            for runner in (candidate, baseline):
                _warm_shapes(runner, inputs)
            turns = time_in_turns(
                candidate,
                baseline,
                inputs.batches,
                statistic="mean" if real else "median",
                warmup_runs=measurement["warmup_runs"],
                calls_per_turn=calls,
                stopping=Stopping(
                    # every row once, where the time allows
                    min_calls=max(measurement["min_calls"], len(inputs.batches) if real else 0),
                    max_calls=measurement["max_calls"],
                    min_duration_s=measurement["min_duration_s"],
                    max_duration_s=measurement["max_duration_s"],
                    relative_half_width=measurement["relative_half_width"],
                ),
                resamples=measurement["resamples"],
                seed=request["seed"],
                clock_ns=time.perf_counter_ns,
            )
            found[name] = {
                **_timed(inputs),
                "latencies_ns": turns.candidate_ns.astype(int).tolist(),
                "baseline_latencies_ns": turns.baseline_ns.astype(int).tolist(),
                "candidate_first": turns.candidate_first,
                "ratio": {"ratio": turns.ratio.ratio, "low": turns.ratio.low, "high": turns.ratio.high},
                "statistic": "mean" if real else "median",
                "stopped": turns.stopped,
                "samples": _samples(inputs, turns.batch_of_call),
            }
            print(
                f"{name}: {turns.candidate_ns.size} calls, ratio {turns.ratio.ratio:.4f} "
                f"[{turns.ratio.low:.4f}, {turns.ratio.high:.4f}], {turns.stopped}",
                flush=True,
            )
        return {
            "workloads": found,
            "gpus_before": before,
            "gpus_after": gpu_conditions(request["gpus"]),
            "predictions": _predictions(request, candidate, split, signature),
            "ran": candidate.describe(),
            "ran_baseline": baseline.describe(),
        }


def _samples(inputs: TimedInputs, batch_of_call: Sequence[Sequence[int]] | np.ndarray) -> int:
    """Rows that all timed calls of one side answered."""
    return int(np.asarray(inputs.samples)[np.asarray(batch_of_call)].sum())


def _series(request: Mapping[str, Any]) -> dict[str, Any]:
    measurement, calls = request["measurement"], request["measurement"]["calls_per_turn"]
    split, signature = _data(request)
    found: dict[str, Any] = {}
    with _open(request["candidate"]) as runner:
        for name, inputs in _inputs(request, split, signature):
            real = has_real_lengths(request["workloads"][name])
            _warm_shapes(runner, inputs)
            wanted = max(measurement["min_calls"], 2 * calls, len(inputs.batches) if real else 0)
            timing = time_inference(
                runner,
                inputs.batches,
                warmup_runs=measurement["warmup_runs"],
                min_timed_runs=wanted,
                max_timed_runs=max(wanted, measurement["max_calls"]),
                min_duration_s=measurement["min_duration_s"],
                max_duration_s=measurement["max_duration_s"],
                least_runs=2 * calls,  # an interval needs two blocks
                clock_ns=time.perf_counter_ns,
            )
            whole = len(timing.latencies_ns) // calls * calls
            blocks = np.asarray(timing.latencies_ns[:whole]).reshape(-1, calls)
            numbers = (np.arange(whole) % len(inputs.batches)).reshape(-1, calls)
            found[name] = {
                **_timed(inputs),
                "latencies_ns": blocks.tolist(),
                "statistic": "mean" if real else "median",
                "samples": _samples(inputs, numbers),
            }
        predictions = _predictions(request, runner, split, signature) if request["batch_sizes"] else None
        return {"workloads": found, "predictions": predictions, "ran": runner.describe()}


TASKS: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "alone": _alone,
    "together": _together,
    "series": _series,
}


def main() -> None:
    """Read a task, do it, answer."""
    answer_request(lambda request: TASKS[request["task"]](request))


if __name__ == "__main__":
    main()
