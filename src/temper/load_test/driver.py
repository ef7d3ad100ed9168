"""The process of a load test, which `temper.load_test.loadgen` starts: one artifact loaded, LoadGen run on it, one answer."""

import signal
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from temper.artifacts.manifest import read_manifest
from temper.artifacts.signature import Signature, Tensors, read_signature
from temper.backends.opening import open_artifact
from temper.backends.runner import Runner
from temper.data.encoded import Split, check_split, read_split
from temper.environment import plugins
from temper.environment.devices import nvidia_gpus
from temper.environment.library import installed_version
from temper.errors import LoadTestError, PipelineError, Unavailable
from temper.load_test.generator import LIBRARY, LoadTest, System, SystemUnderTest
from temper.load_test.search import check_time, expected_rate, highest_rate
from temper.load_test.summary import SPOILED
from temper.measurement.accuracy import predict
from temper.measurement.isolated import answer_request
from temper.measurement.latency import time_inference
from temper.measurement.task import watch_of
from temper.measurement.timed_inputs import TimedInputs, check_length, timed_inputs, warm_shapes
from temper.measurement.watch import Busy
from temper.study.sections.load_tests import LoadTestRow
from temper.tasks.task import answered, task_of

CALIBRATION_S = 0.3  # of timed calls, from which the first expected rate comes
CALIBRATION_MIN_CALLS, CALIBRATION_MAX_CALLS = 5, 5000
QUERY_COST_S, HAND_OFF_COST_S = 5e-6, 30e-6  # LoadGen's own, with the answer in the callback or on another thread
TIMEOUT_SHARE = 0.9  # of the timeout that the runs may use: what they have found must still be written

THROUGH = "through"  # the kind of module that may stand between LoadGen and the artifact

_KINDS = {"checkpoint": "checkpoint", "onnx": "onnx", "engines": "engine"}  # of a manifest, by what a candidate loads


