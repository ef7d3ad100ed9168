"""What the page shows of one candidate: its latencies beside the baseline's, what ran, what it costs, where it came from."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from markupsafe import Markup

from temper.measurement.record import NotMeasured, Record, Workload
from temper.report.decide.compared_workload import ComparedWorkload
from temper.report.formats import ABSENT, judged_by
from temper.report.page.charts import calls_over_time, distribution, shares_bar
from temper.report.page.formats import count, figure, mebibytes, percent, signed, spread
from temper.report.page.material import Beside, Material
from temper.report.page.names import anchor
from temper.report.page.precisions import colour_class, in_order
from temper.report.page.provenance import commands, engine_facts, provenance
from temper.report.page.table import Cell, ran_in, speed_of
from temper.report.tables import Row, rows

DEAREST = 6  # kinds of layers


@dataclass(frozen=True)
class Bar:
    """A bar cut by precision, with its legend: name, colour and share."""

    title: str
    bar: Markup
    legend: Sequence[tuple[str, str, str]]


@dataclass(frozen=True)
class Timed:
    """A candidate on one workload."""

    workload: str
    reason: str  # why there is no latency; '' where there is one
    speed: str
    interval: str
    notes: Sequence[tuple[str, str]]  # tone and text
    figures: Sequence[tuple[str, str, str, str]]  # name, candidate's, baseline's beside it, what is said of it
    distribution: Markup
    calls: Markup
    bars: Sequence[Bar]
    dearest: Sequence[tuple[str, str, str, str]]  # type, kernel, layers, share of time
    source: str


@dataclass(frozen=True)
class Candidate:
    """A part of the page."""

    name: str
    anchor: str
    chosen_for: Sequence[str]
    is_baseline: bool
    ran: str
    library: str
    device: str
    loads: str
    summary: Sequence[tuple[str, str, str]]  # per workload: name, speed, verdict
    tiles: Sequence[tuple[str, Cell]]
    timed: Sequence[Timed]
    flips: int | None
    engine: Mapping[str, Any] | None
    commands: Sequence[tuple[str, str]]
    provenance: Sequence[tuple[str, str]]
    load_tests: Sequence[str]


def candidates(material: Material) -> list[Candidate]:
    """All of them, in the order of the records; the null backend last, for it shows what measuring costs."""
    every = rows(material.records, material.compared)
    ordered = sorted(material.records, key=lambda record: not material.predicts(record))
    return [
        _candidate(material, record, [row for row in every if row.candidate == record.candidate]) for record in ordered
    ]


def _candidate(material: Material, record: Record, own: Sequence[Row]) -> Candidate:
    paired = material.paired(record.candidate)
    name = record.candidate
    ran = dict.fromkeys(found for row in own if (found := ran_in(record, row.workload)[0]) != ABSENT)
    beside = material.beside or Beside()
    engine = beside.engines.get(record.artifact.loads) if record.artifact else None
    return Candidate(
        name=name,
        anchor=anchor("candidate", name),
        chosen_for=[each for each, found in material.decision.workloads.items() if found.chosen == name],
        is_baseline=name == material.baseline,
        ran=", ".join(ran) or ABSENT,
        library=own[0].library,
        device=str((record.ran or {}).get("device", "GPU" if record.backend["gpus"] else "cpu")),
        loads=own[0].loads or ABSENT,
        summary=[(row.workload, _speed(row), row.latency_verdict or ABSENT) for row in own],
        tiles=_tiles(material, record, own[0]),
        timed=[_timed(material, record, row) for row in own],
        flips=paired.labels_differing if paired and name != material.baseline else None,
        engine=engine_facts(engine),
        commands=commands(record, engine),
        provenance=provenance(record),
        load_tests=beside.tests_of.get((record.backend["name"], own[0].loads), ()),
    )


def _speed(row: Row) -> str:
    speed = speed_of(row)
    return ABSENT if speed is None else f"{figure(speed[0])} ×"


def _tiles(material: Material, record: Record, row: Row) -> list[tuple[str, Cell]]:
    """Figures of the candidate as a whole; a dash with its reason where nothing was measured."""
    compared, cold, memory = material.compared.candidates[record.candidate], record.cold_start, record.memory
    lost = record.reason or "withdrawn, or not in its record"
    paired, judged = compared.paired, judged_by(material.compared)
    tiles = [(judged, _shown(row.accuracy, lambda value: f"{100 * value:.2f} %", compared.why_not_paired))]
    if paired and record.candidate != material.baseline:
        difference = signed(paired.difference_points)
        within = spread(paired.difference_low_points, paired.difference_high_points, "signed")
        tiles.append((f"{judged}, difference", Cell(f"{difference} points", None, small=within)))
        tiles.append(("flips", Cell(f"{paired.labels_differing:,} of {paired.rows:,}", None)))
        tiles += [(title, Cell(f"{value:.3g}", None)) for title, value in paired.beside.items()]
    if cold is None:
        tiles.append(("cold start", Cell(ABSENT, None, lost)))
    else:
        total = (cold.import_s or 0.0) + cold.load_s + cold.first_call_ms / 1000
        said = f"import {figure(cold.import_s)} s, load {figure(cold.load_s)} s, first call {figure(cold.first_call_ms)} ms"
        tiles.append(("cold start", Cell(f"{figure(total)} s", total, said)))
    tiles.append(("host memory, peak", _shown(row.peak_rss_mib, mebibytes, lost)))
    gpu_reason = (memory.gpu_reason if memory else None) or lost
    tiles.append(("GPU memory, peak", _shown(row.gpu_peak_mib, mebibytes, gpu_reason)))
    tiles.append(("size on disk", _shown(row.size_mib, mebibytes, lost)))
    return tiles


def _shown(value: float | None, form: Any, reason: str) -> Cell:
    return Cell(ABSENT, None, reason) if value is None else Cell(form(value), value)


def _timed(material: Material, record: Record, row: Row) -> Timed:
    own, cell, baseline = (
        record.workloads[row.workload],
        material.cell(record.candidate, row.workload),
        material.baseline,
    )
    if isinstance(own, NotMeasured):
        nothing = Markup("")
        return Timed(row.workload, own.reason, ABSENT, "", (), (), nothing, nothing, (), (), "")
    speed = speed_of(row)
    return Timed(
        workload=row.workload,
        reason="",
        speed=_speed(row),
        interval="" if speed is None else spread(speed[1], speed[2]),
        notes=_notes(cell),
        figures=_figures(own, cell),
        distribution=distribution(own, name=record.candidate, baseline=baseline),
        calls=calls_over_time(own, name=record.candidate, baseline=baseline),
        bars=_bars(own),
        dearest=[
            (str(kind["type"]), str(kind["kernel"] or ABSENT), str(kind["layers"]), percent(kind["time_share"]))
            for kind in (own.executed or {}).get("most_expensive_types", [])[:DEAREST]
            if kind["time_share"] is not None
        ],
        source=str((own.executed or {}).get("source", "")),
    )


def _notes(cell: ComparedWorkload) -> list[tuple[str, str]]:
    """What stands beside a latency: whether it holds, and why a lower precision is not faster."""
    found = []
    if not cell.holds:
        found.append(("unsure", f"does not hold: {cell.why_not}"))
    if why := cell.not_faster:
        text = (
            f"{why.precision} takes {why.relative_latency:.2f} times as long as {why.compared_with}: "
            f"{why.case}: {why.evidence}"
        )
        found.append(("why", text))
    if cell.timed and cell.timed.disturbed:
        slower = "slower" if cell.timed.disturbance > 0 else "faster"
        found.append(("", f"beside the baseline it is {100 * abs(cell.timed.disturbance):.0f} % {slower} than alone"))
    if cell.why_apart:
        found.append(("", f"not timed in turns: {cell.why_apart}"))
    return found


def _rank(latencies: Sequence[float], percentile: str) -> float:
    """By the nearest rank, as the record's own."""
    ordered = sorted(latencies)
    rank = math.ceil(Fraction(percentile) * len(ordered) / 100)
    return ordered[max(rank, 1) - 1]


