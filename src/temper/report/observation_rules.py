"""Rules that find what is worth saying in a study's records. Each reads records and nothing else.

A rule yields observations (temper/report/observation.py); where the records hold nothing of its kind it yields none.
"""

from collections.abc import Callable, Iterator, Sequence

from temper.measurement.record import NotMeasured, Record
from temper.report.formats import in_order, interval, milliseconds, number, points
from temper.report.observation import Facts, Observation, precision_of, ratio_of, runs_on, workload_of
from temper.report.tables import Row
from temper.statistics.ratio import quotient, verdict
from temper.statistics.tail import calls_needed

BITS = {"FP32": 32, "FP16": 16, "BF16": 16, "FP8": 8, "INT8": 8, "FP4": 4, "INT4": 4}
WORDS = {"win": "faster", "loss": "slower", "tie": "as fast", "undecided": "not told"}
LISTED = 8  # names in a sentence; the rest is a number


def _names(names: Sequence[str]) -> str:
    rest = len(names) - LISTED
    return ", ".join(names[:LISTED]) + (f" and {rest} more" if rest > 0 else "")


def _latency(row: Row) -> str:
    """Median, or mean where the rows differ in length."""
    if row.real_lengths:
        return f"mean {milliseconds(row.latency_mean_ms)} ms"
    return f"p50 {milliseconds(row.latency_p50_ms)} ms"


def fastest(facts: Facts) -> Iterator[Observation]:
    """The fastest candidate of each workload, what the measurement cannot tell from it, and the fastest within the budget."""
    found = facts.rows()
    for name in facts.workloads:
        ratios = {record.candidate: ratio for record in facts.computing if (ratio := ratio_of(record, name))}
        if len(ratios) < 2:
            continue
        first, *others = sorted(ratios, key=lambda candidate: ratios[candidate].ratio)
        equal = [other for other in others if ratios[other].low <= ratios[first].high]
        own = ratios[first]
        text = (
            f"{name}: {first} is the fastest of {len(ratios)}: {_latency(found[first, name])}, "
            f"{interval(own.ratio, own.low, own.high)} × {facts.baseline}'s; "
        )
        text += f"not told apart from it: {_names(equal)}" if equal else f"next is {others[0]}"
        chosen = facts.decision["workloads"][name]["chosen"]
        if chosen is None:
            text += "; the labels of none of them are shown to be within the accuracy budget"
        elif chosen != first:
            text += f"; {chosen} is the fastest whose labels are within the accuracy budget"
        named = [first, *(equal or others[:1]), *([chosen] if chosen else []), facts.baseline]
        yield Observation(text, tuple(dict.fromkeys(named)))


def throughput(facts: Facts) -> Iterator[Observation]:
    """The batch size from which each candidate's saturated throughput grows no more."""
    found = facts.rows()
    for record in facts.computing:
        by_length: dict[int | None, dict[int, float]] = {}
        for name in in_order(record.workloads):
            workload = workload_of(record, name)
            rate = found[record.candidate, name].throughput_samples_per_s
            # 0: no call ended within throughput_duration_s, and nothing is known
            if workload is not None and workload.real_lengths is None and rate:
                by_length.setdefault(workload.sequence_length, {})[workload.batch_size] = rate
        for length, rates in by_length.items():
            if len(rates) > 1:
                tokens = "" if length is None else f" at {length} tokens"
                yield Observation(
                    f"{record.candidate}{tokens}: {_growth(rates, facts.margin)}",
                    (record.candidate,),
                )


def _growth(rates: dict[int, float], margin: float) -> str:
    """In words where throughput stops growing, from samples per second by batch size."""
    sizes = sorted(rates)
    for size in sizes[:-1]:
        later = max((other for other in sizes if other > size), key=lambda other: rates[other])
        if rates[later] <= (1 + margin) * rates[size]:
            return (
                f"throughput stops growing at batch {size}: {number(rates[size], 0)} samples/s, and at most "
                f"{number(rates[later], 0)} in larger ones (batch {later})"
            )
    before, last = sizes[-2:]
    return (
        f"throughput still grows at batch {last}: {number(rates[last], 0)} samples/s, {rates[last] / rates[before]:.2f} × "
        f"that of batch {before}"
    )


def _compared(facts: Facts, own: Record, other: Record) -> str:
    """One candidate's latency over another's on every workload that both were timed on; '' where there is none."""
    said = []
    for name in in_order(own.workloads):
        ratios = ratio_of(own, name), ratio_of(other, name)
        if ratios[0] is not None and ratios[1] is not None:
            taken = quotient(ratios[0], ratios[1])
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
            other = _counterpart(record, [each for each in facts.computing if precisions[each.candidate] == wider])
            said = "" if other is None else _compared(facts, record, other)
            if other is not None and said:
                yield Observation(
                    f"{record.candidate} ({own}) takes, of the latency of {other.candidate} ({wider}): {said}. "
                    f"{_evidence(record)}{_cases(facts, record, other)}",
                    (record.candidate, other.candidate),
                )


