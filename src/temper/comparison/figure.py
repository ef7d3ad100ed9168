"""The page of a comparison: its plot with intervals, tables and notes, in one HTML file that holds everything it needs."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from temper.artifacts.manifest import write_text
from temper.comparison.pairs import against_baseline, same_baseline
from temper.comparison.rows import Row
from temper.comparison.tables import Comparison, accuracy_table, latency_table, pairs_table
from temper.report.page.formats import minus, signed, spread
from temper.report.page.svg import Scale, drawing, path, tag
from temper.report.page.tables_page import tables_page

Estimate = tuple[float, float, float]
BESIDE = 1.04  # lines stand beside each other on the axis of samples, so that their intervals do
SERIES = 8  # colours of the style sheet
WIDTH = 960.0
_LINE_PX, _NAME_PX = 26.0, 320.0


@dataclass(frozen=True)
class Points:
    """A line of the plot: places on the axis of samples, or lines of the table from 0; differences with their intervals."""

    name: str
    places: Sequence[float]
    differences: Sequence[Estimate]
    said: Sequence[str]


@dataclass(frozen=True)
class Plot:
    """Accuracy minus the baseline's: against samples where these differ (`samples` is their key), else a line per row."""

    samples: str | None
    rows: Sequence[str]
    lines: Sequence[Points]
    title: str


def _axis(found: Sequence[Row], end: str) -> str | None:
    """The one changed key that ends so, such as calibrations.main.samples; None where there is none or several."""
    keys = [key for key in (found[0].changed_keys if found else []) if key.endswith(end)]
    return keys[0] if len(keys) == 1 else None


def _said(row: Row, who: str, away: Estimate) -> str:
    points = f"{signed(away[0])} points {spread(away[1], away[2], 'signed')}"
    return f"{who}\n{points}\n{row.labels_differing} labels differ from the baseline's"


def _by_samples(found: Sequence[Row], samples: str, method: str | None) -> list[Points]:
    """A line per candidate and method."""
    lines: dict[str, list[tuple[int, str, Estimate]]] = {}
    for row in found:
        away = against_baseline(row)
        if away is None:
            continue
        for experiment, settings in row.changed.items():
            name = row.candidate if method is None else f"{row.candidate}, {settings[method]}"
            said = _said(row, f"{experiment}: {row.candidate}", away)
            lines.setdefault(name, []).append((int(settings[samples]), said, away))
    return [
        Points(
            name,
            [count * BESIDE ** (number - (len(lines) - 1) / 2) for count, *_ in members],
            [away for *_, away in members],
            [said for _, said, _ in members],
        )
        for number, (name, unsorted) in enumerate(sorted(lines.items()))
        if (members := sorted(unsorted, key=lambda member: member[0]))
    ]


def plot_of(found: Sequence[Row]) -> Plot:
    """What is drawn: the paired difference from the baseline, with a 95 % interval.

    That of an accuracy by itself would be several times as wide, and say nothing of how two rows differ.
    """
    samples, method = _axis(found, ".samples"), _axis(found, ".method")
    title = "accuracy minus the baseline's, points, with 95 % intervals of the paired difference"
    if not same_baseline(found):
        title += " (each from its own experiment's baseline)"
    if samples is not None and all(isinstance(count, int) for row in found for count in row.values(samples)):
        return Plot(samples, (), _by_samples(found, samples, method), title)
    shown = [(row, away) for row in found if (away := against_baseline(row)) is not None]
    several = len({row.name for row, _ in shown}) > 1
    names = [f"{row.name}, {row.candidate}" if several else row.candidate for row, _ in shown]
    points = Points(
        "",
        list(range(len(shown))),
        [away for _, away in shown],
        [_said(row, name, away) for name, (row, away) in zip(names, shown, strict=True)],
    )
    return Plot(None, names, [points] if shown else [], title)


def _range(plot: Plot) -> tuple[float, float]:
    ends = [end for line in plot.lines for estimate in line.differences for end in estimate]
    low, high = min([0.0, *ends]), max([0.0, *ends])
    room = max(0.06 * (high - low), 0.05)
    return low - room, high + room


def drawn(plot: Plot) -> Markup:
    """The plot as SVG; '' where it has no points."""
    if not plot.lines:
        return Markup("")
    return _against_samples(plot) if plot.samples else _row_by_row(plot)


