"""Rules that hold one candidate against another: a lower precision, another runtime, another file."""

from collections.abc import Iterator, Sequence

from temper.measurement.record import Record
from temper.report.decide.evidence import relative_latency
from temper.report.formats import in_order, interval
from temper.report.observe.observation import Facts, Observation, precision_of, runs_on, workload_of
from temper.statistics.ratio import verdict

BITS = {"FP32": 32, "FP16": 16, "BF16": 16, "FP8": 8, "INT8": 8, "FP4": 4, "INT4": 4}
WORDS = {"win": "faster", "loss": "slower", "tie": "as fast", "undecided": "not told"}


def _compared(facts: Facts, own: Record, other: Record) -> str:
    """One candidate's latency over another's on every workload where both hold; '' where there is none."""
    said = []
    for name in in_order(own.workloads):
        if facts.ratio_of(own, name) and facts.ratio_of(other, name):
            taken = relative_latency(facts.compared, name, own.candidate, other.candidate)
            word = WORDS[verdict(taken, facts.margin)]
            said.append(f"{name} {interval(taken.ratio, taken.low, taken.high)} × ({word})")
    return ", ".join(said)


def lower_precision(facts: Facts) -> Iterator[Observation]:
    """Whether a lower precision is faster on the same runtime, with what the file and the trace show of it."""
    precisions = {record.candidate: precision_of(record) for record in facts.computing}
    for record in facts.computing:
        own = precisions[record.candidate]
        if own is None or BITS.get(own, 32) == 32:
            continue
        for wider in (key for key, bits in BITS.items() if bits > BITS[own]):
            other = _counterpart(
                facts, record, [each for each in facts.computing if precisions[each.candidate] == wider]
            )
            said = "" if other is None else _compared(facts, record, other)
            if other is not None and said:
                yield Observation(
                    f"{record.candidate} ({own}) takes, of the latency of {other.candidate} ({wider}): {said}. "
                    f"{_evidence(record)}{_cases(facts, record, other)}",
                    (record.candidate, other.candidate),
                )


def _counterpart(facts: Facts, record: Record, others: Sequence[Record]) -> Record | None:
    """The one of some candidates that is run most alike: the same runtime and device at least, else None."""
    alike = [other for other in others if runs_on(other) == runs_on(record)]

    def differences(other: Record) -> tuple[bool, ...]:
        own, its = record.backend.get("options", {}), other.backend.get("options", {})
        return (
            other.backend["name"] != record.backend["name"],
            own.get("mode") != its.get("mode"),
            not any(facts.ratio_of(other, name) and facts.ratio_of(record, name) for name in record.workloads),
        )

    return min(alike, key=differences, default=None)


def _evidence(record: Record) -> str:
    """What the census of the file and the trace of the first workload say of the precision."""
    said = []
    census = record.artifact.census if record.artifact else None
    if census:
        counted = ", ".join(f"{count} {precision}" for precision, count in census["by_precision"].items())
        said.append(f"the file holds {counted} products")
    name = next((name for name in in_order(record.workloads) if workload_of(record, name) is not None), None)
    workload = None if name is None else workload_of(record, name)
    if workload is None or workload.executed is None:
        said.append("the backend does not say what it executed")
    elif not workload.executed["products"]["total"]:
        said.append(f"of what was executed no product is listed ({workload.executed['source']})")
    else:
        counted = ", ".join(
            f"{count} {precision}" for precision, count in workload.executed["products_by_precision"].items()
        )
        share = workload.executed["conversion_time_share"]
        conversions = "" if share is None else f"; conversions take {100 * share:.0f} % of the time"
        said.append(f"executed at {name} were {counted} ({workload.executed['source']}){conversions}")
    whole = "; ".join(said)
    return whole[0].upper() + whole[1:]


def _cases(facts: Facts, record: Record, other: Record) -> str:
    """Which of the cases of temper/report/decide/explanation.py holds, where that one was compared too."""
    timed = facts.compared.candidates[record.candidate].workloads
    found = ((name, timed[name].not_faster) for name in in_order(timed))
    cases = {name: why.case for name, why in found if why is not None and why.compared_with == other.candidate}
    return f". Why: {', '.join(f'{name}: {case}' for name, case in cases.items())}" if cases else ""


def other_runtimes(facts: Facts) -> Iterator[Observation]:
    """What another runtime alone gains, in the precision of the baseline."""
    baseline = next((record for record in facts.computing if record.candidate == facts.baseline), None)
    if baseline is None or precision_of(baseline) is None:
        return
    for record in facts.computing:
        if runs_on(record) == runs_on(baseline) or precision_of(record) != precision_of(baseline):
            continue
        said = []
        for name in in_order(record.workloads):
            if (ratio := facts.ratio_of(record, name)) is not None:
                word = WORDS[facts.compared.candidates[record.candidate].workloads[name].verdict or ""]
                said.append(f"{name} {interval(ratio.ratio, ratio.low, ratio.high)} × ({word})")
        if said:
            yield Observation(
                f"{record.candidate}, in {precision_of(record)} as {facts.baseline}, takes of its latency: {', '.join(said)}",
                (record.candidate, facts.baseline),
            )


def other_files(facts: Facts) -> Iterator[Observation]:
    """What another file in floating point changes on the same backend in the same precision: graph steps, opsets."""
    first: dict[tuple[str, str], Record] = {}
    for record in facts.computing:
        precision = precision_of(record)
        if precision is None or record.artifact is None or BITS.get(precision, 32) < 16:
            continue
        before = first.setdefault((record.backend["name"], precision), record)
        if before.artifact is None or before.artifact.loads == record.artifact.loads:
            continue
        said = _compared(facts, record, before)
        if said:
            yield Observation(
                f"{record.artifact.loads} on {record.backend['name']} takes, of the latency of {before.artifact.loads} in the "
                f"same precision ({precision}): {said}",
                (record.candidate, before.candidate),
            )
