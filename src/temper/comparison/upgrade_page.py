"""Two versions of a library as a page: how much longer each candidate takes with the new one, and the tables."""

from collections.abc import Sequence

from markupsafe import Markup

from temper.comparison.versions import (
    EngineRow,
    LabelRow,
    TimedRow,
    engines_table,
    labels_table,
    timed_table,
)
from temper.report.formats import interval
from temper.report.page.svg import Scale, drawing, tag
from temper.report.page.tables_page import tables_page

WIDTH = 960.0
_LINE_PX, _NAME_PX = 26.0, 320.0
_LETTERS = 46  # of a name that fit beside the picture


def ratios_drawn(timed: Sequence[TimedRow], margin: float) -> Markup:
    """A line for each ratio, the new version's latency over the old one's, with its interval; '' where there is none.

    Args:
        timed: the ratios.
        margin: `latency_margin`, drawn as the band in which two versions are equal.
    """
    if not timed:
        return Markup("")
    ends = [1 - 2 * margin, 1 + 2 * margin, *(end for row in timed for end in (row.low, row.high))]
    height = 40 + _LINE_PX * len(timed)
    x = Scale(min(ends) / 1.02, max(ends) * 1.02, _NAME_PX, WIDTH - 16, log=True)
    band = {"x": x(1 - margin), "width": x(1 + margin) - x(1 - margin), "y": 4, "height": height - 34}
    parts = [tag("rect", **band, class_="noise")]
    for value in x.ticks(7):
        parts += [
            tag("line", x1=x(value), x2=x(value), y1=4, y2=height - 30, class_="grid"),
            tag("text", f"{value:g}", x=x(value), y=height - 12, class_="small middle"),
        ]
    parts.append(tag("line", x1=x(1), x2=x(1), y1=4, y2=height - 30, class_="one"))
    for place, row in enumerate(timed):
        y, name = 16 + _LINE_PX * place, f"{row.candidate}, {row.workload}"
        parts.append(
            tag(
                "g",
                tag("title", f"{name}\n{interval(row.ratio, row.low, row.high)} ×: {row.verdict}"),
                tag(
                    "text",
                    name if len(name) <= _LETTERS else f"…{name[1 - _LETTERS :]}",
                    x=_NAME_PX - 10,
                    y=y + 4,
                    class_="end",
                ),
                tag("path", d=f"M{x(row.low):.1f} {y:.1f}H{x(row.high):.1f}", class_="whisker"),
                tag("circle", cx=x(row.ratio), cy=y, r=4.5, class_="dot"),
                class_="mark series s0",
            )
        )
    return drawing(WIDTH, height, *parts, label="Latency with the new version over that with the old one")


def upgrade_page(
    title: str,
    engines: Sequence[EngineRow],
    labels: Sequence[LabelRow],
    timed: Sequence[TimedRow],
    notes: Sequence[str],
    margin: float,
) -> str:
    """The page. What stands in upgrade.md stands in it, and a picture of the latencies.

    Args:
        title: which version after which.
        engines: what each built.
        labels: what each answered.
        timed: their latencies, the new version's over the old one's.
        notes: how the tables are read.
        margin: `latency_margin`.
    """
    return tables_page(
        title,
        said="the new version's latency over the old one's, 95 % intervals: left of 1 is faster, within the band equal",
        picture=ratios_drawn(timed, margin),
        tables=[
            ("Latency", *timed_table(timed)),
            ("Accuracy", *labels_table(labels)),
            ("Builds", *engines_table(engines)),
        ],
        notes=notes,
        nothing="No latency was taken with both versions here.",
    )
