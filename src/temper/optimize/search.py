"""A race with its turns, answers and failures on the disk: what is decided is decided by that record alone."""

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from temper.artifacts.manifest import sha256
from temper.backends.pytorch_modes import MODES_OF_COMPILE
from temper.environment import plugins
from temper.environment.devices import gpu_indices, nvidia_gpus
from temper.environment.library import resolve_version
from temper.environment.machine import measuring_machine
from temper.environment.source_digest import source_digest
from temper.errors import BackendError, PipelineError, Unavailable
from temper.measurement.isolated import NoAnswer, OutOfMemory, run_isolated
from temper.measurement.machine_lock import machine_to_itself
from temper.measurement.measure import describe_artifact
from temper.measurement.watch import Busy
from temper.optimize import worker
from temper.optimize.points import Point
from temper.optimize.race import Rules, Standing, order, standing
from temper.optimize.record import digest
from temper.optimize.taken import BASELINE, Taken
from temper.optimize.worker import SPLIT
from temper.package.runtime.unpadded import MODES as UNPADDED
from temper.statistics.confidence_sequence import Interval, mean_interval
from temper.study.schema import Study

WORKER, LOG = "temper.optimize.worker", "logs/optimize.log"
VISIT_BLOCKS = 12  # of a challenger before the next one's turns: loading it costs more than they do
_MEASUREMENT = ("warmup_runs", "calls_per_turn", "distinct_batches", "busy_share")  # what a turn depends on
_COMPILING = 8  # processes at once that compile kernels, each of which has its engine on the GPU
_EXACT_ASKED = 5  # points whose answers are looked at for the fastest that changes no label


