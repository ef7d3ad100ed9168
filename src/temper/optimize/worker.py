"""What a search's own processes do: `python -m temper.optimize.worker FD`, a task as JSON on standard input.

applies   which graph steps apply to the exported file
answers   labels of the validation rows by one point
kernels   points of one artifact are opened and called once in each shape of the race, so that what a library compiles for
          them is on the disk before anybody is timed
turns     challengers in turns with the incumbent, until each is decided or has had its share; each chunk of blocks is on the
          disk before the next is taken

Of the data only validation rows are read here: the test rows are for what is chosen.
"""

import contextlib
import faulthandler
import os
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from temper.artifacts.signature import Signature, read_signature
from temper.backends.runner import Runner
from temper.data.encoded import Split, read_split
from temper.environment.memory import memory_reason
from temper.errors import PipelineError, Unavailable
from temper.evaluation.evaluation import evaluation_of
from temper.logs.script_log import TERMINAL, terminal_number
from temper.measurement.accuracy import predict
from temper.measurement.alternation import Stopping, time_in_turns
from temper.measurement.isolated import answer_request
from temper.measurement.latency import time_call
from temper.measurement.task import each_workload, open_side, signature_of, watch_of
from temper.measurement.timed_inputs import TimedInputs, has_real_lengths, warm_shapes
from temper.optimize.applies import applies
from temper.optimize.race import Rules, intervals, is_out, next_blocks, overtakes
from temper.optimize.record import append
from temper.optimize.saturated import opened
from temper.statistics.paired_labels import flips_of
from temper.statistics.ratio import Latencies, Ratio, Statistic, statistic_of
from temper.tasks.task import answered

SPLIT = "validation"
_LONGEST_CHUNK_S = 20.0  # of blocks between two looks, for what takes seconds a call
_HOPELESS = 10  # times the incumbent's: a call decides as much as five, and the race's time is the others'
_NOBODY_ASKS = Ratio(1.0, 1.0, 1.0)
Request = Mapping[str, Any]


def _rows(request: Request) -> tuple[Split, Signature]:
    folder = Path(request["data_folder"])
    signature = read_signature(folder / "signature.json")
    return read_split(folder / f"{SPLIT}.parquet", signature), signature


def _answers(request: Request) -> dict[str, Any]:
    """How a point's labels stand to the float file's; `labels` where it is that file itself.

    Raises:
        Unavailable: an answer is no number.
    """
    split, signature = _rows(request)
    with open_side(request["side"]) as runner:
        found = predict(runner, split, signature, batch_size=request["measurement"]["accuracy_batch_size"])
    broken = int((~np.isfinite(found.logits).all(axis=1)).sum())
    if broken:
        raise Unavailable(f"it answers {broken:,} of {len(found.logits):,} validation rows with NaN or infinity")
    decided = signature_of(request["side"]["artifact"], signature)
    evaluation, given = evaluation_of(decided.labels), answered(found.logits, decided)
    if request["reference"] is None:
        return {"labels": given.tolist()}
    reference = np.asarray(request["reference"], dtype=given.dtype)
    right, was_right = (evaluation.right(each, split.labels) for each in (given, reference))
    counted = flips_of(right, was_right, evaluation.differ(given, reference))
    return {
        "rows": counted.rows,
        "gained": counted.wrong_to_right,
        "lost": counted.right_to_wrong,
        "differing": counted.differing,
    }


def _kernels(request: Request) -> dict[str, Any]:
    """Sides that are opened and called once in each shape; what they compiled stays in their runtime cache."""
    split, signature = _rows(request)
    ((_, inputs),) = each_workload(request, split, signature)
    for side in request["sides"]:
        with open_side(side) as runner:
            warm_shapes(runner, inputs)
    return {}


