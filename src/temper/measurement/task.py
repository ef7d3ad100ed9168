"""What the tasks of a measurement's processes have in common: the sides that are run, their inputs, and lost workloads."""

import contextlib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from temper.artifacts.signature import Signature, read_signature
from temper.backends.opening import open_artifact
from temper.backends.runner import Runner
from temper.data.encoded import Split, read_split
from temper.environment.memory import memory_reason
from temper.logs.script_log import say_passing
from temper.measurement.gpu_watch import watch_gpus
from temper.measurement.timed_inputs import TimedInputs, timed_inputs
from temper.measurement.watch import WINDOW_S, Busy, Limits, Watch

Request = Mapping[str, Any]


def watch_of(request: Request) -> Watch:
    """The watch over what a task times; it says on the terminal for whom it waits."""
    measurement = request["measurement"]
    return Watch(
        Limits(
            busy_share=measurement["busy_share"],
            wait_s=request["wait_s"],
            lost_s=max(measurement["max_duration_s"], 10 * WINDOW_S),
        ),
        say=lambda line: say_passing(f"{request['name']}: {line}"),
        gpu=watch_gpus(request["gpus"], measurement["busy_share"]),
    )


def open_side(side: Mapping[str, Any]) -> Runner:
    """A runner of the candidate or the baseline, not yet loaded."""
    return open_artifact(side["runner"], side["artifact"], side["options"], side["version"])


def read_data(request: Request) -> tuple[Split, Signature]:
    """Test rows and the model's signature."""
    folder = Path(request["data_folder"])
    signature = read_signature(folder / "signature.json")
    return read_split(folder / "test.parquet", signature), signature


def signature_of(artifact: str, prepared: Signature) -> Signature:
    """What decides an artifact's answers: its own signature, which knows what was chosen after the data was prepared."""
    if prepared.labels is None:
        return prepared
    return read_signature(Path(artifact) / "signature.json")


def each_workload(request: Request, split: Split, signature: Signature) -> Iterator[tuple[str, TimedInputs]]:
    """Name and inputs of each workload, made when its turn comes."""
    for name, workload in request["workloads"].items():
        yield (
            name,
            timed_inputs(
                split,
                signature,
                workload,
                distinct_batches=request["measurement"]["distinct_batches"],
                seed=request["seed"],
            ),
        )


class Lost:
    """Workloads for which memory ran out, or beside which the machine was busy; the others go on."""

    def __init__(self, names: Collection[str]) -> None:
        self._names = names
        self.reasons: dict[str, str] = {}
        self.busy: dict[str, dict[str, Any]] = {}  # reason and contention

    @contextlib.contextmanager
    def unless_busy(self, name: str) -> Iterator[None]:
        """Note the reason and the evidence, and go on, where the machine is busy inside for longer than is waited."""
        try:
            yield
        except Busy as busy:
            self.busy[name] = {"reason": busy.reason, "contention": busy.contention}
            print(f"{name}: {busy.reason}", flush=True)

    @contextlib.contextmanager
    def unless_out_of_memory(self, name: str) -> Iterator[None]:
        """Note the reason and go on where memory runs out inside; raise where that is so for every workload."""
        try:
            yield
        except Exception as error:
            reason = memory_reason(error)
            if reason is None:
                raise
            self.reasons[name] = reason
            print(f"{name}: out of memory: {reason}", flush=True)
            if len(self.reasons) == len(self._names):
                raise
