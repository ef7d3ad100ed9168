"""What a measurement's own processes do: `python -m temper.measurement.worker FD`, a task as JSON on standard input.

alone     one artifact, nothing beside it: cold start, memory, median latency, saturated throughput, what was executed
together  candidate and baseline in turns, then the candidate's predictions
series    one artifact timed in a row, where the two cannot be loaded together; then its predictions
"""

import contextlib
import faulthandler
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any

import numpy as np

from temper.artifacts.signature import Signature
from temper.backends.runner import Runner
from temper.data.encoded import Split
from temper.environment import plugins
from temper.environment.memory import memory_reason
from temper.errors import Unavailable
from temper.measurement.accuracy import predict
from temper.measurement.alone import alone
from temper.measurement.alternation import Stopping, time_in_turns
from temper.measurement.conditions import gpu_conditions
from temper.measurement.isolated import answer_request
from temper.measurement.latency import time_inference
from temper.measurement.task import Lost, each_workload, open_side, read_data, signature_of, watch_of
from temper.measurement.timed_inputs import TimedInputs, has_real_lengths, warm_shapes
from temper.measurement.watch import Watch
from temper.tasks.task import answered


def _predictions(
    request: Mapping[str, Any], runner: Runner, split: Split, signature: Signature
) -> dict[str, Any] | None:
    """Logits of the whole test split at each batch size that is asked for; None for a backend that computes none.

    Raises:
        Unavailable: an answer is no number. A latency of such a candidate would be that of no classifier.
    """
    if not plugins.load("backends", request["candidate"]["runner"]).PREDICTS:
        return None
    decided = signature_of(request["candidate"]["artifact"], signature)
    found = {}
    for size in request["batch_sizes"]:
        answer = predict(runner, split, signature, batch_size=size)
        broken = int((~np.isfinite(answer.logits).all(axis=1)).sum())
        if broken:
            raise Unavailable(
                f"it answers {broken:,} of {len(answer.logits):,} test rows with NaN or infinity (batch size {size}): "
                "no accuracy can be told, and no latency is recorded"
            )
        found[str(size)] = {
            "batch_size": answer.batch_size,
            "cut_rows": answer.cut_rows,
            "predictions": answered(answer.logits, decided).tolist(),
            "logits": np.round(answer.logits.astype(np.float64), 6).tolist(),
        }
    return found


def _timed(inputs: TimedInputs, runner: Runner) -> dict[str, Any]:
    return {
        "padding_share": inputs.padding_share,
        "computed_padding_share": inputs.computed_padding_share(runner),
        "inputs_sha256": inputs.sha256,
    }


def _together(request: Mapping[str, Any]) -> dict[str, Any]:
    measurement = request["measurement"]
    split, signature = read_data(request)
    found: dict[str, Any] = {}
    with contextlib.ExitStack() as opened:
        candidate = opened.enter_context(open_side(request["candidate"]))
        try:
            baseline = opened.enter_context(open_side(request["baseline"]))
        except Unavailable as lacking:
            return {"baseline_unavailable": lacking.reason}
        for _, first in islice(each_workload(request, split, signature), 1):
            for runner in (candidate, baseline):  # a GPU that idles has other clocks than one that works
                for _ in range(measurement["warmup_runs"]):
                    runner.infer(first.batches[0])
        before = gpu_conditions(request["gpus"])
        watch, lost = watch_of(request), Lost(request["workloads"])
        for name, inputs in each_workload(request, split, signature):
            with lost.unless_busy(name):
                found[name] = _turns_of(candidate, baseline, inputs, request, name, watch)
        return {
            "workloads": found,
            "busy": lost.busy,
            "waited_s": watch.waited_for_quiet_s,
            "gpus_before": before,
            "gpus_after": gpu_conditions(request["gpus"]),
            "predictions": _predictions(request, candidate, split, signature),
            "ran": candidate.describe(),
            "ran_baseline": baseline.describe(),
        }


def _turns_of(
    candidate: Runner, baseline: Runner, inputs: TimedInputs, request: Mapping[str, Any], name: str, watch: Watch
) -> dict[str, Any]:
    """One workload, the two in turns.

    Raises:
        Busy: the machine was busy for longer than is waited.
    """
    measurement, real = request["measurement"], has_real_lengths(request["workloads"][name])
    for runner in (candidate, baseline):
        warm_shapes(runner, inputs)
    watch.next_workload()
    turns = time_in_turns(
        candidate,
        baseline,
        inputs.batches,
        statistic="mean" if real else "median",
        warmup_runs=measurement["warmup_runs"],
        calls_per_turn=measurement["calls_per_turn"],
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
        watch=watch,
    )
    print(
        f"{name}: {turns.candidate_ns.size} calls, ratio {turns.ratio.ratio:.4f} "
        f"[{turns.ratio.low:.4f}, {turns.ratio.high:.4f}], {turns.stopped}",
        flush=True,
    )
    return {
        **_timed(inputs, candidate),
        "latencies_ns": turns.candidate_ns.astype(int).tolist(),
        "baseline_latencies_ns": turns.baseline_ns.astype(int).tolist(),
        "candidate_first": turns.candidate_first,
        "ratio": {"ratio": turns.ratio.ratio, "low": turns.ratio.low, "high": turns.ratio.high},
        "statistic": "mean" if real else "median",
        "stopped": turns.stopped,
        "samples": _samples(inputs, turns.batch_of_call),
        "contention": watch.found(),
    }


def _samples(inputs: TimedInputs, batch_of_call: Sequence[Sequence[int]] | np.ndarray) -> int:
    """Rows that all timed calls of one side answered."""
    return int(np.asarray(inputs.samples)[np.asarray(batch_of_call)].sum())


def _series(request: Mapping[str, Any]) -> dict[str, Any]:
    split, signature = read_data(request)
    found: dict[str, Any] = {}
    lost, why_no_predictions, predictions = Lost(request["workloads"]), None, None
    watch = watch_of(request)
    with open_side(request["candidate"]) as runner:
        for name, inputs in each_workload(request, split, signature):
            with lost.unless_out_of_memory(name), lost.unless_busy(name):
                watch.next_workload()
                series = partial(_series_of, runner, inputs, request, name)
                found[name] = {**watch.taken(series), "contention": watch.found()}
        try:
            predictions = _predictions(request, runner, split, signature) if request["batch_sizes"] else None
        except Exception as error:
            why_no_predictions = memory_reason(error)
            if why_no_predictions is None:
                raise
        return {
            "workloads": found,
            "lost": lost.reasons,
            "busy": lost.busy,
            "waited_s": watch.waited_for_quiet_s,
            "predictions": predictions,
            "why_no_predictions": why_no_predictions,
            "ran": runner.describe(),
        }


def _series_of(runner: Runner, inputs: TimedInputs, request: Mapping[str, Any], name: str) -> dict[str, Any]:
    """One workload, timed with nothing beside it, in blocks."""
    measurement, calls = request["measurement"], request["measurement"]["calls_per_turn"]
    real = has_real_lengths(request["workloads"][name])
    warm_shapes(runner, inputs)
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
    return {
        **_timed(inputs, runner),
        "latencies_ns": blocks.tolist(),
        "statistic": "mean" if real else "median",
        "samples": _samples(inputs, numbers),
    }


TASKS: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "alone": alone,
    "together": _together,
    "series": _series,
}


def main() -> None:
    """Read a task, do it, answer. A library that crashes says where it was called from."""
    faulthandler.enable()
    answer_request(lambda request: TASKS[request["task"]](request))


if __name__ == "__main__":
    main()
