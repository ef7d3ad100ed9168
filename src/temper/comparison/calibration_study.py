"""Calibration methods × sample counts as DVC experiments: queue them, run them one after the other, compare them."""

import re
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from temper.comparison.compare import compare
from temper.comparison.experiments import FOLDER, read_experiments
from temper.comparison.revisions import Store, experiments_of_this_commit, revisions
from temper.environment.own_process import python_command
from temper.errors import ExperimentError
from temper.orchestration.dvc import ask_dvc, environment
from temper.orchestration.dvc_stage import commit
from temper.orchestration.job_record import record_path
from temper.orchestration.jobs import planned_jobs
from temper.reading.bounded import decoded
from temper.reading.json_file import parse_json, read_object

_JOB = "> temper job "  # how DVC shows the command of a stage that it runs
_TOOK = re.compile(r"^calibrating took (?P<took_s>\d+\.\d+) s: (?P<digest>[0-9a-f]{64})$")  # what its job says


@dataclass
class Queue:
    """What ran of a queue: how many jobs, and the seconds that each calibration took, by its cache's digest."""

    jobs: int = 0
    took_s: dict[str, float] = field(default_factory=dict)


def _watch(lines: Iterable[str], write: Callable[[str], object]) -> Queue:
    """Read DVC's output, and show what runs. A job that DVC's cache answers is none, and took no time."""
    queue = Queue()
    for line in lines:
        write(line)
        if line.startswith(_JOB):
            queue.jobs += 1
            print(f"  {line.removeprefix(_JOB).strip()}", flush=True)
        elif took := _TOOK.match(line.rstrip()):
            queue.took_s[took["digest"]] = float(took["took_s"])
        elif line.startswith("Ran experiment"):
            print(line.strip(), flush=True)
    return queue


def _run_queue(log: Path) -> Queue:
    """Run everything that is queued, one experiment at a time.

    Raises:
        ExperimentError: DVC says that one failed.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    # one worker: each experiment has a temporary folder of its own, and two would measure at the same time
    command = python_command("-m", "dvc", "exp", "run", "--run-all", "--jobs", "1")
    with (
        open(log, "w", encoding="utf-8") as stream,
        subprocess.Popen(
            command,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as running,
    ):
        assert running.stdout is not None
        queue = _watch(running.stdout, stream.write)
    if running.returncode != 0:
        raise ExperimentError(
            asked="run the queued experiments",
            happened=f"dvc exp run --run-all ended with {running.returncode}; its output is in {log}",
            affected="the experiments that failed; those that ended are kept",
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
                "--set-param", f"++calibrations.{calibration}.method={method}",  # also where the study leaves it out
                "--set-param", f"++calibrations.{calibration}.samples={count}",
                affected="nothing was run; dvc queue remove --all empties the queue",
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
            affected="these experiments; the others are kept, temper compare shows them",
            fix="correct what the log names, then the same command again",
        )


def _calibration_seconds(names: Sequence[str], calibration: str, took_s: Mapping[str, float]) -> dict[str, float]:
    """Seconds of each experiment's calibration, by the digest in its job's record; those not known are left out."""
    store, found = Store(), {}
    path = record_path("calibrate", calibration)
    for revision in revisions(names):
        record = store.file(revision, path, store.outputs(revision).get(path))
        digests = _outputs(record)
        digest = str(digests.get(f"artifacts/calibration/{calibration}/cache.json"))
        if digest in took_s:
            found[revision.name] = took_s[digest]
    return found


def _outputs(record: bytes | None) -> dict[str, Any]:
    """What a job record says that its job wrote; {} where it cannot be read: then its seconds are not known."""
    try:
        return {} if record is None else dict(parse_json(decoded(record))["outputs"])
    except (ValueError, KeyError, TypeError):
        return {}


def _known_seconds() -> dict[str, float]:
    """What an earlier study in this folder wrote, by digest: the same cache is not made twice."""
    try:
        content = read_object(Path(FOLDER) / "comparison.json")
        known: dict[str, float] = content["cost"]["calibrate_s_by_cache"]
        return known
    except (OSError, ValueError, KeyError):
        return {}


def _costs(cost: Mapping[str, Any], seconds: Mapping[str, float], took_s: Mapping[str, float]) -> dict[str, Any]:
    notes = [
        f"{cost['experiments']} experiments, {cost['jobs_run']} jobs in {cost['wall_s']} s; "
        f"full reruns: {cost['jobs_of_full_reruns']} jobs"
    ]
    if seconds:
        listed = ", ".join(f"{name} {value:.1f} s" for name, value in seconds.items())
        notes.append(f"Calibrating took (passes over the rows and the method's own search, without imports): {listed}.")
    left = cost["experiments"] - len(seconds)
    if left:
        notes.append(f"How long calibrating took is not recorded for {left} of them: DVC's cache had the result.")
    return {"cost": {**cost, "calibrate_s": dict(seconds), "calibrate_s_by_cache": dict(took_s)}, "notes": notes}


def calibration_study(*, calibration: str, methods: Sequence[str], samples: Sequence[int], force: bool = False) -> None:
    """Queue methods × samples for one row of `calibrations:`, run them, compare them pair by pair and write the plot.

    The study must be finished: its artifacts are handed to DVC first, so that each experiment runs what depends on the
    calibration and nothing else.

    Args:
        calibration: the row whose method and samples are varied.
        methods: files of temper/quantization/calibration/ that have a row in `calibration_methods:`.
        samples: numbers of calibration samples, at most `data.calibration_rows`.
        force: remove experiments of this commit that have the names of those that are asked for.

    Raises:
        ArtifactError: the study is not finished.
        ExperimentError: DVC refuses an experiment, or one fails.
    """
    commit()
    wanted = {f"{calibration}-{method}-{count}" for method in methods for count in samples}
    before = sorted(wanted & set(experiments_of_this_commit()))
    if before and not force:  # DVC gives a name once
        raise ExperimentError(
            asked="run a calibration study",
            happened=f"{len(before)} experiments of this commit have these names already: {', '.join(before)}",
            affected="nothing was queued, and they are as they were",
            fix="temper compare shows them; temper calibration-study --force removes them and runs them anew",
        )
    if before:
        ask_dvc(
            "exp", "remove", *before, affected="nothing was queued", fix="dvc exp list shows them; dvc exp remove NAME"
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
    took_s = {**_known_seconds(), **queue.took_s}
    compare(names, _costs(cost, _calibration_seconds(names, calibration, took_s), took_s))
