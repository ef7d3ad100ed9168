"""Artifacts of a search made by Snakemake, as many as the time allows."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from temper.environment.own_process import environment
from temper.errors import ArtifactError, ExperimentError
from temper.logs.own_error import INTERRUPTED, happened
from temper.logs.script_log import TRIED
from temper.orchestration.job_record import read_job_record, record_path
from temper.orchestration.jobs import snakemake_command
from temper.study.schema import Study

_GRACE_S = 30.0  # from being told to stop until it is killed


def make(folder: Path, targets: Sequence[str], *, cores: str, seconds: float | None, keep_going: bool) -> bool:
    """Have Snakemake make these files; whether it made all of them.

    Args:
        folder: the study's.
        targets: paths below it.
        cores: for Snakemake.
        seconds: after these it is told to stop, and what is unfinished stays so; None waits.
        keep_going: go on where one cannot be made, which is no fault: a line says why.

    Raises:
        ExperimentError: without `keep_going`, where one of them could not be made.
    """
    if not targets:
        return True
    more, tried = (["--keep-going"], {TRIED: "1"}) if keep_going else ([], {})
    command = snakemake_command(folder, "--cores", cores, "--logger", "temper", *more, "--", *targets)
    with subprocess.Popen(
        command, env=environment(**tried), start_new_session=True, preexec_fn=end_with_parent
    ) as running:
        try:
            code = running.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            _stop(running)
            _unlock(folder)
            return False
        except BaseException:
            _stop(running)
            raise
    if code != 0 and not keep_going:
        raise ExperimentError(
            asked=f"make {targets[0]} of {folder}",
            happened="Snakemake could not: what stopped it stands above",
            affected="nothing: the search had not begun",
            fix="correct what it names, then the same command again",
        )
    return code == 0


def end_with_parent() -> None:
    """Called in a process that begins: it ends when the one that started it is killed (Linux; elsewhere it goes on)."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


def end(running: "subprocess.Popen[bytes]") -> None:
    """Have a run end its jobs and itself; it is killed if it does not in time. Its jobs end with it."""
    with contextlib.suppress(ProcessLookupError):
        running.terminate()
    try:
        running.wait(_GRACE_S)
    except subprocess.TimeoutExpired:
        running.kill()
        running.wait()


def _stop(running: "subprocess.Popen[bytes]") -> None:
    """End Snakemake and its jobs, a group of their own: asked first, killed if they do not."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(running.pid, signal.SIGINT)
    with contextlib.suppress(subprocess.TimeoutExpired):
        running.wait(_GRACE_S)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(running.pid, signal.SIGKILL)
    running.wait()


def _unlock(folder: Path) -> None:
    subprocess.run(
        snakemake_command(folder, "--unlock", "--cores", "1"), env=environment(), capture_output=True, check=False
    )


_RULES = {"onnx": ("convert_precision", "export_onnx"), "engines": ("build_engine",)}


def is_made(folder: Path, artifact: str) -> bool:
    """Whether an artifact, onnx/<row> or engines/<row>, is there with the record of its job."""
    kind, _, row = artifact.partition("/")
    for rule in _RULES[kind]:
        try:
            outputs = read_job_record(folder / record_path(rule, row)).outputs
        except ArtifactError:
            continue
        return all((folder / path).is_file() for path in outputs)
    return False


def why_not_made(folder: Path, study: Study, artifact: str) -> str:
    """What stopped the job of an artifact, or of what it is made from, by their logs: the nearest that says something.

    Args:
        folder: the study's.
        study: what it says.
        artifact: onnx/<row> or engines/<row>.
    """
    no_time = "there was no time left to make it"
    own, *sources = _jobs_to(study, artifact)
    log = folder / f"logs/{own[0]}/{own[1]}.log"
    if log.is_file():
        said = happened([log]) or "its job did not end"
        return no_time if said == INTERRUPTED else said
    for rule, row in sources:
        said = happened([folder / f"logs/{rule}/{row}.log"]) or INTERRUPTED
        if said != INTERRUPTED:
            return f"{rule} {row}, which it is made from, stopped: {said}"
    return no_time


def _jobs_to(study: Study, artifact: str) -> list[tuple[str, str]]:
    """Rule and row of the job of an artifact, then of those that it waits for, the nearest first."""
    kind, _, row = artifact.partition("/")
    found: list[tuple[str, str]] = []
    if kind == "engines":
        found, row = [("build_engine", row)], study.engine_rows[row].onnx
    while row not in study.exports and row in study.conversions and ("convert_precision", row) not in found:
        found.append(("convert_precision", row))
        conversion = study.conversions[row]
        calibration = conversion.get("calibration")
        found += [("calibrate", str(calibration))] if calibration is not None else []
        row = str(conversion["onnx"])
    return [*found, ("export_onnx", row)]
