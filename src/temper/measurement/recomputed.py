"""A record's figures computed anew from the raw values beside them: one that does not follow from them is named.

A digest shows that a file was changed; who can write the digest too can write any figure beside any latencies. What has no
raw values in a record (memory, throughput of several callers, what was timed alone) is its measurement's word.
"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from temper.evaluation.evaluation import evaluation_of
from temper.measurement.latency import nearest_rank
from temper.measurement.record import Accuracy, LatencyRatio, NotMeasured, Predictions, Record, Workload
from temper.statistics.ratio import Ratio, ratio_interval, statistic_of
from temper.tasks.task import task_of

_PERCENTILE = re.compile(r"\d{1,2}(?:\.\d{1,6})?")
TOLERANCE = 1e-6  # relative: raw values went through milliseconds
_SHOWN = 6  # significant digits


def _differs(found: float, expected: float) -> bool:
    return not math.isclose(found, expected, rel_tol=TOLERANCE, abs_tol=1e-12)


def _says(what: str, found: float, expected: float) -> str:
    return f"{what} is {found:.{_SHOWN}g}, and its raw values give {expected:.{_SHOWN}g}"


def _blocks(latencies: Sequence[float], workload: Workload) -> "np.ndarray[tuple[int, int], np.dtype[np.float64]]":
    return np.asarray(latencies, dtype=np.float64).reshape(-1, workload.calls_per_turn)


def interval_of(record: Record, workload: Workload) -> Ratio | None:
    """The ratio with its interval, computed anew; None where the record has none, or not what it was computed from.

    It takes as long as it took when it was measured: some tenths of a second.
    """
    baseline, resamples = workload.baseline_latencies_ms, record.measurement.get("resamples")
    if not isinstance(workload.ratio, LatencyRatio) or baseline is None or not isinstance(resamples, int):
        return None
    return ratio_interval(
        _blocks(workload.latencies_ms, workload),
        _blocks(baseline, workload),
        statistic=workload.ratio.statistic,
        resamples=resamples,
        seed=record.seed,
        paired=workload.ratio.taken == "in turns",
    )


def _of_latencies(workload: Workload) -> Iterator[str]:
    own = workload.latencies_ms
    if not own or min(own) <= 0:
        yield "latencies_ms has none, or one that took no time"
        return
    if workload.timed_runs != len(own):
        yield _says("timed_runs", workload.timed_runs, len(own))
    if _differs(workload.latency_mean_ms, math.fsum(own) / len(own)):
        yield _says("latency_mean_ms", workload.latency_mean_ms, math.fsum(own) / len(own))
    ordered = sorted(own)
    for percentile, found in workload.latency_percentiles_ms.items():
        if not _PERCENTILE.fullmatch(percentile):
            yield f"latency_percentiles_ms has {percentile[:20]!r}, which is no percentile"
            continue
        expected = nearest_rank(ordered, float(percentile))
        if _differs(found, expected):
            yield _says(f"latency_percentiles_ms.{percentile}", found, expected)
    rate = workload.batch_size * len(own) / (math.fsum(own) / 1e3)
    above = workload.sequential_samples_per_s > rate * (1 + TOLERANCE)
    if above or (workload.real_lengths is None and _differs(workload.sequential_samples_per_s, rate)):
        yield _says("sequential_samples_per_s", workload.sequential_samples_per_s, rate)


def _of_ratio(workload: Workload) -> Iterator[str]:
    ratio, baseline = workload.ratio, workload.baseline_latencies_ms
    if not isinstance(ratio, LatencyRatio):
        return
    if not 0 < ratio.low <= ratio.high:
        yield f"its ratio's interval is [{ratio.low:g}, {ratio.high:g}]"
    if ratio.statistic != ("mean" if workload.real_lengths else "median"):
        yield f"its ratio is of the {ratio.statistic}, which is not that of such a workload"
    if baseline is None:
        yield "it has a ratio, and no latencies of the baseline"
        return
    if not baseline or min(baseline) <= 0:
        yield "baseline_latencies_ms has none, or one that took no time"
        return
    for name, values in (("latencies_ms", workload.latencies_ms), ("baseline_latencies_ms", baseline)):
        if workload.calls_per_turn < 1 or len(values) % workload.calls_per_turn:
            yield f"{name} has {len(values):,} values, which are no turns of {workload.calls_per_turn}"
            return
    expected = statistic_of(np.asarray(workload.latencies_ms), ratio.statistic) / statistic_of(
        np.asarray(baseline), ratio.statistic
    )
    if _differs(ratio.ratio, expected):
        yield _says("its ratio", ratio.ratio, expected)


def disagreement_of(workload: Workload) -> str | None:
    """The first figure of a workload that does not follow from its latencies, in words; None where all do."""
    return next((said for part in (_of_latencies(workload), _of_ratio(workload)) for said in part), None)


def _of_answers(answers: Predictions, accuracy: Accuracy) -> Iterator[str]:
    names, task = accuracy.outputs or len(accuracy.label_names), task_of(accuracy.task)
    logits = answers.logits
    if len(answers.predictions) != accuracy.rows or len(logits) != accuracy.rows:
        yield f"it has {len(answers.predictions):,} predictions and {len(logits):,} rows of logits, of {accuracy.rows:,} rows"
        return
    if any(len(row) != names for row in logits):
        yield f"a row of its logits has not one for each of {names} labels"
        return
    labels, found = np.asarray(accuracy.labels), np.asarray(answers.predictions)
    beyond = np.flatnonzero(~task.possible(found, accuracy.label_names))
    if beyond.size:
        yield f"predictions[{beyond[0]}] is {found[beyond[0]]}, which is none of the {names} labels that it names"
        return
    other = np.flatnonzero(
        ~evaluation_of(accuracy.task).follow(found, np.asarray(logits, dtype=np.float64), accuracy.thresholds)
    )
    if other.size:
        given = "the largest of its logits" if accuracy.task is None else "what its logits give"
        yield f"predictions[{other[0]}] is {found[other[0]]}, which is not {given}"
    expected = task.figure(found, labels)
    if _differs(answers.accuracy, expected):
        yield _says("accuracy", answers.accuracy, expected)


def _of_accuracy(accuracy: Accuracy) -> Iterator[str]:
    if accuracy.stated not in accuracy.by_batch_size:
        yield f"it has no answers of the batch size {accuracy.stated} that count"
        return
    if not accuracy.rows or len(accuracy.labels) != accuracy.rows:
        yield f"it has {len(accuracy.labels):,} labels of {accuracy.rows:,} rows"
        return
    names = accuracy.label_names
    if not task_of(accuracy.task).possible(np.asarray(accuracy.labels), names).all():
        yield f"a label is none of the {len(names)} that it names"
        return
    if accuracy.thresholds is not None and len(accuracy.thresholds) != len(names):
        yield f"it has {len(accuracy.thresholds)} thresholds for {len(names)} labels"
        return
    if accuracy.groups is not None and (len(accuracy.groups) != accuracy.rows or min(accuracy.groups) < 0):
        yield f"it has groups of {len(accuracy.groups):,} rows of {accuracy.rows:,}, or one below 0"
        return
    for size, answers in accuracy.by_batch_size.items():
        yield from (f"at batch size {size}, {said}" for said in _of_answers(answers, accuracy))


def disagreement(record: Record, *, intervals: bool = False) -> str | None:
    """The first figure of a record that does not follow from the raw values beside it, in words; None where all do.

    Args:
        record: of a candidate.
        intervals: draw the ratios' intervals anew as well: exact, and slow.
    """
    for name, workload in record.workloads.items():
        if isinstance(workload, NotMeasured):
            continue
        said = disagreement_of(workload)
        if said is None and intervals:
            said = _of_interval(workload, interval_of(record, workload))
        if said is not None:
            return f"{name}: {said}"
    if isinstance(record.accuracy, NotMeasured):
        return None
    said = next(_of_accuracy(record.accuracy), None)
    return None if said is None else f"accuracy: {said}"


def _of_interval(workload: Workload, drawn: Ratio | None) -> str | None:
    if drawn is None or not isinstance(workload.ratio, LatencyRatio):
        return None
    ends: Mapping[str, tuple[float, float]] = {
        "low": (workload.ratio.low, drawn.low),
        "high": (workload.ratio.high, drawn.high),
    }
    return next((_says(f"its ratio's {end}", *pair) for end, pair in ends.items() if _differs(*pair)), None)
