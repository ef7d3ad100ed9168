"""Calibration methods × sample counts as DVC experiments: queue them, run them one after the other, compare them."""

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from temper.artifact import canonical_json, write_text
from temper.comparison.experiments import FOLDER, compare, read_experiments
from temper.errors import ExperimentError
from temper.tracking.dvc import ask_dvc, environment
from temper.tracking.dvc_stage import commit
from temper.tracking.jobs import planned_jobs

_JOB = "> temper job "  # how DVC shows the command of a stage that it runs


def _run_queue(log: Path) -> int:
    """Run everything that is queued, one experiment at a time; return how many jobs ran."""
    jobs = 0
    log.parent.mkdir(parents=True, exist_ok=True)
    # one worker: each experiment has a temporary folder of its own, and two would measure at the same time
    command = [sys.executable, "-m", "dvc", "exp", "run", "--run-all", "--jobs", "1"]
    with (
        open(log, "w", encoding="utf-8") as stream,
        subprocess.Popen(
            command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as running,
    ):
        assert running.stdout is not None
        for line in running.stdout:
            stream.write(line)
            if line.startswith(_JOB):
                jobs += 1
                print(f"  {line.removeprefix(_JOB).strip()}", flush=True)
            elif line.startswith("Ran experiment"):
                print(line.strip(), flush=True)
    if running.returncode != 0:
        raise ExperimentError(
            asked="run the queued experiments",
            happened=f"dvc exp run --run-all ended with {running.returncode}; its output is in {log}",
            spoiled="the experiments that failed; those that ended are kept",
            fix="correct what the log names; dvc queue status lists what is left, dvc exp run --run-all goes on",
        )
    return jobs


def calibration_study(*, calibration: str, methods: Sequence[str], samples: Sequence[int], force: bool = False) -> None:
    """Queue methods × samples for one row of `calibrations:`, run them, print the table and write the plot.

    The study must be finished: its artifacts are handed to DVC first, so that each experiment runs what depends on the
    calibration and nothing else.

    Args:
        calibration: the row whose method and samples are varied.
        methods: files of temper/calibration/ that have a row in `calibration_methods:`.
        samples: numbers of calibration samples, at most `data.calibration_rows`.
        force: remove experiments of this commit that have the names of those that are asked for.

    Raises:
        ArtifactError: the study is not finished.
        ExperimentError: DVC refuses an experiment, or one fails.
    """
    commit()
    names: list[str] = []
    wanted = {f"{calibration}-{method}-{count}" for method in methods for count in samples}
    before = sorted(wanted & {each.name for each in read_experiments([])})
    if before and not force:  # DVC gives a name once
        raise ExperimentError(
            asked="run a calibration study",
            happened=f"{len(before)} experiments of this commit have these names already: {', '.join(before)}",
            spoiled="nothing was queued, and they are as they were",
            fix="temper compare shows them; temper calibration-study --force removes them and runs them anew",
        )
    if before:
        ask_dvc(
            "exp", "remove", *before, spoiled="nothing was queued", fix="dvc exp list shows them; dvc exp remove NAME"
        )
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
    started = time.monotonic()
    log = Path(FOLDER) / "calibration-study.log"
    ran = _run_queue(log)
    cost = {
        "experiments": len(names),
        "jobs_run": ran,
        "jobs_of_full_reruns": len(names) * len(planned_jobs()),
        "wall_s": round(time.monotonic() - started, 1),
    }
    failed = [f"{each.name}: {each.error or 'no results'}" for each in read_experiments(names) if not each.metrics]
    if failed:
        raise ExperimentError(
            asked="run the calibration study",
            happened=f"{len(failed)} of {len(names)} experiments failed ({failed[0]}); the log is {log}",
            spoiled="these experiments; the others are kept, temper compare shows them",
            fix="correct what the log names, then the same command again",
        )
    compare(names)
    file = Path(FOLDER) / "comparison.json"
    content = json.loads(file.read_text(encoding="utf-8"))
    write_text(file, canonical_json({**content, "cost": cost}))
    print(
        f"{cost['experiments']} experiments, {ran} jobs in {cost['wall_s']} s; full reruns: {cost['jobs_of_full_reruns']} jobs"
    )
