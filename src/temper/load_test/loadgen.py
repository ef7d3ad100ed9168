"""MLPerf LoadGen on a runner, in a process of its own with a timeout: a crash or a hang takes nothing with it."""

import tempfile
from collections.abc import Mapping
from typing import Any

from temper.environment.devices import gpu_indices
from temper.errors import LoadTestError, NoMemoryError, Unavailable
from temper.load_test import driver
from temper.load_test.summary import SPOILED
from temper.measurement.isolated import NoAnswer, OutOfMemory, run_isolated
from temper.measurement.patience import note_waited, wait_left_s
from temper.measurement.watch import Busy
from temper.study.sections.load_tests import LoadTestRow, check_workload

WAITING_SHARE = 0.25  # of the timeout that may be waited for a quiet machine: the runs need the rest


def run_load_test(
    *,
    row: Mapping[str, Any],
    backend: Mapping[str, Any],
    library_version: str,
    workload: Mapping[str, Any],
    distinct_batches: int,
    seed: int,
    artifact: str,
    data_folder: str,
    quiet: Mapping[str, float],
    serving: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Load-test one artifact on one backend.

    Args:
        row: a `LoadTestRow`.
        backend: the row of `backends:` that it names.
        library_version: the backend's library, resolved while planning.
        workload: the row of `workloads:` that the load test names.
        distinct_batches: how many batches of the workload LoadGen's sample library is made of.
        seed: the study's; also of LoadGen's schedule and choice of samples.
        artifact: folder of the checkpoint, ONNX file or engine.
        data_folder: prepared data; only its test split is read.
        quiet: busy_share and quiet_wait_s of the section `measurement:`.
        serving: as `temper.load_test.serving.serving_of`.

    Returns:
        JSON. Where the machine lacks something, or was busy: status 'not measured', reason, settings. Else:
        status 'measured', reason None, settings (row, workload, distinct_batches, seed);
        valid: of the reported run; run: its facts (`temper.load_test.summary.parse_summary`, with rate_per_s, pilot,
        samples, errors); summary: LoadGen's own text of it; runs: the facts of every run in order;
        calibration: calls, latency_p50_ms, latency_mean_ms, service_rate_per_s (samples per second of one caller);
        contention: what others took beside the runs that count (temper/measurement/record.py);
        sample_library: samples, inputs_sha256, padding_share and computed_padding_share (0–1: of the inputs, and of what the
        runner computes for them); files_sha256 of the artifact; ran: the runner's own description; loadgen_version.
        SingleStream and Offline also: attempts_ended ('long_enough', 'attempts' or 'timeout_s': a run was too short, and
        another would not have ended in time).
        Where the row goes through a server also: served, what it took (`temper.package.served.Served.facts`).
        Server also: rate_per_s, the highest VALID rate or None; lowest_invalid_per_s; search_ended ('bracket', 'runs',
        'timeout_s' or 'latency_bound_ms'). Where no rate was VALID the run with the lowest one is reported.

    Raises:
        ConfigError: the workload does not suit the scenario.
        LoadTestError: the process crashed or did not end in time, or the runner raised an error that is none of ours.
        PipelineError: the one that was raised there.
    """
    checked = LoadTestRow.model_validate(row)
    check_workload(checked, workload)
    named = f"{checked.loads} on {checked.backend}" + (f" through {checked.through}" if checked.through else "")
    asked = f"load-test {named} in the scenario {checked.scenario} on the workload {checked.workload}"
    settings = {
        "row": checked.model_dump(mode="json"),
        "workload": dict(workload),
        "distinct_batches": distinct_batches,
        "seed": seed,
    }
    gpus = gpu_indices(backend["gpus"], backend["options"])
    allowed_s = wait_left_s(quiet["quiet_wait_s"])
    request = {
        **settings,
        "task": "load_test",
        "name": f"load test of {named}",
        "gpus": gpus,
        "measurement": {"busy_share": quiet["busy_share"], "max_duration_s": checked.timeout_s},
        "wait_s": min(allowed_s, WAITING_SHARE * checked.timeout_s),
        "asked": asked,
        "loads": checked.loads,
        "backend": dict(backend),
        "library_version": library_version,
        "artifact": artifact,
        "data_folder": data_folder,
        "serving": serving,
    }
    with tempfile.TemporaryDirectory(
        prefix="temper-load-test-"
    ) as scratch:  # here: also a killed process leaves nothing
        try:
            result = run_isolated(
                {**request, "logs_folder": scratch},
                worker=driver.__name__,
                timeout_s=checked.timeout_s,
                keep_output=True,
            )
        except Unavailable as lacking:
            return {"status": "not measured", "reason": lacking.reason, "settings": settings}
        except Busy as busy:
            note_waited(busy.contention["waited_s"])
            return {
                **{"status": "not measured", "reason": busy.reason},
                **{"contention": busy.contention, "settings": settings},
            }
        except NoAnswer as ended:
            raise _no_answer(ended, asked, checked.timeout_s) from None
        except OutOfMemory as error:
            if error.__cause__ is not None and not isinstance(error.__cause__, NoAnswer):
                raise error.__cause__ from None  # the runner's own
            raise NoMemoryError(
                asked=asked,
                happened=f"memory ran out: {error}",
                affected=SPOILED,
                fix="a higher limit, nothing beside it, fewer callers, or a machine with more memory; then the same again",
            ) from None
    note_waited(result["contention"]["waited_s"])
    return {"status": "measured", "reason": None, **result, "settings": settings}


def _no_answer(ended: NoAnswer, asked: str, timeout_s: float) -> LoadTestError:
    if ended.how is None:
        return LoadTestError(
            asked=f"{asked} within {timeout_s:g} s",
            happened=f"it had not ended by then, and was killed; it last said: {ended.last_said}",
            affected=SPOILED,
            fix="raise timeout_s, or lower min_queries or min_duration_s; where runs are short, a call of the runner that "
            "never returns is what LoadGen waits for",
        )
    return LoadTestError(
        asked=asked,
        happened=f"the process that runs LoadGen ended with {ended.how}; it last said: {ended.last_said}",
        affected=SPOILED,
        fix="run it again; where it ends the same way, the backend's library crashes: measure the candidate without load, or "
        "drop the row (SIGKILL: somebody ends processes here)",
    )