@dataclass
class Search:
    """One search in the folder of its trials.

    Attributes:
        folder: of the trials' study.
        record: the file that turns, answers and failures are added to.
        study: the trials' params.yaml, checked.
        workload: the row of `workloads:` that is raced.
        budget_points: accuracy that may be lost, percentage points.
        rules: of the race.
        most_ms: median that may not be exceeded; None for any.
        say: tells the person at the terminal.
        busy: what others did that ended a visit early.
    """

    folder: Path
    record: Path
    study: Study
    workload: str
    budget_points: float
    rules: Rules
    most_ms: float | None = None
    say: Callable[[str], None] = print
    busy: list[str] = field(default_factory=list)
    _sides: dict[str, dict[str, Any]] = field(default_factory=dict)
    _digests: dict[str, dict[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._data = str(self.folder / "data/prepared")
        self._measurement = self.study.measurement.model_dump(mode="json")
        conditions = {
            "workload": self.study.workloads[self.workload],
            "measurement": {key: self._measurement[key] for key in _MEASUREMENT},
            "seed": self.study.seed,
            "rows": sha256(Path(self._data) / f"{SPLIT}.parquet"),
            "machine": measuring_machine(),
            "gpus": [asdict(gpu) for gpu in nvidia_gpus()],
            "source": source_digest(Path(worker.__file__)),
        }
        self.taken = Taken(self.record, digest(conditions))

    def add(self, point: Point, options: Mapping[str, Any], version: str) -> None:
        """Let a point take part, unless it is one that does by another name.

        Args:
            point: what it is.
            options: of its backend, complete.
            version: of its library, as asked.
        """
        runner, callers = point.backend["runner"], {"callers": point.callers} if point.callers > 1 else {}
        version = resolve_version(plugins.load("backends", runner).LIBRARY, version)
        identity = digest(
            {
                "files": self._files(point.loads),
                "runner": runner,
                "options": dict(options),
                "version": version,
                "source": source_digest(plugins.PACKAGE / plugins.file_of("backends", runner)),
                **callers,
            }
        )
        if identity in self.taken.names:
            return
        self.taken.points[point.name], self.taken.identity[point.name] = point, identity
        artifact = str(self.folder / "artifacts" / point.loads)
        self._sides[point.name] = {
            **{"runner": runner, "artifact": artifact},
            **{"options": dict(options), "version": version},
            **callers,
        }

    def _files(self, loads: str) -> dict[str, str]:
        """SHA-256 of an artifact's files, by its manifest."""
        if loads not in self._digests:
            self._digests[loads] = describe_artifact(loads, self.folder / "artifacts" / loads).files_sha256
        return self._digests[loads]

    def standing(self) -> Standing:
        """Where the race stands, by what is on the disk."""
        passed = {name: why is None for name, why in self.taken.verdicts(self.budget_points).items()}
        passed |= dict.fromkeys(self.taken.failed(), False)
        if self.most_ms is not None:
            medians = self.taken.medians_ms()
            calls = {name: median * self.taken.points[name].callers for name, median in medians.items()}
            slow = [name for name, call_ms in calls.items() if call_ms > self.most_ms and name != BASELINE]
            passed |= dict.fromkeys(slow, False)
        return standing(list(self.taken.points), BASELINE, self.taken.turns(), self.rules, passed)

    def beside(self, name: str, found: Standing) -> tuple[str | None, Interval | None]:
        """The last incumbent that a point was held against, and what their turns say."""
        if name in found.dropped:
            return found.dropped[name].by, found.dropped[name].interval
        if name in found.open and found.open[name].values:
            return found.incumbent, found.open[name]
        own = [each.incumbent for each in self.taken.turns() if each.challenger == name]
        if not own:
            return None, None
        return own[-1], mean_interval(self.taken.values(name, own[-1]), self.rules.error)

    def speeds(self, found: Standing) -> dict[str, float]:
        """How many times as fast as the baseline each point is that had a turn: estimates, no intervals."""
        known = {name: self.beside(name, found) for name in self.taken.points}
        beside = {name: (by, own.mean) for name, (by, own) in known.items() if by is not None and own and own.values}
        return self.taken.speeds(found.led, beside)

    def _request(self, task: str, **more: Any) -> dict[str, Any]:
        return {
            "task": task,
            "name": f"optimize {self.workload}",
            "data_folder": self._data,
            "workloads": {self.workload: self.study.workloads[self.workload]},
            "measurement": self._measurement,
            "seed": self.study.seed,
            "gpus": self._gpus(),
            "wait_s": 0.0,
            "record": str(self.record),
            "conditions": self.taken.conditions,
            "log": str(self.folder / LOG),
            **more,
        }

    def _gpus(self) -> list[int]:
        rows = [self.study.backends[name] for name in self.taken.points if name in self.study.backends]
        return next((gpu_indices(row.gpus, row.options) for row in rows if row.gpus), [])

    def compile_ahead(self, cores: int, until: float) -> int:
        """Have kernels compiled that libraries compile where an artifact is loaded, and keep: of several artifacts at once, not
        one by one while the race waits. What fails here is met again, and told, where it is raced.

        Args:
            cores: of this machine.
            until: of time.monotonic(): what has not ended by then is stopped.

        Returns:
            How many there were to do: artifacts, each in each of PyTorch's modes.
        """
        known, sides = self.taken.medians_ms(), dict[tuple[str, str], list[dict[str, Any]]]()
        for name, side in self._sides.items():
            if _keeps_kernels(side) and name not in known:
                sides.setdefault((side["artifact"], side["options"].get("mode", "")), []).append(side)
        if not sides:
            return 0
        self.say(f"compiling kernels of {len(sides)} candidates")

        def compile_one(of_artifact: list[dict[str, Any]]) -> None:
            left = until - time.monotonic()
            if left > 0:
                with contextlib.suppress(Unavailable, PipelineError, OutOfMemory, NoAnswer):
                    run_isolated(self._request("kernels", sides=of_artifact), worker=WORKER, timeout_s=left)

        with ThreadPoolExecutor(max(1, min(_COMPILING, cores // 2))) as pool:
            list(pool.map(compile_one, sides.values()))
        return len(sides)

    def look_at_answers(self, name: str) -> None:
        """Have a point answer the validation rows, and note how."""
        reference, identity = self.taken.reference(), self.taken.identity
        if reference is None:
            asked = self._request("answers", side=self._sides[BASELINE], reference=None)
            reference = run_isolated(asked, worker=WORKER)["labels"]
            self.taken.add("reference", point=identity[BASELINE], labels=reference)
        asked = self._request("answers", side=self._sides[name], reference=reference)
        try:
            line = run_isolated(asked, worker=WORKER)
        except (Unavailable, OutOfMemory, BackendError, NoAnswer) as error:
            line = {"reason": getattr(error, "reason", None) or getattr(error, "happened", None) or str(error)}
        self.taken.add("answers", point=identity[name], name=name, reference=identity[BASELINE], **line)

    def visit(self, found: Standing, seconds: float) -> None:
        """Give the open candidates their next turns beside the incumbent, until one is ahead."""
        led = dict.fromkeys([BASELINE, *(each.incumbent for each in self.taken.turns()), found.incumbent])

        def side(name: str) -> dict[str, Any]:
            known = self.taken.values(name, found.incumbent)
            return {
                **{"name": name, "point": self.taken.identity[name]},
                **{"side": self._sides[name], "log_ratios": known},
            }

        request = self._request(
            "turns",
            incumbent=side(found.incumbent),
            challengers=[side(name) for name in order(found)],
            rules={"arms": self.rules.arms, "margin": self.rules.margin, "error": self.rules.error},
            number=list(led).index(found.incumbent) + 1,
            visit_blocks=VISIT_BLOCKS,
            seconds=seconds,
            wait_s=min(seconds, self._measurement["quiet_wait_s"]),
        )
        try:
            with machine_to_itself(f"optimize {self.study.study}", say=self.say):
                run_isolated(request, worker=WORKER)
        except Busy as busy:  # what was timed before is on the disk
            self.busy.append(busy.reason)
            self.say(busy.reason)
        except (NoAnswer, OutOfMemory) as ended:
            name = self.taken.opened_last()
            if name is None or name not in found.open:
                raise
            self.taken.add("failed", point=self.taken.identity[name], name=name, reason=_how_it_ended(ended))

    def run(self, until: float, also: Callable[[str], Sequence[Point]] = lambda name: ()) -> Standing:
        """Race until all is decided, or until the clock says so.

        Args:
            until: of time.monotonic().
            also: points that take part once all others are decided, by the one that leads.
        """
        asked = set[str]()
        while True:
            found = self.standing()
            left = until - time.monotonic()
            if found.asks:
                self._ask(found.asks[0])
            elif not found.open and found.incumbent not in asked:
                asked.add(found.incumbent)
                lead = self._sides[found.incumbent]
                for point in also(found.incumbent):
                    self.add(point, {**lead["options"], **point.backend["options"]}, lead["version"])
            elif not found.open or left <= 0:
                return found
            else:
                self.say(f"{len(found.open)} open beside {found.incumbent}, {left:.0f} s left")
                self.visit(found, left)

    def _ask(self, name: str) -> None:
        self.look_at_answers(name)
        why = self.taken.verdicts(self.budget_points)[name]
        self.say(f"{name} is ahead" if why is None else f"{name} is out: {why}")

    def fastest_exact(self, found: Standing) -> str | None:
        """The fastest by its estimate, of the few fastest float files, that changes no label of the validation rows."""
        speeds = self.speeds(found)
        failed = self.taken.failed()
        floats = [
            name
            for name in sorted(speeds, key=lambda name: -speeds[name])
            if speeds[name] > 1 and not self.taken.points[name].low_precision and name not in failed
        ]
        for name in floats[:_EXACT_ASKED]:
            if name not in self.taken.answers():
                self.look_at_answers(name)
            line = self.taken.answers()[name]
            if line.get("differing") == 0:
                return name
        return None


def _keeps_kernels(side: Mapping[str, Any]) -> bool:
    """Whether what is compiled for it is on the disk for the next process: TensorRT-RTX's cache, or PyTorch's on a GPU."""
    options = side["options"]
    compiled = options.get("device") == "cuda" and options.get("mode") in (*MODES_OF_COMPILE, *UNPADDED)
    return bool(options.get("runtime_cache")) or compiled


def _how_it_ended(ended: NoAnswer | OutOfMemory) -> str:
    if isinstance(ended, OutOfMemory):
        return f"out of memory: {ended}"
    return f"its process ended with {ended.how} while it was timed; {LOG} of the trials has its output"
