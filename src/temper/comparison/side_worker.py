"""One version's process: `python -m temper.comparison.side_worker FD`, a request as JSON on the first line of its input.

Each further line is a command, answered by a line to the file FD. The clock is read here, around the call alone; what a command
costs on its way is in no latency.

{"workload": NAME}  makes its inputs and warms the runner: {"batches", "inputs_sha256"}
{"call": NUMBER}    one untimed call of that batch and a timed one: {"ns"}
"""

import gc
import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from temper.artifacts.signature import Tensors
from temper.backends.runner import Runner
from temper.errors import PipelineError, Unavailable
from temper.measurement.garbage import no_garbage_collection
from temper.measurement.latency import time_call
from temper.measurement.task import each_workload, open_side, read_data
from temper.measurement.timed_inputs import warm_shapes


class Answers:
    """Commands of one loaded runner."""

    def __init__(self, request: Mapping[str, Any], runner: Runner) -> None:
        self._request, self._runner = request, runner
        self._data = read_data(request)
        self._batches: list[Tensors] = []

    def answer(self, command: Mapping[str, Any]) -> dict[str, Any]:
        """Do what a line asks."""
        if "workload" in command:
            name = command["workload"]
            request = {**self._request, "workloads": {name: self._request["workloads"][name]}}
            _, inputs = next(each_workload(request, *self._data))
            self._batches = inputs.batches
            gc.collect()
            warm_shapes(self._runner, inputs)
            return {"batches": len(inputs.batches), "inputs_sha256": inputs.sha256}
        batch = self._batches[command["call"]]
        self._runner.infer(
            batch
        )  # whatever the other side left in the caches, or the wait for this command, is not timed
        _, took_s = time_call(lambda: self._runner.infer(batch), time.perf_counter_ns)
        return {"ns": round(took_s * 1e9)}


def _reason(error: Exception) -> str:
    if isinstance(error, Unavailable):
        return error.reason
    if isinstance(error, PipelineError):
        return error.happened
    traceback.print_exc()
    return f"{type(error).__name__}: {error}"[:400]


def _served(request: Mapping[str, Any], commands: Iterator[str], write: Callable[[dict[str, Any]], None]) -> None:
    with open_side(request["side"]) as runner:
        answers = Answers(request, runner)
        write({"ran": runner.describe()})
        with no_garbage_collection():  # as where two are timed in one process
            for line in commands:
                write(answers.answer(json.loads(line)))


def main() -> None:
    """Open the side, then answer until the input ends; what fails is the last answer."""
    commands = iter(sys.stdin)
    with open(int(sys.argv[1]), "w", encoding="utf-8") as stream:

        def write(answer: dict[str, Any]) -> None:
            stream.write(json.dumps(answer) + "\n")
            stream.flush()

        try:
            _served(json.loads(next(commands)), commands, write)
        except KeyboardInterrupt:
            sys.exit(130)
        except Exception as error:
            write({"failed": _reason(error)})
    sys.stdout.flush()
    os._exit(0)  # some libraries crash or hang while they are torn down, with every answer already given


if __name__ == "__main__":
    main()
