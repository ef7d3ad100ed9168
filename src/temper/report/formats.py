"""How figures are written in every table and sentence of the report; what was not measured is a dash."""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

from temper.statistics.metrics import TITLES

if TYPE_CHECKING:
    from temper.report.decide.compared import ComparedStudy
    from temper.report.tables import Row

ABSENT = "–"


def judged_by(comparison: "ComparedStudy") -> str:
    """What the budget is of, in words: accuracy, macro-F1, …"""
    found = (own.metric for own in comparison.candidates.values())
    return TITLES[next((metric for metric in found if metric is not None), "accuracy")]


def in_order(names: Iterable[str]) -> list[str]:
    """Names, each once, with the numbers in them compared as numbers: b4-s128 before b16-s128. Records sort by letters."""
    return sorted(
        set(names), key=lambda name: [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]
    )


def number(value: float | None, digits: int) -> str:
    """With thousands separated and so many digits behind the point."""
    return ABSENT if value is None else f"{value:,.{digits}f}"


class Latency(Protocol):
    """A row of a table, or a workload of a summary: its latency, ms."""

    @property
    def latency_mean_ms(self) -> float | None: ...
    @property
    def latency_p50_ms(self) -> float | None: ...
    @property
    def real_lengths(self) -> str | None: ...


def centre(latency: Latency) -> float | None:
    """The latency that the ratio is of, ms: the mean where the rows differ in length, else the median."""
    return latency.latency_mean_ms if latency.real_lengths else latency.latency_p50_ms


def milliseconds(value: float | None) -> str:
    """About three significant digits: 0.0012, 1.23, 21.3."""
    if value is None:
        return ABSENT
    return (
        f"{value:.4f}"
        if value < 0.01
        else f"{value:.3f}"
        if value < 1
        else f"{value:.2f}"
        if value < 10
        else f"{value:.1f}"
    )


def significant(value: float) -> str:
    """Three significant digits: 0.0123, 0.890, 2.04, 12.5; from 100 on whole, with thousands separated: 1,640."""
    return f"{value:,.0f}" if abs(value) >= 99.95 else f"{value:#.3g}"


def speed_up(ratio: float, low: float, high: float) -> str:
    """How many times as fast as the baseline, with the interval: '2.04 [2.00, 2.09]'; above 1 is faster.

    Args:
        ratio: the candidate's latency over the baseline's.
        low: of its 95 % interval.
        high: of its 95 % interval.
    """
    return f"{significant(1 / ratio)} [{significant(1 / high)}, {significant(1 / low)}]"


def interval(value: float, low: float, high: float) -> str:
    """A ratio of latencies with its 95 % interval: '0.153 [0.151, 0.155]'."""
    digits = 3 if value >= 0.01 else 6
    return f"{value:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def points(row: "Row") -> str:
    """Difference in accuracy with its interval: '−0.34 [−1.10, +0.36]'."""
    if row.accuracy_difference_points is None or row.accuracy_low_points is None or row.accuracy_high_points is None:
        return ABSENT
    values = row.accuracy_difference_points, row.accuracy_low_points, row.accuracy_high_points
    own, low, high = (f"{value:+.2f}".replace("-", "−") for value in values)
    return f"{own} [{low}, {high}]"


def ratio(row: "Row | None") -> str:
    """Latency over the baseline's with its interval."""
    if row is None or row.latency_ratio is None or row.latency_ratio_low is None or row.latency_ratio_high is None:
        return ABSENT
    return interval(row.latency_ratio, row.latency_ratio_low, row.latency_ratio_high)
