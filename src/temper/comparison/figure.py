"""The plot of a comparison: one HTML file that holds everything it needs."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from temper.artifact import write_text

if TYPE_CHECKING:
    from temper.comparison.experiments import Row


def _axis(found: Sequence["Row"], end: str) -> str | None:
    """The one changed key that ends so, such as calibrations.main.samples; None where there is none or several."""
    keys = [key for key in (found[0].changed if found else {}) if key.endswith(end)]
    return keys[0] if len(keys) == 1 else None


def _by_samples(found: Sequence["Row"], samples: str, method: str | None) -> Any:
    """Accuracy against calibration samples: a line per candidate and method."""
    from plotly import graph_objects

    lines: dict[str, list[Row]] = {}
    for row in found:
        name = row.candidate if method is None else f"{row.candidate}, {row.changed[method]}"
        lines.setdefault(name, []).append(row)
    figure = graph_objects.Figure()
    for name, members in sorted(lines.items()):
        members = sorted(
            (row for row in members if row.accuracy is not None), key=lambda row: int(row.changed[samples])
        )
        if members:
            figure.add_scatter(
                x=[row.changed[samples] for row in members],
                y=[100 * row.accuracy for row in members if row.accuracy is not None],
                text=[f"{row.experiment}: {row.labels_differing} labels differ" for row in members],
                mode="lines+markers",
                name=name,
            )
    figure.update_xaxes(
        title_text=f"{samples} (log scale)", type="log", tickvals=sorted({r.changed[samples] for r in found})
    )
    return figure


def _by_latency(found: Sequence["Row"]) -> Any:
    """Accuracy against the latency ratio: a point per row and workload."""
    from plotly import graph_objects

    figure = graph_objects.Figure()
    for workload in dict.fromkeys(name for row in found for name in row.latency_ratio):
        members = [row for row in found if workload in row.latency_ratio and row.accuracy is not None]
        figure.add_scatter(
            x=[row.latency_ratio[workload] for row in members],
            y=[100 * row.accuracy for row in members if row.accuracy is not None],
            text=[f"{row.experiment}, {row.candidate}" for row in members],
            mode="markers",
            name=workload,
        )
    figure.update_xaxes(title_text="latency over the baseline's, in turns (below 1 is faster)")
    return figure


def write_figure(found: Sequence["Row"], path: Path) -> None:
    """Write the plot: accuracy against samples where these differ, else against the latency ratio."""
    samples, method = _axis(found, ".samples"), _axis(found, ".method")
    figure = _by_samples(found, samples, method) if samples is not None else _by_latency(found)
    figure.update_yaxes(title_text="accuracy on the test split, %")
    figure.update_layout(template="plotly_white", title_text="Experiments")
    write_text(path, figure.to_html(include_plotlyjs=True, full_html=True))