class _Table:
    """The inputs of the race, and the incumbent loaded beside whichever challenger has its turns."""

    def __init__(self, request: Request) -> None:
        split, signature = _rows(request)
        ((self.name, self.inputs),) = each_workload(request, split, signature)
        self.real = has_real_lengths(request["workloads"][self.name])
        self.request, self.watch = request, watch_of(request)
        self.rules = Rules(**request["rules"])
        self.deadline: float = time.monotonic() + request["seconds"]

    @property
    def over(self) -> bool:
        return time.monotonic() >= self.deadline

    def chunk(
        self, challenger: Runner, incumbent: Runner, blocks: int, known: int, calls: int
    ) -> tuple[list[float], list[float]]:
        """Medians of each block, challenger's and incumbent's, in ms; of real lengths the means, over the same rows."""
        measurement = self.request["measurement"]
        statistic: Statistic = "mean" if self.real else "median"
        first = known * calls % len(self.inputs.batches)
        turns = time_in_turns(
            challenger,
            incumbent,
            [*self.inputs.batches[first:], *self.inputs.batches[:first]],
            statistic=statistic,
            warmup_runs=measurement["warmup_runs"] if not known and calls > 1 else 1,
            calls_per_turn=calls,
            stopping=Stopping(
                min_calls=blocks * calls,
                max_calls=blocks * calls,
                min_duration_s=0.0,
                max_duration_s=_LONGEST_CHUNK_S,
                relative_half_width=0.5,
            ),
            resamples=measurement["resamples"],
            seed=self.request["seed"] + known,  # who has the first turn of a block is drawn anew for each chunk
            clock_ns=time.perf_counter_ns,
            watch=self.watch,
            interval=lambda *taken, **how: _NOBODY_ASKS,  # the race has intervals of its own
        )
        return _by_block(turns.candidate_ns, statistic), _by_block(turns.baseline_ns, statistic)

    def shares(self, side: Request, blocks_ms: list[float]) -> list[float]:
        """Time for each batch: a call of several callers is as many batches."""
        return [round(each / side["side"].get("callers", 1), 6) for each in blocks_ms]

    def turns(self, side: Request, challenger: Runner, incumbent: Runner) -> bool:
        """Blocks of one challenger until it is decided, has had its share, or time is over; whether it is faster."""
        values, given = list[float](side["log_ratios"]), 0
        warm_shapes(challenger, self.inputs)
        calls = calls_per_block(challenger, incumbent, self.inputs, self.request["measurement"]["calls_per_turn"])
        while given < self.request["visit_blocks"] and not self.over:
            self.watch.next_workload()
            own, other = self.chunk(challenger, incumbent, next_blocks(len(values)), len(values), calls)
            own, other = self.shares(side, own), self.shares(self.request["incumbent"], other)
            append(
                self.request["record"],
                {
                    "kind": "turns",
                    "conditions": self.request["conditions"],
                    "challenger": side["point"],
                    "incumbent": self.request["incumbent"]["point"],
                    "names": [side["name"], self.request["incumbent"]["name"]],
                    "challenger_ms": own,
                    "incumbent_ms": other,
                    "others_share": self.watch.found()["others_share"],
                },
            )
            values += log_ratios(own, other)
            given += len(own)
            narrow, wide = intervals(values, self.request["number"], self.rules)
            if is_out(narrow, self.rules):
                return False
            if overtakes(wide, self.rules):
                return True
        return False


def calls_per_block(challenger: Runner, incumbent: Runner, inputs: TimedInputs, calls_per_turn: int) -> int:
    """Calls in a block of two warm candidates: one where a call of the challenger's takes many times the incumbent's.

    Libraries have paths without a kernel for this processor, hundreds of times as slow; thirty calls of one would cost the race
    a minute. One call of each is as fair a block, and its ratio tells the same.
    """
    own_s, other_s = (
        time_call(partial(runner.infer, inputs.batches[0]), time.perf_counter_ns)[1]
        for runner in (challenger, incumbent)
    )
    return 1 if own_s > _HOPELESS * other_s else calls_per_turn


def log_ratios(challenger_ms: list[float], incumbent_ms: list[float]) -> list[float]:
    """ln(challenger's time / incumbent's) of each block."""
    return [float(value) for value in np.log(np.asarray(challenger_ms) / np.asarray(incumbent_ms))]


def _by_block(latencies_ns: Latencies, statistic: Statistic) -> list[float]:
    return [round(statistic_of(block, statistic) / 1e6, 6) for block in latencies_ns]


def _turns(request: Request) -> dict[str, Any]:
    """Every challenger in its order; ends early where one is faster than the incumbent, or time is over."""
    table, visited = _Table(request), 0
    with contextlib.ExitStack() as stack:
        incumbent = stack.enter_context(opened(request["incumbent"]["side"]))
        warm_shapes(incumbent, table.inputs)
        table.watch.wait_until_quiet()
        for side in request["challengers"]:
            if table.over:
                break
            append(request["record"], {"kind": "opens", "point": side["point"], "name": side["name"]})
            try:
                with opened(side["side"]) as challenger:
                    faster = table.turns(side, challenger, incumbent)
            except (Unavailable, PipelineError, MemoryError, RuntimeError) as error:
                append(
                    request["record"],
                    {
                        "kind": "failed",
                        "conditions": request["conditions"],
                        "point": side["point"],
                        "name": side["name"],
                        "reason": _reason(error),
                    },
                )
                continue
            visited += 1
            if faster:
                break
    return {"visited": visited, "waited_s": table.watch.waited_for_quiet_s}


def _reason(error: BaseException) -> str:
    """Why a point cannot run here, in words.

    Raises:
        error: nobody foresaw it.
    """
    if isinstance(error, Unavailable):
        return error.reason
    if isinstance(error, PipelineError):
        return error.happened
    memory = memory_reason(error)
    if memory is None:
        raise error
    return f"out of memory: {memory}"


TASKS: dict[str, Callable[[Request], dict[str, Any]]] = {
    **{"applies": applies, "answers": _answers},
    **{"kernels": _kernels, "turns": _turns},
}


def _logged(request: Request) -> dict[str, Any]:
    """A task's answer; what libraries say meanwhile goes to the search's log."""
    log = Path(request["log"])
    log.parent.mkdir(parents=True, exist_ok=True)
    os.environ[TERMINAL] = str(os.dup(terminal_number()))  # for whom it waits is still said there
    with open(log, "a", encoding="utf-8") as stream:
        for descriptor in (1, 2):
            os.dup2(stream.fileno(), descriptor)
    faulthandler.enable()
    return TASKS[request["task"]](request)


def main() -> None:
    """Read a task, do it, answer. A library that crashes says where it was called from."""
    answer_request(_logged)


if __name__ == "__main__":
    main()
