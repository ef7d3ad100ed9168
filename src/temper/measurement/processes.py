"""Which processes a candidate's measurement starts, and what is made of their answers together."""

import contextlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from temper.artifacts.signature import BATCH_AXIS
from temper.environment import plugins
from temper.environment.library import installed_version, public_version
from temper.errors import BackendError, Unavailable
from temper.measurement import worker
from temper.measurement.isolated import NoAnswer, OutOfMemory, run_isolated
from temper.measurement.machine_lock import machine_to_itself
from temper.measurement.patience import note_waited, wait_left_s
from temper.measurement.task import watch_of
from temper.measurement.watch import Busy
from temper.statistics.ratio import ratio_interval

assert worker.TASKS  # imported so that a change of it counts as a change of this module (temper/environment/machine.py)
Json = dict[str, Any]
NO_ANSWERS = "the backend computes no logits: its time is what the calling costs, and nothing is compared with it"


class Processes:
    """One candidate's measurement: which processes are started, and what is made of their answers."""

    def __init__(
        self,
        candidate: Json,
        baseline: Json,
        request: Json,
        gpus: list[int],
        batch_sizes: list[int],
    ) -> None:
        self._candidate, self._baseline, self._request = candidate, baseline, request
        self._gpus, self._batch_sizes = gpus, batch_sizes
        self._wait_s = 0.0  # that this run may still wait for a quiet machine

    def _asked(self, task: str, candidate: Json, batch_sizes: list[int]) -> Json:
        return {
            **self._request,
            "task": task,
            "candidate": candidate,
            "baseline": self._baseline,
            "gpus": self._gpus,
            "batch_sizes": batch_sizes,
            "wait_s": self._wait_s,
        }

    def _run(self, task: str, candidate: Json, batch_sizes: list[int]) -> Json:
        try:
            answer = run_isolated(self._asked(task, candidate, batch_sizes))
            self._wait_s = max(0.0, self._wait_s - answer.get("waited_s", 0.0))
            return answer
        except NoAnswer as ended:
            if ended.killed:
                raise BackendError(
                    asked=f"run {candidate['artifact']} with {candidate['runner']} {candidate['version']}",
                    happened=f"its process was killed twice (SIGKILL, task '{task}'), and no memory killer of the system "
                    "counts it: a person, a batch system or a memory daemon did it",
                    affected="this record only: nothing was written, so that the next run takes it again",
                    fix="see who ends processes here (a limit of the batch system, systemd-oomd, earlyoom), then the same "
                    "command again; where memory is short, a smaller batch or another machine",
                ) from None
            if not ended.crashed:
                raise  # a bug of this project's own: its traceback stands above
            beside = f" beside {self._baseline['artifact']}" if task == "together" else ""
            raise BackendError(
                asked=f"run {candidate['artifact']} with {candidate['runner']} {candidate['version']}{beside}",
                happened=f"the library crashed: the process ended with {ended.how} (task '{task}')",
                affected="this record only; nothing was measured, and other candidates go on",
                fix="the Python stack of the crash stands in this job's log; try another version of the library, or drop "
                "the candidate from params.yaml",
            ) from None

    def _why_apart(self) -> str | None:
        """Why the two cannot be loaded in one process, as far as it is known before it is tried."""
        libraries = [plugins.load("backends", side["runner"]).LIBRARY for side in (self._candidate, self._baseline)]
        if None in libraries or libraries[0].module != libraries[1].module:
            return None
        asked = [
            public_version(side["version"] if side["version"] != "installed" else installed_version(library) or "none")
            for side, library in zip((self._candidate, self._baseline), libraries, strict=True)
        ]
        if asked[0] == asked[1]:
            return None
        return f"one process holds one version of {libraries[0].title}, and they need {asked[0]} and {asked[1]}"

    def _wait_until_quiet(self) -> None:
        """Wait before the first process, as long as this run may; each of them looks again at its own turns."""
        watch = watch_of(self._asked("wait", self._candidate, []))
        with contextlib.suppress(Busy):
            watch.wait_until_quiet()
        self._wait_s = max(0.0, self._wait_s - watch.waited_for_quiet_s)

    def take(self, alone: Json | None = None) -> Json:
        """Facts of the record that were measured: workloads, predictions, memory, what ran; `busy` holds the workloads beside
        which others took too much of the machine.

        Args:
            alone: what an earlier measurement told of the candidate alone; it is not looked at again.
        """
        allowed_s = self._wait_s = wait_left_s(self._request["measurement"]["quiet_wait_s"])
        try:
            with machine_to_itself(self._request["name"]):
                return self._take(alone)
        finally:
            note_waited(allowed_s - self._wait_s)

    def _take(self, alone: Json | None) -> Json:
        self._wait_until_quiet()
        alone = alone or self._run("alone", self._candidate, [])
        self._leave_out({**alone["lost"], **alone["busy"]})
        if not plugins.load("backends", self._candidate["runner"]).PREDICTS:
            timed = self._run("series", self._candidate, []) | {"why_no_ratio": NO_ANSWERS}
            lost, busy = ({**alone[key], **timed.get(key, {})} for key in ("lost", "busy"))
            return {"alone": alone, **timed, "lost": lost, "busy": busy}
        why_apart = self._why_apart()
        if why_apart is None:
            try:
                timed = self._run("together", self._candidate, self._batch_sizes)
            except OutOfMemory as error:
                why_apart = f"the two could not be loaded together: {error}"
        if why_apart is not None:
            timed = self._take_apart(why_apart)
        elif "baseline_unavailable" in timed:
            timed = self._run("series", self._candidate, self._batch_sizes) | {
                "why_no_ratio": f"the baseline could not be run: {timed['baseline_unavailable']}"
            }
        lost, busy = ({**alone[key], **timed.get(key, {})} for key in ("lost", "busy"))
        return {"alone": alone, **timed, "lost": lost, "busy": busy}

    def _leave_out(self, lost: Mapping[str, Any]) -> None:
        """Go on without the workloads that were lost, and the batch sizes that only they had."""
        workloads = self._request["workloads"]
        kept = {name: sizes for name, sizes in workloads.items() if name not in lost}
        gone = {workloads[name][BATCH_AXIS] for name in lost}
        still = {sizes[BATCH_AXIS] for sizes in kept.values()} | set(self._batch_sizes[:1])  # the first one is stated
        self._batch_sizes = [size for size in self._batch_sizes if size in still or size not in gone]
        self._request = {**self._request, "workloads": kept}

    def _take_apart(self, why_apart: str) -> Json:
        own = self._run("series", self._candidate, self._batch_sizes)
        try:
            other = self._run("series", self._baseline, [])
        except (Unavailable, OutOfMemory) as lacking:
            return own | {"why_no_ratio": f"the baseline could not be run: {getattr(lacking, 'reason', lacking)}"}
        for name, found in own["workloads"].items():
            if name in other["lost"] or name in other["busy"]:
                why = (
                    f"out of memory: {other['lost'][name]}" if name in other["lost"] else other["busy"][name]["reason"]
                )
                found["why_no_ratio"] = f"the baseline could not be run: {why}"
                continue
            ratio = ratio_interval(
                np.asarray(found["latencies_ns"], dtype=np.float64),
                np.asarray(other["workloads"][name]["latencies_ns"], dtype=np.float64),
                statistic=found["statistic"],
                resamples=self._request["measurement"]["resamples"],
                seed=self._request["seed"],
                paired=False,
            )
            found["baseline_latencies_ns"] = other["workloads"][name]["latencies_ns"]
            found["ratio"] = {"ratio": ratio.ratio, "low": ratio.low, "high": ratio.high}
        return own | {"why_apart": why_apart, "ran_baseline": other["ran"]}
