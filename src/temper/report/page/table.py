"""The table of a workload's candidates: six columns to begin with, the others to be switched on."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from temper.measurement.record import Record
from temper.report.decide.evidence import DISTURBED
from temper.report.formats import ABSENT, centre, judged_by
from temper.report.page.charts import ratio_bar
from temper.report.page.formats import count, figure, signed, spread
from temper.report.page.material import Material
from temper.report.page.names import anchor
from temper.report.page.precisions import colour_class, executed, in_order, narrowest
from temper.report.tables import Row, rows

Value = float | str | None
NO_BAR = Markup("")


@dataclass(frozen=True)
class Column:
    """A column: its key, its heading with the unit, what it means, whether it is shown to begin with."""

    key: str
    heading: str
    means: str
    shown: bool = False
    words: bool = False


@dataclass(frozen=True)
class Cell:
    """A cell: what it shows, what it is sorted and copied by, and what is said of it where a pointer rests."""

    text: str
    value: Value
    said: str = ""
    bar: Markup = NO_BAR
    small: str = ""  # an interval behind the figure
    tone: str = ""  # class: good, bad, unsure
    href: str = ""
    also: tuple[tuple[str, str], ...] = ()  # more words with their tone


@dataclass(frozen=True)
class Line:
    """A candidate's line."""

    candidate: str
    cells: dict[str, Cell]
    chosen: bool
    baseline: bool


@dataclass(frozen=True)
class Table:
    """The candidates of a workload."""

    workload: str
    columns: Sequence[Column]
    lines: Sequence[Line]


_TONES = {
    "win": "good",
    "within": "good",
    "loss": "bad",
    "beyond": "bad",
    "undecided": "unsure",
    DISTURBED: "unsure",
    "tie": "",
}
ACCURACY_WORDS = {
    "within": "within budget",
    "beyond": "beyond budget",
    "undecided": "budget undecided",
}


def columns(material: Material, workload: str, every: Sequence[Row]) -> list[Column]:
    """The table's columns, of which some are shown to begin with."""
    real = any(row.real_lengths for row in every)
    percentiles = sorted({p for row in every for p in row.latency_percentiles_ms or {} if p != "50"}, key=float)
    budget = material.compared.budget_points
    judged = judged_by(material.compared)
    found = [
        Column("candidate", "candidate", "a row of candidates: what is loaded, and by which backend", True, True),
        Column(
            "ran",
            "ran in",
            "precisions in which matrix products and convolutions were executed, most first",
            True,
            True,
        ),
        Column("speed", f"× {material.baseline}", "times as fast as the baseline, with a 95 % interval", True),
        Column(
            "latency",
            "mean, ms" if real else "p50, ms",
            "mean latency: the calls differ in size"
            if real
            else "median latency of a call, host arrays to host logits",
            True,
        ),
        Column(
            "points",
            f"{judged}, points",
            f"{judged} minus the baseline's on the same rows, with a 95 % interval",
            True,
        ),
        Column(
            "verdict",
            "verdict",
            f"of the latency, and of the {judged} against a budget of {budget:g} points",
            True,
            True,
        ),
        Column("flips", "flips", "test rows with another label than the baseline's"),
        Column("accuracy", f"{judged}, %", "of the whole test split"),
        *(Column(f"p{p}", f"p{p}, ms", f"percentile {p} of the latency") for p in percentiles),
        Column("p50" if real else "mean", "p50, ms" if real else "mean, ms", "of the same calls"),
        Column("saturated", "samples/s", "with the best number of callers at once"),
        Column("sequential", "samples/s, one caller", "one call after the other"),
        Column("start", "cold start, s", "import, load and first call of a new process"),
        Column("host", "host peak, MiB", "peak resident set of a process that runs nothing else"),
        Column("gpu", "GPU peak, MiB", "in use on the GPU above what was before"),
        Column("size", "size, MiB", "weights with their graph, or the engine"),
        Column("p", "McNemar p", "exact conditional McNemar test of the flips (McNemar 1947)"),
        Column("loses", "loses at most, points", "upper end of the 95 % interval of the loss"),
        Column("calls", "calls", "that were timed"),
        Column("padding", "padding, %", "of the tokens that it computed"),
        Column("library", "library", "and version that ran", False, True),
        Column("loads", "loads", "artifact", False, True),
        Column("why", "why not chosen", "what excludes it from the choice", False, True),
    ]
    unknown = {column.key for column in found[6:]}
    lines = _lines(material, workload, every)
    known = {key for line in lines for key in unknown if line.cells[key].value is not None}
    return [column for column in found if column.key not in unknown or column.key in known]


