"""Rules that find what is worth saying in a study's records. Each reads records and nothing else.

A rule yields observations (temper/report/observe/observation.py); where the records hold nothing of its kind it yields none.
"""

from collections.abc import Callable, Iterator, Sequence

from temper.measurement.record import NotMeasured, Record
from temper.report.decide.decided import DecidedWorkload
from temper.report.decide.evidence import DISTURBED, told_apart
from temper.report.formats import in_order, interval, milliseconds, number, points
from temper.report.observe.observation import Facts, Observation, workload_of
from temper.report.observe.pairs import lower_precision, other_files, other_runtimes
from temper.report.tables import Row
from temper.statistics.tail import calls_needed

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
        ratios = {record.candidate: ratio for record in facts.computing if (ratio := facts.ratio_of(record, name))}
        if len(ratios) < 2:
            continue
        first, *others = sorted(ratios, key=lambda candidate: ratios[candidate].ratio)
        equal = [other for other in others if not told_apart(facts.compared, name, other, first)]
        own = ratios[first]
        text = (
            f"{name}: {first} is the fastest of {len(ratios)}: {_latency(found[first, name])}, "
            f"{interval(own.ratio, own.low, own.high)} × {facts.baseline}'s; "
        )
        text += f"not told apart from it: {_names(equal)}" if equal else f"next is {others[0]}"
        choice = facts.decision.workloads[name]
        chosen = choice.chosen
        if chosen is None:
            text += "; the labels of none of them are shown to be within the accuracy budget"
        elif chosen != first:
            text += f"; chosen is {chosen}, {_why_chosen(choice, first)}"
        named = [first, *(equal or others[:1]), *([chosen] if chosen else []), facts.baseline]
        yield Observation(text, tuple(dict.fromkeys(named)))


def _why_chosen(choice: DecidedWorkload, fastest: str) -> str:
    """Why another one than the fastest is the choice."""
    if fastest in choice.not_told_apart:
        return "which time does not tell from it, and which is smaller or simpler"
    within = "may be" if choice.provisional else "are shown to be"
    return f"the fastest of those whose labels {within} within the accuracy budget"


def throughput(facts: Facts) -> Iterator[Observation]:
    """The batch size from which each candidate's saturated throughput grows no more."""
    found = facts.rows()
    for record in facts.computing:
        by_length: dict[int | None, dict[int, float]] = {}
        for name in in_order(record.workloads):
            workload = workload_of(record, name)
            rate = found[record.candidate, name].throughput_samples_per_s
            # 0: no call ended within throughput_duration_s, and nothing is known
            if workload is not None and workload.real_lengths is None and rate and facts.holds(record, name):
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


def tails(facts: Facts) -> Iterator[Observation]:
    """How far p95 lies above the median on each workload: the widest, the narrowest, and where it cannot be told."""
    found = facts.rows()
    for name in facts.workloads:
        spreads: dict[str, float] = {}
        for record in facts.computing:
            workload, own = workload_of(record, name), found.get((record.candidate, name))
            if (
                workload is not None
                and facts.holds(record, name)
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
        paired = facts.compared.candidates[record.candidate].paired
        if record.candidate == facts.baseline or row is None or paired is None:
            continue
        if not paired.labels_differing:
            unchanged.append(record.candidate)
            continue
        yield Observation(
            f"{record.candidate}: {paired.labels_differing} of {paired.rows:,} labels differ from {facts.baseline}'s, "
            f"the accuracy by {points(row)} points: {paired.verdict} "
            f"{'the budget' if paired.verdict != 'undecided' else 'against the budget'} of "
            f"{facts.compared.budget_points:g}",
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


def disturbed(facts: Facts) -> Iterator[Observation]:
    """Ratios that do not hold, with the reason: no choice, no explanation and no other observation rests on them."""
    cells: dict[str, dict[str, str]] = {}
    for name in facts.workloads:
        for record in facts.computing:
            cell = facts.compared.cell(record.candidate, name)
            if cell is not None and cell.verdict == DISTURBED:
                cells.setdefault(f"{name}: {cell.why_not}", {})[record.candidate] = name
    for reason, who in cells.items():
        name, _, why = reason.partition(": ")
        yield Observation(f"{_names(list(who))} at {name}: disturbed: {why}", (*who, facts.baseline))


RULES: tuple[tuple[str, Callable[[Facts], Iterator[Observation]]], ...] = (
    ("The fastest", fastest),
    ("Where throughput stops growing", throughput),
    ("Another runtime, the same precision", other_runtimes),
    ("A lower precision, the same runtime", lower_precision),
    ("Another file, the same runtime and precision", other_files),
    ("The slowest calls", tails),
    ("Labels", labels),
    ("Disturbed", disturbed),
    ("Not measured", not_measured),
)