def _counterpart(record: Record, others: Sequence[Record]) -> Record | None:
    """The one of some candidates that is run most alike: the same runtime and device at least, else None."""
    alike = [other for other in others if runs_on(other) == runs_on(record)]

    def differences(other: Record) -> tuple[bool, ...]:
        own, its = record.backend.get("options", {}), other.backend.get("options", {})
        return (
            other.backend["name"] != record.backend["name"],
            own.get("mode") != its.get("mode"),
            not any(ratio_of(other, name) and ratio_of(record, name) for name in record.workloads),
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
    """Which of the cases of temper/report/explanation.py holds, where that one was compared too."""
    timed = facts.compared["candidates"][record.candidate]["workloads"]
    cases = {
        name: timed[name]["not_faster"]["case"]
        for name in in_order(timed)
        if timed[name].get("not_faster", {}).get("compared_with") == other.candidate
    }
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
            if (ratio := ratio_of(record, name)) is not None:
                word = WORDS[facts.compared["candidates"][record.candidate]["workloads"][name]["verdict"]]
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


def tails(facts: Facts) -> Iterator[Observation]:
    """How far p95 lies above the median on each workload: the widest, the narrowest, and where it cannot be told."""
    found = facts.rows()
    for name in facts.workloads:
        spreads: dict[str, float] = {}
        for record in facts.computing:
            workload, own = workload_of(record, name), found.get((record.candidate, name))
            if (
                workload is not None
                and own is not None
                and own.latency_p50_ms
                and "95" in workload.latency_percentiles_ms
            ):
                spreads[record.candidate] = workload.latency_percentiles_ms["95"] / own.latency_p50_ms
        if not spreads:
            continue
        widest, narrowest = max(spreads, key=lambda key: spreads[key]), min(spreads, key=lambda key: spreads[key])
        text = f"{name}: p95 is {spreads[widest]:.2f} × the median with {widest}"
        if narrowest != widest:
            text += f", the widest of {len(spreads)}, and {spreads[narrowest]:.2f} × with {narrowest}, the narrowest"
        yield Observation(text, tuple(dict.fromkeys((widest, narrowest))))


def labels(facts: Facts) -> Iterator[Observation]:
    """Labels that differ from the baseline's, with the verdict on the accuracy."""
    found = facts.rows()
    unchanged: list[str] = []
    for record in facts.computing:
        row = next((found[record.candidate, name] for name in record.workloads), None)
        if record.candidate == facts.baseline or row is None or row.labels_differing is None:
            continue
        if not row.labels_differing:
            unchanged.append(record.candidate)
            continue
        rows = facts.compared["candidates"][record.candidate]["accuracy"]["rows"]
        yield Observation(
            f"{record.candidate}: {row.labels_differing} of {rows:,} labels differ from {facts.baseline}'s, the accuracy by "
            f"{points(row)} points: {row.accuracy_verdict} "
            f"{'the budget' if row.accuracy_verdict != 'undecided' else 'against the budget'} of "
            f"{facts.compared['analysis']['accuracy_budget_points']:g}",
            (record.candidate, facts.baseline),
        )
    if unchanged:
        yield Observation(
            f"no label differs from {facts.baseline}'s: {_names(unchanged)}", (*unchanged, facts.baseline)
        )


def not_measured(facts: Facts) -> Iterator[Observation]:
    """What was not measured, and why: whole candidates, workloads, ratios, tails and answers."""
    missing: dict[str, dict[str, None]] = {}
    who: dict[str, dict[str, None]] = {}

    def note(reason: str, record: Record, what: str) -> None:
        missing.setdefault(reason, {})[what] = None
        who.setdefault(reason, {})[record.candidate] = None

    for record in facts.records:
        if record.status == "not measured":
            note(record.reason or "no reason is recorded", record, record.candidate)
            continue
        for name in in_order(record.workloads):
            workload = record.workloads[name]
            if isinstance(workload, NotMeasured):
                note(workload.reason, record, f"{record.candidate} at {name}")
                continue
            if isinstance(workload.ratio, NotMeasured):
                note(workload.ratio.reason, record, f"the ratio of {record.candidate} at {name}")
            for percentile in workload.percentiles_left_out:
                few = f"fewer calls were timed than p{percentile} needs, {calls_needed(float(percentile))}"
                if float(percentile) == 50:
                    few += "; what tables show as p50 is the median of these calls"
                note(few, record, f"p{percentile} of {record.candidate} at {name} ({workload.timed_runs})")
        if isinstance(record.accuracy, NotMeasured) and record.backend["runner"] != "null":
            note(record.accuracy.reason, record, f"the labels of {record.candidate}")
    for reason, what in missing.items():
        yield Observation(f"{_names(list(what))}: {reason}", tuple(who[reason]))


def moved_baselines(facts: Facts) -> Iterator[Observation]:
    """Where the baseline beside a candidate was another than beside itself: such a ratio is to be read with care."""
    for record in facts.computing:
        timed = facts.compared["candidates"][record.candidate]["workloads"]
        moved = {name: timed[name]["baseline_moved"] for name in in_order(timed) if "baseline_moved" in timed[name]}
        if moved:
            said = ", ".join(f"{100 * share:+.0f} %".replace("-", "−") + f" at {name}" for name, share in moved.items())
            yield Observation(
                f"beside {record.candidate} the latency of {facts.baseline} is another than beside itself: {said}; the ratios of "
                "other candidates are to another baseline",
                (record.candidate, facts.baseline),
            )


RULES: tuple[tuple[str, Callable[[Facts], Iterator[Observation]]], ...] = (
    ("The fastest", fastest),
    ("Where throughput stops growing", throughput),
    ("Another runtime, the same precision", other_runtimes),
    ("A lower precision, the same runtime", lower_precision),
    ("Another file, the same runtime and precision", other_files),
    ("The slowest calls", tails),
    ("Labels", labels),
    ("To be read with care", moved_baselines),
    ("Not measured", not_measured),
)
