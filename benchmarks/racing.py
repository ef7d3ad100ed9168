"""A race of real candidates, and every one of them measured to ± 2 %: how many calls each takes, and whom each names.

    .venv/bin/python benchmarks/racing.py --study studies/mine/optimize/trials --out figures.json

The study is one whose artifacts are made, such as the trials of a search; candidates whose artifact is absent, or which cannot
be opened here, are left out with the reason. The race is that of `temper optimize` (temper/optimize/race.py) by speed alone,
beginning at the study's baseline, until nobody is open. Then each candidate is timed in turns with the baseline as `measure`
does it: 26 blocks, half as many again until its interval is ± 2 %. Where the two name different candidates, those two are timed
beside each other.
Both are of this one run on the validation rows of one workload. Nothing here is a test.
"""

import argparse
import json
import os
import time
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from peers import FinishedStudy

from temper.backends.runner import Runner
from temper.environment.memory import memory_reason
from temper.errors import PipelineError, Unavailable
from temper.measurement.alternation import Stopping, Turns, time_in_turns
from temper.measurement.timed_inputs import has_real_lengths, warm_shapes
from temper.optimize.race import Rules, race
from temper.optimize.worker import calls_per_block
from temper.statistics.ratio import Statistic, statistic_of

BASELINE = "baseline"
BLOCKS, MOST_BLOCKS = 26, 2000


class Table:
    """Two candidates loaded at a time, and the calls that were made of them."""

    def __init__(self, finished: FinishedStudy, workload: str) -> None:
        self._finished, self._settings = finished, finished.study.measurement
        self._inputs = finished.inputs(finished.split("validation"), workload)
        self._statistic: Statistic = "mean" if has_real_lengths(finished.study.workloads[workload]) else "median"
        self._loaded: dict[str, tuple[ExitStack, Runner]] = {}
        self.calls, self._seed = 0, finished.study.seed

    def _open(self, *names: str) -> list[Runner]:
        for other in [name for name in self._loaded if name not in names]:
            self._loaded.pop(other)[0].close()
        for name in names:
            if name not in self._loaded:
                stack = ExitStack()
                runner = stack.enter_context(self._finished.open(None if name == BASELINE else name))
                self._loaded[name] = stack, runner
                warm_shapes(runner, self._inputs)
        return [self._loaded[name][1] for name in names]

    def why_not(self, name: str) -> str | None:
        """Why a candidate takes no part."""
        row = self._finished.study.candidates[name]
        if not Path("artifacts", row.loads).is_dir():
            return "its artifact is not made"
        try:
            self._open(name)
        except (Unavailable, PipelineError, MemoryError, RuntimeError) as error:
            return memory_reason(error) or str(error).splitlines()[0]
        return None

    def turns(self, name: str, other: str, stopping: Stopping, in_one: int | None = None) -> Turns:
        """Blocks of two candidates in turns; each candidate's calls are counted."""
        own, beside = self._open(name, other)
        self._seed += 1
        found = time_in_turns(
            own,
            beside,
            self._inputs.batches,
            statistic=self._statistic,
            warmup_runs=1 if in_one == 1 else self._settings.warmup_runs,
            calls_per_turn=in_one or self._settings.calls_per_turn,
            stopping=stopping,
            resamples=self._settings.resamples,
            seed=self._seed,
            clock_ns=time.perf_counter_ns,
        )
        self.calls += int(found.candidate_ns.size)
        return found

    def blocks(self, name: str, other: str, blocks: int) -> list[float]:
        """ln(candidate's time / other's) of each block."""
        in_one = calls_per_block(*self._open(name, other), self._inputs, self._settings.calls_per_turn)
        calls = blocks * in_one
        found = self.turns(name, other, Stopping(calls, calls, 0.0, 60.0, 0.5), in_one)
        sides = [
            np.array([statistic_of(block, self._statistic) for block in side])
            for side in (found.candidate_ns, found.baseline_ns)
        ]
        ratios = [float(value) for value in np.log(sides[0] / sides[1])]
        print(f"{name} beside {other}: {blocks} blocks, {np.exp(np.mean(ratios)):.3f}", flush=True)
        return ratios

    def measured(self, name: str, other: str, seconds: float) -> dict[str, object]:
        """The ratio to ± 2 %, or how near it came within this time."""
        calls = self._settings.calls_per_turn
        found = self.turns(name, other, Stopping(BLOCKS * calls, MOST_BLOCKS * calls, 0.0, seconds, 0.02))
        ratio = found.ratio
        return {
            "ratio": [ratio.ratio, ratio.low, ratio.high],
            "calls": int(found.candidate_ns.size),
            "within_2_percent": bool((ratio.high - ratio.low) / 2 <= 0.02 * ratio.ratio),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--study", type=Path, required=True, help="folder of a study whose artifacts are made")
    parser.add_argument("--workload", help="default: the study's first")
    parser.add_argument("--most", type=int, help="candidates that take part, drawn by the study's seed; default: all")
    parser.add_argument("--seconds", type=float, default=60.0, help="at most, for one candidate's ± 2 %%")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    out = arguments.out.absolute() if arguments.out else None
    os.chdir(arguments.study)
    finished = FinishedStudy()
    workload = arguments.workload or next(iter(finished.study.workloads))
    table = Table(finished, workload)
    names = list(finished.study.candidates)
    np.random.default_rng(finished.study.seed).shuffle(names)
    why_not: dict[str, str | None] = {}
    for name in names:
        if arguments.most is None or list(why_not.values()).count(None) < arguments.most:
            why_not[name] = table.why_not(name)
    arms = [BASELINE, *(name for name, reason in why_not.items() if reason is None)]
    print(f"{len(arms)} candidates, {len(why_not) + 1 - len(arms)} left out", flush=True)
    began = time.monotonic()
    found = race(arms, BASELINE, Rules(len(arms)), table.blocks)
    raced = {"winner": found.incumbent, "led": found.led, "calls": table.calls, "seconds": time.monotonic() - began}
    print(raced, flush=True)
    table.calls, began, each = 0, time.monotonic(), {}
    for name in arms[1:]:
        each[name] = table.measured(name, BASELINE, arguments.seconds)
        print(name, each[name], flush=True)
    fastest = min(each, key=lambda name: each[name]["ratio"][0])
    whole = {"fastest": fastest, "calls": table.calls, "seconds": time.monotonic() - began, "candidates": each}
    figures = {
        "study": finished.study.study,
        "workload": workload,
        "candidates": len(arms),
        "of": len(names),
        "left_out": {name: reason for name, reason in why_not.items() if reason is not None},
        "race": raced,
        "every_candidate": whole,
        "share_of_calls": raced["calls"] / table.calls,
    }
    if fastest != found.incumbent:
        figures["winner_beside_fastest"] = table.measured(found.incumbent, fastest, arguments.seconds)
    print({key: value for key, value in figures.items() if key not in ("every_candidate", "left_out")})
    if out:
        out.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