def _calibrate(runner: Runner, inputs: TimedInputs) -> dict[str, Any]:
    """Timed calls, one after the other: the rate that one caller can reach without LoadGen."""
    timing = time_inference(
        runner,
        inputs.batches,
        warmup_runs=max(min(len(inputs.batches), CALIBRATION_MIN_CALLS), runner.warmup_calls_per_shape),
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


def _samples(inputs: TimedInputs, batch_size: int) -> list[Tensors]:
    """LoadGen's sample library: every row of the inputs as a batch of one."""
    if batch_size == 1:
        return list(inputs.batches)
    return [
        {name: array[row : row + 1] for name, array in batch.items()}
        for batch, count in zip(inputs.batches, inputs.samples, strict=True)
        for row in range(count)
    ]


def _calling(runner: Runner, library: list[Tensors], batch_size: int, *, beside: bool) -> Callable[[Any], System]:
    """The runner itself as what answers."""
    return lambda loadgen: SystemUnderTest(loadgen, runner, library, batch_size, beside=beside)


def _through(
    request: Mapping[str, Any],
    name: str,
    opened: ExitStack,
    runner: Runner,
    split: Split,
    signature: Signature,
    max_tokens: int,
    folder: Path,
) -> Any:
    """A server as what answers, until `opened` is left. The runner answers every row first, and is closed."""
    found = answered(predict(runner, split, signature, batch_size=1).logits, signature)
    opened.close()  # the server has the machine to itself
    labels = [task_of(signature.labels).named(each, signature.label_names) for each in found.tolist()]
    module = plugins.load(THROUGH, name)
    return opened.enter_context(module.served(request, split, labels, max_tokens=max_tokens, folder=folder))


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
        DataError: the workload's rows are longer than the model takes.
        PipelineError: the runner's own.
        LoadTestError: timeout_s is too short for a single run, or LoadGen left no result.
        Busy: others took too much of the machine for as long as is waited.
    """
    deadline_s = time.monotonic() + TIMEOUT_SHARE * request["row"]["timeout_s"]
    row, backend = LoadTestRow.model_validate(request["row"]), request["backend"]
    kind = _KINDS[request["loads"].partition("/")[0]]
    manifest = read_manifest(Path(request["artifact"]) / f"{kind}.json", kind=kind)
    data = Path(request["data_folder"])
    longest = check_split(data, "test")["max_tokens"]
    check_length(request["workload"], longest)
    gpus = len(nvidia_gpus()) if backend["gpus"] else 0
    if backend["gpus"] > gpus:
        have = f"this machine has {gpus or 'none'}"
        raise Unavailable(f"no NVIDIA GPU: the backend asks for {backend['gpus']}, {have}")
    signature = read_signature(data / "signature.json")
    split = read_split(data / "test.parquet", signature)
    workload, batch_size = request["workload"], request["workload"]["batch_size"]
    inputs = timed_inputs(
        split, signature, workload, distinct_batches=request["distinct_batches"], seed=request["seed"]
    )
    library = _samples(inputs, batch_size)
    runner = open_artifact(backend["runner"], request["artifact"], backend["options"], request["library_version"])
    with ExitStack() as loaded:
        opened = loaded.enter_context(runner)
        warm_shapes(opened, inputs)  # sentences differ in length, and a query may be the first of its shape
        calibration = _calibrate(opened, inputs)
        computed, ran = inputs.computed_padding_share(opened), opened.describe()
        watch, served = watch_of(request), None
        if row.through is None:
            system = _calling(opened, library, batch_size, beside=row.scenario == "server")
        else:
            served = _through(request, row.through, loaded, opened, split, signature, longest, folder)
            watch.read, system, library = served.counters, served.system, []
        count = len(library) or len(split)
        test = LoadTest(row, system, count, batch_size, request["seed"], folder, watch)
        watch.wait_until_quiet()
        mean_s = calibration["latency_mean_ms"] / 1e3
        cost_s = HAND_OFF_COST_S if row.scenario == "server" else QUERY_COST_S
        rate_per_s = batch_size / (mean_s + cost_s)
        print(f"calibrated: {calibration}, {rate_per_s:.4g} samples/s expected", flush=True)
        if row.scenario == "server":
            found = highest_rate(test, row, rate_per_s, deadline_s)
        else:
            check_time(row, rate_per_s, deadline_s - time.monotonic())
            found = expected_rate(test, row, rate_per_s, deadline_s)
        between = {} if served is None else {"served": served.facts()}
        if served is None:
            ran = opened.describe()
    return {
        "valid": found["run"]["valid"],
        **found,
        "runs": [run.facts for run in test.runs],
        "calibration": {**calibration, "service_rate_per_s": rate_per_s},
        "sample_library": {
            "samples": count,
            "inputs_sha256": inputs.sha256,
            "padding_share": inputs.padding_share,
            "computed_padding_share": computed,
        },
        "files_sha256": {name: facts["sha256"] for name, facts in manifest["files"].items()},
        "ran": ran,
        "loadgen_version": installed_version(LIBRARY),
        "contention": watch.found(),
        **between,
    }


def answer(request: Mapping[str, Any]) -> dict[str, Any]:
    """What the process answers: `load_test`, with every error among those that the parent can raise again.

    Args:
        request: as `load_test`, with asked (in words) and logs_folder.

    Raises:
        LoadTestError: the runner raised an error that is none of ours.
        PipelineError: as `load_test`.
        Unavailable: as `load_test`.
    """
    try:
        return load_test(request, Path(request["logs_folder"]))
    except (PipelineError, Unavailable, Busy):
        raise
    except BaseException as error:  # also what a runner means to end the process with
        traceback.print_exc()
        raise LoadTestError(
            asked=request["asked"],
            happened=f"{type(error).__name__}: {str(error).strip()[:600]}",
            affected=SPOILED,
            fix="the traceback stands in this job's log; measure the candidate without load to see whether it answers at all",
        ) from error


def main() -> None:
    """Read a request, make the load test, answer."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # KeyboardInterrupt inside a callback would be a segmentation fault
    answer_request(answer)


if __name__ == "__main__":
    main()
