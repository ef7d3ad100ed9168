"""The plot of a sensitivity study: one HTML file that holds everything it needs."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from temper.artifact import write_text

if TYPE_CHECKING:
    from temper.quantization.search import Sensitivity


def write_figure(found: Sequence["Sensitivity"], path: Path) -> None:
    """Write the plot: a bar for what quantising each layer alone loses, one for what leaving it out gains."""
    from plotly import graph_objects

    names = [each.layer.name for each in found]
    said = [f"{each.multiplications / 1e6:.1f} million multiplications" for each in found]
    figure = graph_objects.Figure()
    figure.add_bar(y=names, x=[each.loss for each in found], text=said, orientation="h", name="quantised alone: loss")
    figure.add_bar(y=names, x=[each.gain for each in found], text=said, orientation="h", name="left out: gain")
    figure.update_xaxes(title_text="mean absolute logit difference on validation rows")
    figure.update_yaxes(autorange="reversed", automargin=True)
    figure.update_layout(
        template="plotly_white", title_text="Sensitivity of each layer", height=max(400, 26 * len(names))
    )
    write_text(path, figure.to_html(include_plotlyjs=True, full_html=True, div_id="sensitivity"))
