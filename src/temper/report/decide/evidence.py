"""Whether a measured latency ratio holds, and which candidates a study's ratios tell apart."""

from temper.measurement.record import LatencyRatio, Record, Workload
from temper.measurement.remeasurements import baseline_level_ms
from temper.report.decide.compared import ComparedStudy, Noise
from temper.report.decide.compared_workload import ComparedWorkload, level_over
from temper.statistics.ratio import Ratio, are_told_apart, quotient

BUSY = "busy"  # the cause of a cell that was not measured for want of a quiet machine
DISTURBED = "disturbed"  # the verdict of a ratio that was measured and does not hold
# of a machine's time: the system counts it in hundredths of a second, and turns that the watch kept may lie so far beyond
TICKS_SHARE = 0.02
_SPEED = 0.05  # by which a fixed loop's time differs before it explains anything


def _workload(record: Record | None, name: str) -> Workload | None:
    found = None if record is None else record.workloads.get(name)
    return found if isinstance(found, Workload) else None


def baseline_moved(record: Record, name: str, reference: Record | None) -> float | None:
    """How far the baseline's level beside this candidate is from its level beside itself: 0.1 is 10 % slower.

    Ratios of two candidates can only be compared where both were held against the same baseline. None where one of the two
    levels was not measured.
    """
    own, other = _workload(record, name), _workload(reference, name)
    beside = None if own is None else baseline_level_ms(own)
    level = None if other is None else baseline_level_ms(other)
    return None if beside is None or level is None else beside / level - 1


def _percent(share: float) -> str:
    """About three significant digits: 6.03 %, 19.7 %, 4,546 %."""
    return f"{100 * share:,.0f} %" if share >= 1 else f"{100 * share:.3g} %"


def _busy(record: Record, workload: Workload) -> str | None:
    """That others took more of the machine than the study allows; None where they did not, or older records do not say."""
    allowed, seen = record.measurement.get("busy_share"), workload.contention
    if allowed is None or seen is None or seen.others_share is None or seen.others_share <= allowed + TICKS_SHARE:
        return None
    by = f"; most by {seen.busiest}" if seen.busiest else ""
    return (
        f"others took {_percent(seen.others_share)} of the machine while it was timed ({_percent(allowed)} may be{by})"
    )


def _processor(workload: Workload | None, reference: Workload | None, moved: float) -> str:
    """That the processor itself ran at another speed than beside the baseline alone, where that goes with the baseline's move."""
    loops = [
        None if each is None or each.contention is None else each.contention.fixed_loop_us
        for each in (workload, reference)
    ]
    if loops[0] is None or loops[1] is None:
        return ""
    slower = loops[0].median / loops[1].median
    if abs(slower - 1) < _SPEED or (slower > 1) != (moved > 0):
        return ""
    return (
        f"; a fixed loop took {slower:.2f} × as long as then: the processor itself was {'slower' if slower > 1 else 'faster'} "
        "(its clock, or a neighbour on the same host)"
    )


def _without_level(reference: Record | None, name: str, margin: float) -> str | None:
    """Why there is no level of the baseline that the others' could be held against; None where there is one."""
    workload = _workload(reference, name)
    if reference is None or workload is None:
        return "the baseline was not timed beside itself: nothing shows whether its latency stayed the same"
    if not isinstance(workload.ratio, LatencyRatio) or baseline_level_ms(workload) is None:
        return "the baseline beside itself gave no ratio: nothing shows whether its latency stayed the same"
    spread = workload.ratio.ratio - 1
    if abs(spread) > margin:
        return (
            f"beside itself the baseline takes {_percent(abs(spread))} {'more' if spread > 0 else 'less'} time than itself: "
            "the machine was not quiet"
        )
    busy = _busy(reference, workload)
    return None if busy is None else f"of the baseline beside itself: {busy}"


def why_not(record: Record, name: str, reference: Record | None, margin: float) -> str:
    """Why a workload's ratio does not hold; '' where it does.

    It holds where it was measured, the baseline beside itself was measured and is one with itself (its two sides within the
    margin, nobody else at work), the baseline beside this candidate took as long as beside itself (within the margin), and
    others took no more of the machine than the study allows.

    Args:
        record: of the candidate.
        name: of the workload.
        reference: record of the candidate that is the baseline itself; None where there is none.
        margin: `analysis.latency_margin`.
    """
    workload = record.workloads[name]
    if not isinstance(workload, Workload):
        return workload.reason
    if not isinstance(workload.ratio, LatencyRatio):
        return workload.ratio.reason
    missing = _without_level(reference, name, margin)
    if missing is not None:
        return missing
    moved = baseline_moved(record, name, reference)
    if moved is None:
        return "the baseline's latencies beside it are not in its record"
    if abs(moved) > margin:
        return (
            f"the baseline beside it was {_percent(abs(moved))} {'slower' if moved > 0 else 'faster'} than beside itself: "
            "the ratio is to another baseline than the others'"
            + _processor(workload, _workload(reference, name), moved)
        )
    return _busy(record, workload) or ""


def ratio_in(cell: ComparedWorkload) -> Ratio:
    """The ratio of a workload that was measured."""
    return Ratio(cell.taken.ratio, cell.taken.low, cell.taken.high)


def relative_latency(comparison: ComparedStudy, workload: str, own: str, other: str) -> Ratio:
    """One candidate's latency over another's, with a 95 % interval; both have a ratio.

    Where one of the two is the baseline they were timed in turns, and it is that ratio. Any other two are held against each
    other through the baseline, with its shift between them in the interval (`quotient`).
    """
    cells = {name: comparison.candidates[name].workloads[workload] for name in (own, other)}
    if own == other:
        return Ratio(1.0, 1.0, 1.0)
    if other == comparison.baseline:
        return ratio_in(cells[own])
    if own == comparison.baseline:
        beside = ratio_in(cells[other])
        return Ratio(1 / beside.ratio, 1 / beside.high, 1 / beside.low)
    return quotient(cells[own].taken, cells[other].taken, level_over(cells[own], cells[other]))


def smallest_difference_told(comparison: ComparedStudy, workload: str) -> float:
    """The noise floor of a workload: 0.02 where the baseline beside itself could have been told from one 2 % off.

    0 where it was not measured: then nothing holds there.
    """
    found = comparison.noise.get(workload)
    return found.smallest_difference_told if isinstance(found, Noise) else 0.0


def told_apart(comparison: ComparedStudy, workload: str, own: str, other: str) -> bool:
    """Whether the study tells which of two candidates is the faster on a workload, its noise floor included."""
    found = relative_latency(comparison, workload, own, other)
    return are_told_apart(found, smallest_difference_told(comparison, workload))


def does_hold(comparison: ComparedStudy, workload: str, candidate: str) -> bool:
    """Whether a candidate has a ratio on a workload that conclusions may rest on."""
    cell = comparison.cell(candidate, workload)
    return cell is not None and cell.holds