def _against_samples(plot: Plot) -> Markup:
    height, left = 420.0, 56.0
    places = [place for line in plot.lines for place in line.places]
    x = Scale(max(min(places), 0.5) / 1.15, max(*places, 1.0) * 1.15, left, WIDTH - 16, log=True)
    y = Scale(*_range(plot), height - 46, 12)
    parts = [tag("line", x1=left, x2=WIDTH - 16, y1=y(0), y2=y(0), class_="one")]
    for value in y.ticks(6):
        parts += [
            tag("line", x1=left, x2=WIDTH - 16, y1=y(value), y2=y(value), class_="grid"),
            tag("text", minus(f"{value:+g}" if value else "0"), x=left - 6, y=y(value) + 4, class_="small end"),
        ]
    counts = sorted({round(place / BESIDE**shift) for line, shift in _shifts(plot) for place in line.places})
    parts += [tag("text", f"{count:,}", x=x(count), y=height - 28, class_="small middle") for count in counts]
    parts.append(tag("text", f"{plot.samples} →", x=WIDTH / 2, y=height - 8, class_="small middle"))
    for number, line in enumerate(plot.lines):
        at = [(x(place), y(away[0])) for place, away in zip(line.places, line.differences, strict=True)]
        marks = [
            tag(
                "g",
                tag("title", f"{line.name}\n{said}"),
                tag("path", d=f"M{px:.1f} {y(away[1]):.1f}V{y(away[2]):.1f}", class_="whisker"),
                tag("circle", cx=px, cy=py, r=4.0, class_="dot"),
                class_="mark",
            )
            for (px, py), away, said in zip(at, line.differences, line.said, strict=True)
        ]
        parts.append(tag("g", tag("path", d=path(at), class_="through"), *marks, class_=f"series s{number % SERIES}"))
    return drawing(WIDTH, height, *parts, label=plot.title)


def _shifts(plot: Plot) -> list[tuple[Points, float]]:
    return [(line, number - (len(plot.lines) - 1) / 2) for number, line in enumerate(plot.lines)]


def _row_by_row(plot: Plot) -> Markup:
    (line,) = plot.lines
    height = 40 + _LINE_PX * len(plot.rows)
    x = Scale(*_range(plot), _NAME_PX, WIDTH - 16)
    parts = []
    for value in x.ticks(7):
        parts += [
            tag("line", x1=x(value), x2=x(value), y1=4, y2=height - 30, class_="grid"),
            tag("text", minus(f"{value:+g}" if value else "0"), x=x(value), y=height - 12, class_="small middle"),
        ]
    parts.append(tag("line", x1=x(0), x2=x(0), y1=4, y2=height - 30, class_="one"))
    most = math.floor(_NAME_PX / 6.6)
    for name, place, away, said in zip(plot.rows, line.places, line.differences, line.said, strict=True):
        py = 16 + _LINE_PX * place
        parts.append(
            tag(
                "g",
                tag("title", said),
                tag(
                    "text",
                    name if len(name) <= most else f"…{name[1 - most :]}",
                    x=_NAME_PX - 10,
                    y=py + 4,
                    class_="end",
                ),
                tag("path", d=f"M{x(away[1]):.1f} {py:.1f}H{x(away[2]):.1f}", class_="whisker"),
                tag("circle", cx=x(away[0]), cy=py, r=4.5, class_="dot"),
                class_="mark series s0",
            )
        )
    return drawing(WIDTH, height, *parts, label=plot.title)


def write_page(found: Comparison, notes: Sequence[str], target: Path, title: str) -> None:
    """Write the comparison as a page that opens without a network: plot, accuracy, latency, every pair, notes."""
    plot = plot_of(found.rows)
    words = {"pair", "candidate", "accuracy"}  # the last column of words in each table
    tables = [
        (name, header, lines, max((at + 1 for at, each in enumerate(header) if each in words), default=1))
        for name, (header, lines) in (
            ("Accuracy", accuracy_table(found)),
            ("Latency", latency_table(found)),
            ("Pairs, by accuracy", pairs_table(found)),
        )
    ]
    written = tables_page(
        title,
        said=plot.title,
        picture=drawn(plot),
        series=[(line.name, f"s{number % SERIES}") for number, line in enumerate(plot.lines)] if plot.samples else [],
        tables=tables,
        notes=notes,
        nothing="No row has an accuracy and a baseline's beside it.",
    )
    write_text(target, written)
