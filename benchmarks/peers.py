"""What the benchmarks beside other tools share: a finished study's candidates and a peer's models, timed in turns in one run.

Each side is timed in turns with the study's baseline, and each peer with the first of the candidates too: the ratio between
those two is then no quotient of two runs. Accuracy is of all test rows. Nothing here is a test.
"""

import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from temper.artifacts.signature import Signature
from temper.backends.opening import open_artifact
from temper.backends.runner import Runner
from temper.data.encoded import Split, read_split
from temper.measurement.accuracy import predict
from temper.measurement.alternation import Stopping, time_in_turns
from temper.measurement.timed_inputs import TimedInputs, has_real_lengths, timed_inputs, warm_shapes
from temper.statistics.paired_labels import flips
from temper.study.params_file import load_params
from temper.study.study import Study, read_study


class FinishedStudy:
    """The study in the working folder, whose artifacts are made."""

    def __init__(self) -> None:
        self.study: Study = read_study(load_params("params.yaml"))
        self.signature = Signature.model_validate_json(Path("data/prepared/signature.json").read_text(encoding="utf-8"))

    def split(self, name: str) -> Split:
        """Prepared rows: train, validation, calibration or test."""
        return read_split(f"data/prepared/{name}.parquet", self.signature)

    def inputs(self, split: Split, workload: str) -> TimedInputs:
        """A split's rows brought to the shape of a workload, by its name."""
        return timed_inputs(
            split,
            self.signature,
            self.study.workloads[workload],
            distinct_batches=self.study.measurement.distinct_batches,
            seed=self.study.seed,
        )

    def open(self, name: str | None = None) -> Runner:
        """Not yet entered: a candidate, or the baseline."""
        row = self.study.baseline if name is None else self.study.candidates[name]
        backend = self.study.backends[row.backend]
        return open_artifact(backend.runner, f"artifacts/{row.loads}", backend.options, "installed")


def measure(
    finished: FinishedStudy, candidates: list[str], peers: Mapping[str, Runner], seconds: float
) -> dict[str, object]:
    """Ratios, medians, accuracy and flips of the candidates and of the peers.

    Args:
        peers: by what to call each, not yet entered.
        seconds: at most, of each pair and workload.
    """
    test, batch_size = finished.split("test"), finished.study.measurement.accuracy_batch_size
    figures: dict[str, object] = {}
    with ExitStack() as stack:
        baseline = stack.enter_context(finished.open())
        sides = {name: stack.enter_context(finished.open(name)) for name in candidates}
        first = sides[candidates[0]]
        sides |= {name: stack.enter_context(peer) for name, peer in peers.items()}
        expected = predict(baseline, test, finished.signature, batch_size=batch_size)
        for name, side in sides.items():
            found = predict(side, test, finished.signature, batch_size=batch_size)
            own: dict[str, object] = {
                "accuracy": float((found.labels == test.labels).mean()),
                "flips": flips(found.labels, expected.labels, test.labels).differing,
            }
            for workload in finished.study.workloads:
                own[workload] = _in_turns(finished, workload, test, side, baseline, seconds)
                if name in peers:
                    own[f"{workload} beside {candidates[0]}"] = _in_turns(
                        finished, workload, test, side, first, seconds
                    )
            figures[name] = own
            print(name, own, flush=True)
    return {"baseline_accuracy": float((expected.labels == test.labels).mean()), "sides": figures}


def _in_turns(
    finished: FinishedStudy, workload: str, test: Split, side: Runner, other: Runner, seconds: float
) -> dict[str, object]:
    settings, inputs = finished.study.measurement, finished.inputs(test, workload)
    for runner in (side, other):
        warm_shapes(runner, inputs)
    turns = time_in_turns(
        side,
        other,
        inputs.batches,
        statistic="mean" if has_real_lengths(finished.study.workloads[workload]) else "median",
        warmup_runs=settings.warmup_runs,
        calls_per_turn=settings.calls_per_turn,
        stopping=Stopping(
            settings.min_calls, settings.max_calls, settings.min_duration_s, seconds, settings.relative_half_width
        ),
        resamples=settings.resamples,
        seed=finished.study.seed,
        clock_ns=time.perf_counter_ns,
    )
    return {
        "median_ms": float(np.median(turns.candidate_ns) / 1e6),
        "mean_ms": float(np.mean(turns.candidate_ns) / 1e6),
        "other_median_ms": float(np.median(turns.baseline_ns) / 1e6),
        "other_mean_ms": float(np.mean(turns.baseline_ns) / 1e6),
        "ratio": [turns.ratio.ratio, turns.ratio.low, turns.ratio.high],
        "faster": 1 / turns.ratio.ratio,
        "calls": int(turns.candidate_ns.size),
    }