def table(material: Material, workload: str) -> Table:
    """The table of a workload, the fastest first. Candidates without a figure have a dash and the reason."""
    every = [row for row in rows(material.records, material.compared) if row.workload == workload]
    return Table(workload, columns(material, workload, every), _lines(material, workload, every))


def speed_of(row: Row) -> tuple[float, float, float] | None:
    """How many times as fast as the baseline, with its interval; None where there is no ratio."""
    if row.latency_ratio is None or row.latency_ratio_low is None or row.latency_ratio_high is None:
        return None
    return 1 / row.latency_ratio, 1 / row.latency_ratio_high, 1 / row.latency_ratio_low


def points_of(row: Row) -> tuple[float, float, float] | None:
    """Points of accuracy gained or lost against the baseline, with their interval; None where that is not known."""
    if row.accuracy_difference_points is None or row.accuracy_low_points is None or row.accuracy_high_points is None:
        return None
    return row.accuracy_difference_points, row.accuracy_low_points, row.accuracy_high_points


def _lines(material: Material, workload: str, every: Sequence[Row]) -> list[Line]:
    speeds = [found for row in every if material.predicts(material.record(row.candidate)) and (found := speed_of(row))]
    scale = (min([0.95, *(each[1] for each in speeds)]), max([1.05, *(each[2] for each in speeds)]))
    chosen = material.decision.of(workload).chosen
    lines = [
        Line(
            row.candidate,
            _cells(material, row, scale),
            chosen == row.candidate,
            row.candidate == material.baseline,
        )
        for row in every
        if material.predicts(material.record(row.candidate))
    ]
    return sorted(lines, key=lambda line: -(_float(line.cells["speed"].value) or 0.0))


def _float(value: Value) -> float | None:
    return value if isinstance(value, float) else None


def _number(value: float | None, reason: str, *, digits: str = "") -> Cell:
    if value is None:
        return Cell(ABSENT, None, reason or "not recorded")
    return Cell(digits or figure(value), value)


def ran_in(record: Record, workload: str) -> tuple[str, str]:
    """'INT8+FP32', most first, and what is behind it: '10 INT8, 8 FP32 products (OpenVINO's performance counters)'."""
    ran = executed(record, workload)
    if not ran:
        return ABSENT, ""
    counted = sorted(ran["products_by_precision"].items(), key=lambda item: (-item[1], item[0]))
    said = ", ".join(f"{number} {name}" for name, number in counted)
    return "+".join(name for name, _ in counted) or "no products", f"products: {said or 'none'}" + (
        f" ({ran['source']})" if ran.get("source") else ""
    )


