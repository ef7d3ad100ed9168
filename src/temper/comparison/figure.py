"""The plot of a comparison, with intervals: one HTML file that holds everything it needs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from temper.artifact import write_text
from temper.comparison.pairs import against_baseline, same_baseline
from temper.comparison.rows import Row

_BESIDE = 1.04  # lines stand beside each other on the axis of samples, so that their intervals do
_LINE_PX = 26


def _axis(found: Sequence[Row], end: str) -> str | None:
    """The one changed key that ends so, such as calibrations.main.samples; None where there is none or several."""
    keys = [key for key in (found[0].changed_keys if found else []) if key.endswith(end)]
    return keys[0] if len(keys) == 1 else None


def _bars(values: Sequence[tuple[float, float, float]]) -> dict[str, Any]:
    """Plotly's error bars of values with the ends of their intervals."""
    return {
        "type": "data",
        "symmetric": False,
        "array": [high - value for value, _, high in values],
        "arrayminus": [value - low for value, low, _ in values],
        "thickness": 1,
    }


def _said(row: Row) -> str:
    return f"{row.candidate}, {row.labels_differing} labels differ from the baseline's"


def _by_samples(found: Sequence[Row], samples: str, method: str | None) -> Any:
    """Accuracy minus the baseline's against calibration samples: a line per candidate and method."""
    from plotly import graph_objects

    lines: dict[str, list[tuple[int, str, tuple[float, float, float]]]] = {}
    for row in found:
        away = against_baseline(row)
        if away is None:
            continue
        for experiment, settings in row.changed.items():
            name = row.candidate if method is None else f"{row.candidate}, {settings[method]}"
            lines.setdefault(name, []).append((int(settings[samples]), f"{experiment}: {_said(row)}", away))
    figure = graph_objects.Figure()
    for number, (name, members) in enumerate(sorted(lines.items())):
        members.sort(key=lambda member: member[0])
        figure.add_scatter(
            x=[count * _BESIDE ** (number - (len(lines) - 1) / 2) for count, *_ in members],
            y=[away[0] for *_, away in members],
            error_y=_bars([away for *_, away in members]),
            text=[said for _, said, _ in members],
            mode="lines+markers",
            name=name,
        )
    counts = sorted({count for members in lines.values() for count, *_ in members})
    figure.update_xaxes(title_text=f"{samples} (log scale)", type="log", tickvals=counts)
    return figure


def _by_rows(found: Sequence[Row]) -> Any:
    """Accuracy minus the baseline's: a line per row, in the order of the table."""
    from plotly import graph_objects

    shown = [(row, away) for row in found if (away := against_baseline(row)) is not None]
    figure = graph_objects.Figure()
    figure.add_scatter(
        x=[away[0] for _, away in shown],
        y=[f"{row.name}, {row.candidate}" for row, _ in shown],
        error_x=_bars([away for _, away in shown]),
        text=[_said(row) for row, _ in shown],
        mode="markers",
    )
    figure.update_yaxes(autorange="reversed", automargin=True)
    figure.update_layout(height=200 + _LINE_PX * len(shown))
    return figure


def figure_of(found: Sequence[Row]) -> Any:
    """The plot: against samples where these differ, else a line per row.

    What is drawn is the paired difference from the baseline, with a 95 % interval: that of an accuracy by itself would be
    several times as wide, and say nothing of how two rows differ.
    """
    samples, method = _axis(found, ".samples"), _axis(found, ".method")
    title = "accuracy minus the baseline's, points, with 95 % intervals of the paired difference"
    if not same_baseline(found):
        title += " (each from its own experiment's baseline)"
    if samples is not None:
        figure = _by_samples(found, samples, method)
        figure.update_yaxes(title_text=title)
        figure.add_hline(y=0, line_width=1, line_dash="dot")
    else:
        figure = _by_rows(found)
        figure.update_xaxes(title_text=title)
        figure.add_vline(x=0, line_width=1, line_dash="dot")
    figure.update_layout(template="plotly_white")
    return figure


def write_figure(found: Sequence[Row], path: Path, title: str) -> None:
    """Write the plot as a page that opens without a network."""
    figure = figure_of(found)
    figure.update_layout(title_text=title)
    write_text(path, figure.to_html(include_plotlyjs=True, full_html=True))
