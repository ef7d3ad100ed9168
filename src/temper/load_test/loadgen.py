"""MLPerf LoadGen on a runner, in a process of its own with a timeout: a crash or a hang takes nothing with it."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from temper import errors
from temper.artifact import canonical_json
from temper.errors import LoadTestError
from temper.load_test import driver
from temper.load_test.options import LoadTestRow, check_workload
from temper.provenance import ALLOCATOR, SOURCE_ROOT

_LAST_LINES = 5


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

    Returns:
        JSON. Where the machine lacks something: status 'not measured', reason, settings. Else:
        status 'measured', reason None, settings (row, workload, distinct_batches, seed);
        valid: of the reported run; run: its facts (`temper.load_test.driver.parse_summary`, with rate_per_s, pilot,
        samples, errors); summary: LoadGen's own text of it; runs: the facts of every run in order;
        calibration: calls, latency_p50_ms, latency_mean_ms, service_rate_per_s (samples per second of one caller);
        sample_library: samples, inputs_sha256, padding_share (0–1); files_sha256 of the artifact; ran: the runner's own
        description; loadgen_version.
        Server also: rate_per_s, the highest VALID rate or None; lowest_invalid_per_s; search_ended ('bracket', 'runs',
        'timeout_s' or 'latency_bound_ms'). Where no rate was VALID the run with the lowest one is reported.

    Raises:
        ConfigError: the workload does not suit the scenario.
        LoadTestError: the process crashed or did not end in time, or the runner raised an error that is none of ours.
        PipelineError: the one that was raised there.
    """
    checked = LoadTestRow.model_validate(row)
    check_workload(checked, workload)
    named = f"{checked.loads} on {checked.backend}"
    asked = f"load-test {named} in the scenario {checked.scenario} on the workload {checked.workload}"
    settings = {
        "row": checked.model_dump(mode="json"),
        "workload": dict(workload),
        "distinct_batches": distinct_batches,
        "seed": seed,
    }
    request = {
        **settings,
        "asked": asked,
        "loads": checked.loads,
        "backend": dict(backend),
        "library_version": library_version,
        "artifact": artifact,
        "data_folder": data_folder,
    }
    with tempfile.TemporaryDirectory(prefix="temper-load-test-") as scratch:
        answer = _in_subprocess(request, Path(scratch), asked, checked.timeout_s)
    if answer["status"] == "failed":
        raise getattr(errors, answer["kind"])(**answer["error"])
    return {**answer, "settings": settings}


def _in_subprocess(request: Mapping[str, Any], folder: Path, asked: str, timeout_s: float) -> dict[str, Any]:
    """What the driver wrote; its output goes to this process's own once it has ended."""
    request_file, result_file, output_file = (folder / name for name in ("request.json", "result.json", "output.txt"))
    request_file.write_text(canonical_json(request), encoding="utf-8")
    search_path = os.pathsep.join(filter(None, [str(SOURCE_ROOT), os.environ.get("PYTHONPATH", "")]))
    with open(output_file, "wb") as output:
        try:
            ended: int | None = subprocess.run(
                [sys.executable, "-m", driver.__name__, str(request_file), str(result_file)],
                env={**os.environ, **ALLOCATOR, "PYTHONPATH": search_path},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=timeout_s,
                check=False,
            ).returncode
        except subprocess.TimeoutExpired:
            ended = None
    said = output_file.read_text(encoding="utf-8", errors="replace")
    print(said, end="", flush=True)
    if ended == 0 and result_file.is_file():
        answer: dict[str, Any] = json.loads(result_file.read_text(encoding="utf-8"))
        return answer
    last = " / ".join(line.strip() for line in said.splitlines()[-_LAST_LINES:] if line.strip()) or "nothing"
    if ended is None:
        raise LoadTestError(
            asked=f"{asked} within {timeout_s:g} s",
            happened=f"it had not ended by then, and was killed; it last said: {last[-600:]}",
            spoiled="this load test only; nothing was written",
            fix="raise timeout_s, or lower min_queries or min_duration_s; where runs are short, a call of the runner that "
            "never returns is what LoadGen waits for",
        )
    how = f"signal {signal.Signals(-ended).name}" if ended < 0 else f"exit code {ended}"
    raise LoadTestError(
        asked=asked,
        happened=f"the process that runs LoadGen ended with {how}; it last said: {last[-600:]}",
        spoiled="this load test only; nothing was written",
        fix="run it again; where it ends the same way, the backend's library crashes: measure the candidate without load, or "
        "drop the row (SIGKILL: most often memory ran out)",
    )