def _figures(own: Workload, cell: ComparedWorkload) -> list[tuple[str, str, str, str]]:
    """Percentiles of the candidate and of the baseline beside it, throughput, and the calls alone."""
    beside = own.baseline_latencies_ms
    found = []
    for name, value in sorted(own.latency_percentiles_ms.items(), key=lambda each: float(each[0])):
        found.append((f"p{name}, ms", figure(value), figure(_rank(beside, name)) if beside else ABSENT, ""))
    for name, reason in own.percentiles_left_out.items():
        found.append((f"p{name}, ms", ABSENT, ABSENT, reason))
    mean = figure(sum(beside) / len(beside)) if beside else ABSENT
    found.append(("mean, ms", figure(own.latency_mean_ms), mean, ""))
    found.append(
        ("alone, median, ms", figure(own.alone_median_ms), ABSENT, f"{own.alone_calls:,} calls in a process of its own")
    )
    if own.device_time_ms is not None:
        found.append(("on the device, ms", figure(own.device_time_ms), ABSENT, "by its own clock, without copies"))
    callers = str(cell.timed.throughput_callers) if cell.timed else ""
    best = f"{callers} {'caller' if callers == '1' else 'callers at once'}" if callers else ""
    found.append(("samples/s", figure(max(own.throughput_samples_per_s.values())), ABSENT, best))
    found.append(("samples/s, one caller", figure(own.sequential_samples_per_s), ABSENT, "one call after the other"))
    found.append(("calls", count(own.timed_runs), count(len(beside)) if beside else ABSENT, _ended(own)))
    return found


def _ended(own: Workload) -> str:
    stopped = getattr(own.ratio, "stopped", None)
    return f"timing ended: {stopped}" if stopped else ""


def _bars(own: Workload) -> list[Bar]:
    ran = own.executed or {}
    found = []
    products, times = ran.get("products_by_precision") or {}, ran.get("time_share_by_precision") or {}
    if products:
        legend = [(name, colour_class(name), f"{number}") for name, number in in_order(products)]
        said = "Products by precision: " + ", ".join(f"{value} {name}" for name, _, value in legend)
        found.append(Bar("products by the precision in which they ran", shares_bar(products, label=said), legend))
    known = {name: share for name, share in times.items() if share}
    if known:
        legend = [(name, colour_class(name), percent(share)) for name, share in in_order(known)]
        said = "Share of time by precision: " + ", ".join(f"{name} {value}" for name, _, value in legend)
        title = "time by precision"
        if ran.get("conversion_time_share") is not None:
            title += f"; {percent(ran['conversion_time_share'])} of it quantises, casts and reorders"
        found.append(Bar(title, shares_bar(known, label=said), legend))
    return found
