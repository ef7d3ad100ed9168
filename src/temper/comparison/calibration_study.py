"""Calibration methods × sample counts as DVC experiments: queue them, run them one after the other, compare them."""

import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from temper.comparison.compare import compare
from temper.comparison.experiments import FOLDER, read_experiments
from temper.comparison.revisions import experiments_of_this_commit
from temper.errors import ExperimentError
from temper.tracking.dvc import ask_dvc, environment
from temper.tracking.dvc_stage import commit
from temper.tracking.jobs import planned_jobs

_JOB = "> temper job "  # how DVC shows the command of a stage that it runs
_STAGE, _RAN = ("Running stage", "Stage "), "Ran experiment"


@dataclass
class Queue:
    """What ran of a queue: its jobs, and the seconds of each experiment's calibrate jobs, start of their process included."""

    jobs: int = 0
    calibrate_s: dict[str, float] = field(default_factory=dict)


def _watch(lines: Any, write: Callable[[str], object], clock_s: Callable[[], float]) -> Queue:
    """Count the jobs in DVC's output and time those that calibrate: nothing else runs meanwhile.

    A job that DVC's cache answers is none, and takes no time.
    """
    queue, calibrating, since = Queue(), 0.0, None
    for line in lines:
        write(line)
        if since is not None and line.startswith((*_STAGE, _JOB, _RAN)):
            calibrating, since = calibrating + clock_s() - since, None
        if line.startswith(_JOB):
            queue.jobs += 1
            print(f"  {line.removeprefix(_JOB).strip()}", flush=True)
            since = clock_s() if line.startswith(f"{_JOB}calibrate") else None
        elif line.startswith(_RAN):
            print(line.strip(), flush=True)
            if calibrating:
                queue.calibrate_s[line.partition(":")[2].strip()] = round(calibrating, 1)
            calibrating = 0.0
    return queue


def _run_queue(log: Path) -> Queue:
    """Run everything that is queued, one experiment at a time.

    Raises:
        ExperimentError: DVC says that one failed.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    # one worker: each experiment has a temporary folder of its own, and two would measure at the same time
    command = [sys.executable, "-m", "dvc", "exp", "run", "--run-all", "--jobs", "1"]
    with (
        open(log, "w", encoding="utf-8") as stream,
        subprocess.Popen(
            # unbuffered: a line is read when its job begins, not when a buffer is full
            command,
            env={**environment(), "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as running,
    ):
        queue = _watch(running.stdout, stream.write, time.monotonic)
    if running.returncode != 0:
        raise ExperimentError(
            asked="run the queued experiments",
            happened=f"dvc exp run --run-all ended with {running.returncode}; its output is in {log}",
            spoiled="the experiments that failed; those that ended are kept",
            fix="correct what the log names; dvc queue status lists what is left, dvc exp run --run-all goes on",
        )
    return queue


def _queued(calibration: str, methods: Sequence[str], samples: Sequence[int]) -> list[str]:
    """Put methods × samples into DVC's queue; their names."""
    names: list[str] = []
    for method in methods:
        for count in samples:
            names.append(f"{calibration}-{method}-{count}")
            ask_dvc(
                "exp", "run", "--queue", "--name", names[-1],
                "--set-param", f"calibrations.{calibration}.method={method}",
                "--set-param", f"calibrations.{calibration}.samples={count}",
                spoiled="nothing was run; dvc queue remove --all empties the queue",
                fix="name a row of calibrations, and methods that calibration_methods has; the folder must be a git checkout",
            )  # fmt: skip
            print(f"queued {names[-1]}", flush=True)
    return names


def _check_ended(names: Sequence[str], log: Path) -> None:
    there = set(experiments_of_this_commit())
    failed = [f"{name}: DVC has no such experiment" for name in names if name not in there]
    failed += [f"{each.name}: {each.error}" for each in read_experiments(sorted(set(names) & there)) if each.error]
    if failed:
        raise ExperimentError(
            asked="run the calibration study",
            happened=f"{len(failed)} of {len(names)} experiments failed ({failed[0]}); the log is {log}",
            spoiled="these experiments; the others are kept, temper compare shows them",
            fix="correct what the log names, then the same command again",
        )


def _costs(cost: Mapping[str, Any], queue: Queue) -> dict[str, Any]:
    took = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in queue.calibrate_s.items())
    notes = [
        f"{cost['experiments']} experiments, {cost['jobs_run']} jobs in {cost['wall_s']} s; "
        f"full reruns: {cost['jobs_of_full_reruns']} jobs"
    ]
    if took:
        notes.append(f"Calibrating took, start of the job and imports included: {took}.")
    left = cost["experiments"] - len(queue.calibrate_s)
    if left:
        notes.append(
            f"{left} experiments' calibrations were in DVC's cache: nothing was calibrated, and no time recorded."
        )
    return {"cost": {**cost, "calibrate_s": queue.calibrate_s}, "notes": notes}


def calibration_study(*, calibration: str, methods: Sequence[str], samples: Sequence[int]) -> None:
    """Queue methods × samples for one row of `calibrations:`, run them, compare them pair by pair and write the plot.

    The study must be finished: its artifacts are handed to DVC first, so that each experiment runs what depends on the
    calibration and nothing else.

    Args:
        calibration: the row whose method and samples are varied.
        methods: files of temper/calibration/ that have a row in `calibration_methods:`.
        samples: numbers of calibration samples, at most `data.calibration_rows`.

    Raises:
        ArtifactError: the study is not finished.
        ExperimentError: DVC refuses an experiment, or one fails.
    """
    commit()
    wanted = {f"{calibration}-{method}-{count}" for method in methods for count in samples}
    before = sorted(wanted & set(experiments_of_this_commit()))
    if before:  # from an earlier study on this commit; DVC gives a name once
        ask_dvc(
            "exp", "remove", *before, spoiled="nothing was queued", fix="dvc exp list shows them; dvc exp remove NAME"
        )
    names = _queued(calibration, methods, samples)
    started, log = time.monotonic(), Path(FOLDER) / "calibration-study.log"
    queue = _run_queue(log)
    cost = {
        "experiments": len(names),
        "jobs_run": queue.jobs,
        "jobs_of_full_reruns": len(names) * len(planned_jobs()),
        "wall_s": round(time.monotonic() - started, 1),
    }
    _check_ended(names, log)
    compare(names, _costs(cost, queue))
