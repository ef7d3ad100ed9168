"""The task 'alone': one artifact with nothing beside it: cold start, memory, latency, time on the device, throughput."""

import contextlib
import resource
import statistics
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from temper.backends.opening import trace_artifact
from temper.backends.runner import Runner
from temper.environment import plugins
from temper.environment.library import import_library
from temper.errors import PipelineError
from temper.measurement.contention import between, read_counters
from temper.measurement.latency import time_call, time_inference
from temper.measurement.task import Lost, Request, each_workload, open_side, read_data, watch_of
from temper.measurement.timed_inputs import TimedInputs, has_real_lengths, warm_shapes

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
    """Call without a pause until it is told to stop, once at least; return how many samples were answered.

    Once at least, because a thread that a busy machine starts late has measured that it is slow, not that it answers nothing.
    """
    answered, at = 0, first
    while True:
        position = at % len(inputs.batches)
        runner.infer(inputs.batches[position])
        answered += inputs.samples[position]
        at += step
        if stop.is_set():
            return answered


def _opened_warm(side: Mapping[str, Any], inputs: TimedInputs, opened: contextlib.ExitStack) -> Runner:
    """Another loading of an artifact, ready to be timed; `opened` closes it."""
    runner = opened.enter_context(open_side(side))
    warm_shapes(runner, inputs)
    return runner


def _in_thread(thread: ThreadPoolExecutor, task: Callable[..., Any], *arguments: Any) -> Any:
    """What a task returns that another thread does, while this one waits."""
    return thread.submit(task, *arguments).result()


def _saturated(side: Mapping[str, Any], first: Runner, inputs: TimedInputs, callers: int, duration_s: float) -> float:
    """Samples per second while `callers` threads, each with a loading of its own, call without a pause.

    The first caller is this thread; each of the others opens, warms and closes its own loading in its own thread, because
    libraries keep pools of threads, the current device and recorded CUDA graphs for each thread that calls them.
    """
    stop = threading.Event()
    with contextlib.ExitStack() as opened:
        threads = [opened.enter_context(ThreadPoolExecutor(1)) for _ in range(callers - 1)]
        others = []
        for thread in threads:
            loaded = contextlib.ExitStack()
            opened.callback(_in_thread, thread, loaded.close)
            others.append(_in_thread(thread, _opened_warm, side, inputs, loaded))
        warm_shapes(first, inputs)
        timer = threading.Timer(duration_s, stop.set)
        began = time.perf_counter_ns()
        timer.start()
        running = [
            thread.submit(_calls_until, stop, runner, inputs, number, callers)
            for number, (thread, runner) in enumerate(zip(threads, others, strict=True), start=1)
        ]
        answered = _calls_until(stop, first, inputs, 0, callers) + sum(each.result() for each in running)
        elapsed_s = (time.perf_counter_ns() - began) / 1e9  # the last calls are finished, and counted
        timer.join()
        return answered / elapsed_s


def _device_time(runner: Runner, inputs: TimedInputs, calls: int) -> dict[str, Any]:
    """Median time on the device of calls over the batches in turn, where the runner has a clock there."""
    try:
        asked = [runner.device_time_ms(inputs.batches[run % len(inputs.batches)]) for run in range(calls)]
    except PipelineError as error:  # the latency is worth more than this figure
        return {"device_time_ms": None, "device_time_reason": error.happened}
    times_ms = [each for each in asked if each is not None]
    if not times_ms:
        return {"device_time_ms": None, "device_time_reason": "the backend has no clock on a device"}
    return {"device_time_ms": statistics.median_low(times_ms), "device_time_reason": None}


def _throughput(
    side: Mapping[str, Any], runner: Runner, inputs: TimedInputs, measurement: Mapping[str, Any]
) -> dict[str, Any]:
    """Saturated throughput by the number of callers; those that memory does not hold are left out with the reason."""
    found, left_out = {}, Lost([str(callers) for callers in measurement["throughput_callers"]])
    for callers in measurement["throughput_callers"]:
        with left_out.unless_out_of_memory(str(callers)):
            found[str(callers)] = _saturated(side, runner, inputs, callers, measurement["throughput_duration_s"])
    return {"throughput_samples_per_s": found, "throughput_left_out": left_out.reasons}


