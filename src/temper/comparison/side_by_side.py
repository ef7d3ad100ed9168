"""Two versions of a library timed in turns, each in a process of its own: one process cannot load both.

`temper.measurement.alternation` times them as it times a candidate and its baseline. Its runners are here at the other end of a
pipe, and its clock is the sum of what the two processes have timed around their own calls.
"""

import contextlib
import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import IO, Any, Self

import numpy as np
import psutil

from temper.environment.machine import SOURCE_ROOT, timed_environment
from temper.environment.own_process import ENVIRONMENT, python_command
from temper.measurement.alternation import Stopping, Turns, time_in_turns
from temper.measurement.contention import Reading, read_counters
from temper.measurement.machine_lock import machine_to_itself
from temper.measurement.timed_inputs import has_real_lengths
from temper.measurement.watch import WINDOW_S, Busy, Limits, Watch

WORKER = "temper.comparison.side_worker"


class SideFailed(Exception):
    """A side could not be loaded or run; its words."""


@dataclass
class Clock:
    """Nanoseconds that both sides' calls took so far, by their own clocks."""

    passed_ns: int = 0

    def now_ns(self) -> int:
        """What `time_in_turns` reads."""
        return self.passed_ns


class Side:
    """A runner in a process of its own; its batches are numbers.

    It has of temper.backends.runner.Runner what `time_in_turns` calls.
    """

    def __init__(self, request: Mapping[str, Any], clock: Clock) -> None:
        self._request, self._clock = request, clock
        self.ran: dict[str, Any] = {}

    def __enter__(self) -> Self:
        reading, writing = os.pipe()
        path = os.pathsep.join(filter(None, [str(SOURCE_ROOT), os.environ.get("PYTHONPATH", "")]))
        self._process = subprocess.Popen(
            python_command("-m", WORKER, str(writing)),
            stdin=subprocess.PIPE,
            pass_fds=(writing,),
            env={**timed_environment(), **ENVIRONMENT, "PYTHONPATH": path},
            text=True,
        )
        os.close(writing)
        self._answers: IO[str] = open(reading, encoding="utf-8")
        try:
            self.ran = self.ask(self._request)["ran"]
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exc_info: object) -> None:
        if exc_info[:1] == (None,):
            self._close()  # it ends by itself, and lets go of the device
            self._process.wait()
        else:
            self._process.kill()
            self._process.wait()
            self._close()
        self._answers.close()

    def _close(self) -> None:
        """No more commands; one that was not read is of no matter."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()

    @property
    def pid(self) -> int:
        """Of its process."""
        return self._process.pid

    def ask(self, command: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to a line.

        Raises:
            SideFailed: it says why it could not, or has ended without a word.
        """
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # what it said before it ended is read below
            self._process.stdin.write(json.dumps(command) + "\n")
            self._process.stdin.flush()
        line = self._answers.readline()
        if not line:
            raise SideFailed(f"its process ended with {self._process.wait()} and no answer; its output stands above")
        answer: dict[str, Any] = json.loads(line)
        if "failed" in answer:
            raise SideFailed(answer["failed"])
        return answer

    def infer(self, inputs: int) -> None:
        """Call it on a batch, and let the clock pass by what the call took."""
        self._clock.passed_ns += int(self.ask({"call": inputs})["ns"])


def _stopping(measurement: Mapping[str, Any], batches: int, real: bool) -> Stopping:
    return Stopping(
        min_calls=max(measurement["min_calls"], batches if real else 0),
        max_calls=measurement["max_calls"],
        min_duration_s=measurement["min_duration_s"],
        max_duration_s=measurement["max_duration_s"],
        relative_half_width=measurement["relative_half_width"],
    )


def _watch(measurement: Mapping[str, Any], sides: Sequence[Side]) -> Watch:
    """The watch over both processes: their time is nobody else's."""

    def read() -> Reading:
        found = read_counters()
        theirs = [psutil.Process(side.pid).cpu_times() for side in sides]
        return replace(found, own_s=found.own_s + sum(each.user + each.system for each in theirs))

    limits = Limits(
        busy_share=measurement["busy_share"],
        wait_s=measurement["quiet_wait_s"],
        lost_s=max(measurement["max_duration_s"], 10 * WINDOW_S),
    )
    # a thread's waiting is read of one process: here none of the two is this one
    return Watch(limits, read=read, waited=lambda: None)


def time_side_by_side(
    old: Mapping[str, Any], new: Mapping[str, Any], request: Mapping[str, Any]
) -> dict[str, tuple[Turns, str]]:
    """Time two sides in turns on every workload, as `measure` times a candidate beside the baseline.

    Args:
        old: runner, artifact, options and version of one side.
        new: of the other.
        request: data_folder, workloads, measurement and seed, as of a measurement's processes.

    Returns:
        By workload, the turns, the new side as their candidate, and the statistic of their ratio.

    Raises:
        SideFailed: one of them cannot be loaded or run here, or others took too much of the machine.
    """
    measurement, clock = request["measurement"], Clock()
    found = {}
    with (
        machine_to_itself("an upgrade's two sides"),
        Side({**request, "side": old}, clock) as before,
        Side({**request, "side": new}, clock) as after,
    ):
        watch = _watch(measurement, (before, after))
        for name, sizes in request["workloads"].items():
            told = [side.ask({"workload": name}) for side in (before, after)]
            assert told[0]["inputs_sha256"] == told[1]["inputs_sha256"], (
                "both sides draw the same rows by the same seed"
            )
            real = has_real_lengths(sizes)
            watch.next_workload()
            turns = _turns(
                after,  # of a runner only `infer` is called, with what stands in `batches`
                before,
                range(told[0]["batches"]),
                statistic="mean" if real else "median",
                warmup_runs=measurement["warmup_runs"],
                calls_per_turn=measurement["calls_per_turn"],
                stopping=_stopping(measurement, told[0]["batches"], real),
                resamples=measurement["resamples"],
                seed=request["seed"],
                clock_ns=clock.now_ns,
                watch=watch,
            )
            found[name] = (turns, "mean" if real else "median")
            print(f"{name}: {turns.candidate_ns.size} calls of each, ratio {turns.ratio.ratio:.4f}", flush=True)
    return found


def _turns(*sides: Any, **settings: Any) -> Turns:
    try:
        return time_in_turns(*sides, **settings)
    except Busy as busy:
        raise SideFailed(busy.reason) from None


def centre_ms(latencies_ns: np.ndarray, statistic: str) -> float:
    """The statistic of a side's latencies, in milliseconds."""
    ordered = np.sort(latencies_ns, axis=None)
    return float(ordered.mean() if statistic == "mean" else ordered[(ordered.size - 1) // 2]) / 1e6
