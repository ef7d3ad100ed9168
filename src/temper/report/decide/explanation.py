"""Why a lower precision is not faster, from what was executed and measured."""

from collections.abc import Mapping, Sequence

from temper.measurement.record import LatencyRatio, Record, Workload
from temper.report.decide.compared_workload import ComparedWorkload, NotFaster, level_over
from temper.report.tables import median_ms
from temper.statistics.ratio import quotient

_LOW = ("INT8", "FP8", "INT4", "FP4", "FP16", "BF16")
_EIGHT_BITS = ("INT8", "FP8", "INT4", "FP4")
Cells = Mapping[str, ComparedWorkload]  # of one candidate, by workload
_FLAT_GROWTH = 0.1  # of what the work grows by: a latency that grows less does not come from the work
_LAUNCH_BOUND_WORK = 4  # times the work, before its lack of effect says anything


def low_precision(record: Record) -> str | None:
    """The narrowest precision below FP32 that the candidate's artifact or its execution holds; None where it is FP32."""
    held = set((record.artifact.census or {}).get("by_precision", {}) if record.artifact else {})
    for workload in record.workloads.values():
        if isinstance(workload, Workload) and workload.executed is not None:
            held |= set(workload.executed["products_by_precision"])
    return next((precision for precision in _LOW if precision in held), None)


def _reference(record: Record, records: Sequence[Record], name: str) -> Record | None:
    """The FP32 candidate on the same backend that runs this workload; None where there is none."""
    for other in records:
        if (
            other.candidate != record.candidate
            and other.backend["name"] == record.backend["name"]
            and isinstance(other.workloads.get(name), Workload)
            and other.artifact is not None
            and other.artifact.loads.partition("/")[0]
            == (record.artifact.loads.partition("/")[0] if record.artifact else "")
            and low_precision(other) is None
        ):
            return other
    return None


def _is_launch_bound(record: Record, cells: Cells) -> str | None:
    """Evidence that latency hardly depends on the work: the same candidate's smallest and largest fixed workload that hold."""
    sized = sorted(
        (workload.batch_size * (workload.sequence_length or 1), median_ms(workload))
        for name, workload in record.workloads.items()
        if isinstance(workload, Workload) and workload.real_lengths is None and cells[name].holds
    )
    if len(sized) < 2 or sized[-1][0] < _LAUNCH_BOUND_WORK * sized[0][0]:
        return None
    (work, fast), (more_work, slow) = sized[0], sized[-1]
    if slow / fast - 1 > _FLAT_GROWTH * (more_work / work - 1):
        return None
    return f"{more_work / work:.0f} times the work takes {slow / fast:.2f} times as long"


def not_faster(
    record: Record, name: str, records: Sequence[Record], cells: Mapping[str, Cells], margin: float
) -> NotFaster | None:
    """Which of four cases holds where a lower precision is not faster than FP32 on the same backend.

    The latencies compared are both taken beside the baseline, each as its ratio to the baseline's, with the baseline's shift
    between the two in the interval. Nothing is explained where one of the two does not hold: noise has no reason.

    Args:
        record: of the candidate.
        name: of the workload.
        records: of all candidates.
        cells: what was compared of each candidate's workloads.
        margin: by how much it must be faster to count, with the whole 95 % interval of the two ratios' quotient.

    Returns:
        None where it is faster, is FP32 itself, or has nothing to compare with.
        The cases: 'not quantized', 'conversions eat the gain', 'too small to matter', 'no fast kernel'; 'not known' where the
        backend does not say what it executed, 'not told' where the interval holds both faster and not.
    """
    workload, low = record.workloads.get(name), low_precision(record)
    reference = _reference(record, records, name)
    if not isinstance(workload, Workload) or low is None or reference is None:
        return None
    other = reference.workloads[name]
    if not isinstance(other, Workload):
        return None
    if not isinstance(workload.ratio, LatencyRatio) or not isinstance(other.ratio, LatencyRatio):
        return None
    own_cell, other_cell = cells[record.candidate][name], cells[reference.candidate][name]
    if not own_cell.holds or not other_cell.holds:
        return None
    found = quotient(workload.ratio, other.ratio, level_over(own_cell, other_cell))
    if found.high <= 1 - margin:
        return None
    if found.low <= 1 - margin:
        case, evidence = "not told", f"the interval reaches from {found.low:.2f} to {found.high:.2f} times as long"
    else:
        case, evidence = _case(record, workload, cells[record.candidate], found.ratio, low, margin)
    return NotFaster(low, reference.candidate, found.ratio, case, evidence)


def _case(
    record: Record, workload: Workload, cells: Cells, relative: float, low: str, margin: float
) -> tuple[str, str]:
    executed = workload.executed
    if executed is None:
        return "not known", "the backend does not say what it executed"
    by_precision, total = executed["products_by_precision"], executed["products"]["total"]
    wanted = _EIGHT_BITS if low in _EIGHT_BITS else _LOW
    lowered = sum(count for precision, count in by_precision.items() if precision in wanted)
    if not total:  # TensorRT as an execution provider: one node, and no word of what is in it
        return "not known", f"no product is listed among what was executed ({executed['source']})"
    if not lowered:
        return "not quantized", f"none of {total} executed products is {low} ({executed['source']})"
    share = executed["conversion_time_share"]
    if share is not None and relative * (1 - share) <= 1 - margin:
        return (
            "conversions eat the gain",
            f"{100 * share:.0f} % of the time goes into quantizing, casting and reordering; without it the latency would "
            f"be {relative * (1 - share):.2f} of FP32's",
        )
    flat = _is_launch_bound(record, cells)
    if flat is not None:
        return "too small to matter", flat
    dearest = next(
        (
            f"{kind['type']} ({kind['kernel']})" if kind["kernel"] else kind["type"]
            for kind in executed["most_expensive_types"]
        ),
        "unknown",
    )
    conversions = "an unknown share" if share is None else f"{100 * share:.0f} %"
    return (
        "no fast kernel",
        f"{lowered} of {total} products ran in {low}, conversions take {conversions} of the time, and it still takes "
        f"{relative:.2f} times as long as FP32; the dearest layers are {dearest}",
    )