def alone(request: Request) -> dict[str, Any]:
    """What is known of the candidate alone; `lost` says for which workloads memory ran out."""
    side, measurement = request["candidate"], request["measurement"]
    module = plugins.load("backends", side["runner"])
    split, signature = read_data(request)
    every = dict(each_workload(request, split, signature))
    harness_mib = _peak_rss_mib()
    import_s, began = None, read_counters()
    if module.LIBRARY is not None:
        _, import_s = time_call(lambda: import_library(module.LIBRARY, side["version"]), time.perf_counter_ns)
    imported_mib = _peak_rss_mib()
    found: dict[str, Any] = {"workloads": {}}
    lost, watch = Lost(every), watch_of(request)
    first_call_s: float | None = None  # of the first workload that memory holds
    with _GpuMemory(request["gpus"]) as gpu_memory, contextlib.ExitStack() as opened:
        runner, load_s = time_call(lambda: opened.enter_context(open_side(side)), time.perf_counter_ns)
        loaded_mib = _peak_rss_mib()
        for name, inputs in every.items():
            with lost.unless_out_of_memory(name), lost.unless_busy(name):
                if first_call_s is None:
                    _, first_call_s = time_call(partial(runner.infer, inputs.batches[0]), time.perf_counter_ns)
                    cold = between(began, read_counters())
                watch.next_workload()
                found["workloads"][name] = watch.taken(partial(_alone_figures, runner, inputs, request, name))
        assert first_call_s is not None  # else every workload was lost
        running_mib = _peak_rss_mib()
        gpu = {"peak_mib": gpu_memory.peak_mib, "reason": gpu_memory.reason or None}
        found["ran"], found["threads"] = runner.describe(), _threads()
        for name in list(found["workloads"]):
            with lost.unless_out_of_memory(name), lost.unless_busy(name):
                watch.next_workload()
                found["workloads"][name] |= watch.taken(partial(_throughput, side, runner, every[name], measurement))
    traced = {name: inputs.batches[:_TRACED_BATCHES] for name, inputs in every.items() if name not in lost.reasons}
    executions = trace_artifact(side["runner"], side["artifact"], side["options"], side["version"], traced)
    executed = {name: None if found is None else found.summary() for name, found in executions.items()}
    return {
        **found,
        "lost": lost.reasons,
        "busy": lost.busy,
        "waited_s": watch.waited_for_quiet_s,
        "cold_start": {
            "import_s": import_s,
            "load_s": load_s,
            "first_call_ms": first_call_s * 1e3,
            "ran": found["ran"],
            "others_share": round(min(1.0, cold.others_share), 4),
        },
        "memory": {
            "rss_harness_mib": harness_mib,
            "peak_rss_imported_mib": imported_mib,
            "peak_rss_loaded_mib": loaded_mib,
            "peak_rss_running_mib": running_mib,
            "gpu": gpu,
        },
        "executed": executed,
    }


def _alone_figures(runner: Runner, inputs: TimedInputs, request: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Latency of one workload with nothing beside it."""
    measurement = request["measurement"]
    warm_shapes(runner, inputs)
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
    return {
        "alone_median_ms": timing.percentile_ms(50),
        "alone_mean_ms": timing.mean_ms,
        "alone_calls": len(timing.latencies_ns),
        **_device_time(runner, inputs, len(timing.latencies_ns)),
    }


def _threads() -> list[dict[str, Any]]:
    """Thread pools of the libraries in this process, as threadpoolctl finds them; no paths."""
    from threadpoolctl import threadpool_info

    return [
        {key: pool.get(key) for key in ("user_api", "internal_api", "num_threads", "version")}
        for pool in threadpool_info()
    ]