def _cells(material: Material, row: Row, scale: tuple[float, float]) -> dict[str, Cell]:
    record, cell = material.record(row.candidate), material.cell(row.candidate, row.workload)
    compared = material.compared.candidates[row.candidate]
    why_not_timed, why_no_answers = row.reason or cell.reason, compared.why_not_paired
    speed, points = speed_of(row), points_of(row)
    ran, behind = ran_in(record, row.workload)
    percentiles = row.latency_percentiles_ms or {}
    start = None if row.load_s is None else (row.import_s or 0.0) + row.load_s + (row.first_call_ms or 0.0) / 1000
    why = material.decision.of(row.workload).excluded.get(row.candidate)
    found = {
        "candidate": Cell(row.candidate, row.candidate, href=f"#{anchor('candidate', row.candidate)}"),
        "ran": Cell(
            ran,
            ran if behind else None,
            behind or why_not_timed or "the backend does not say what it executed",
            tone=colour_class(narrowest(record, row.workload)) if behind else "",
            also=tuple((name, colour_class(name)) for name, _ in _most_first(record, row.workload)),
        ),
        "speed": Cell(ABSENT, None, why_not_timed)
        if speed is None
        else Cell(
            figure(speed[0]),
            speed[0],
            cell.why_not,
            ratio_bar(speed, scale),
            spread(speed[1], speed[2]),
            tone="" if cell.holds else "unsure",
        ),
        "latency": _number(centre(row), why_not_timed),
        "points": Cell(ABSENT, None, why_no_answers)
        if points is None
        else Cell(signed(points[0]), points[0], small=spread(points[1], points[2], "signed")),
        "verdict": _verdict(row, why or why_not_timed, is_baseline=row.candidate == material.baseline),
        "flips": _number(row.labels_differing, why_no_answers, digits=count(row.labels_differing)),
        "accuracy": _number(
            None if row.accuracy is None else 100 * row.accuracy,
            why_no_answers,
            digits="" if row.accuracy is None else f"{100 * row.accuracy:.2f}",
        ),
        "p50": _number(row.latency_p50_ms, why_not_timed),
        "mean": _number(row.latency_mean_ms, why_not_timed),
        "saturated": _number(row.throughput_samples_per_s, why_not_timed),
        "sequential": _number(row.sequential_samples_per_s, why_not_timed),
        "start": _number(start, record.reason or "withdrawn or not recorded"),
        "host": _number(row.peak_rss_mib, record.reason or ""),
        "gpu": _number(row.gpu_peak_mib, (record.memory.gpu_reason if record.memory else None) or record.reason or ""),
        "size": _number(row.size_mib, record.reason or ""),
        "p": _number(row.mcnemar_exact_p, why_no_answers),
        "loses": _number(compared.paired.loses_at_most_points if compared.paired else None, why_no_answers),
        "calls": _number(row.timed_runs, why_not_timed, digits=count(row.timed_runs)),
        "padding": _number(
            None if row.computed_padding_share is None else 100 * row.computed_padding_share, why_not_timed
        ),
        "library": Cell(row.library, row.library),
        "loads": Cell(row.loads or ABSENT, row.loads or None, record.reason or ""),
        "why": Cell(why or ABSENT, why, "nothing excludes it"),
    }
    names = {name for each in material.records for w in [each.workloads.get(row.workload)] if w for name in _names(w)}
    for name in names:
        left_out = getattr(record.workloads[row.workload], "percentiles_left_out", {}).get(name, "")
        found[f"p{name}"] = _number(percentiles.get(name), why_not_timed or left_out)
    return found


def _names(workload: object) -> list[str]:
    return list(getattr(workload, "latency_percentiles_ms", {}))


def _most_first(record: Record, workload: str) -> list[tuple[str, float]]:
    ran = executed(record, workload)
    return sorted(in_order(ran["products_by_precision"]), key=lambda each: -each[1]) if ran else []


_ORDER = ("within", "undecided", "beyond", None)


def _verdict(row: Row, why: str, *, is_baseline: bool) -> Cell:
    """Latency's word and accuracy's word; sorted by what may be served first."""
    if is_baseline:
        return Cell("baseline", "0 baseline", "the baseline beside itself")
    if row.latency_verdict is None and row.reason is not None:
        return Cell("not measured", "9 not measured", row.reason, also=(("not measured", "unsure"),))
    timed = (row.latency_verdict or "no ratio", _TONES.get(row.latency_verdict or "", "unsure"))
    answered = ACCURACY_WORDS.get(row.accuracy_verdict or "", "no accuracy")
    rank = _ORDER.index(row.accuracy_verdict if row.accuracy_verdict in _ORDER else None)
    words = (timed, (answered, _TONES.get(row.accuracy_verdict or "", "unsure")))
    return Cell(f"{timed[0]}, {answered}", f"{rank} {timed[0]}", why, also=words)
