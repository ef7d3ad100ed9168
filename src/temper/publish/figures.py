"""The documentation's plots as SVG files, drawn from committed records; equal records give equal bytes."""

from collections.abc import Callable, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

from temper.errors import LibraryError
from temper.quantization.record import read_search
from temper.report.calibrations import Cell, cells
from temper.report.filed import FiledStudy, read_filed_study

DRAWN = "drawn"
TRADE_OFF, DARK = "trade-off for ", ", dark"
APART = 0.05  # of a sample count, between neighbouring methods: their intervals would cover each other
# without a date and with fixed ids the file repeats; text stays text
SETTINGS = {
    "svg.hashsalt": "temper",
    "svg.fonttype": "none",
    "font.size": 9.0,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.alpha": 0.3,
}
METADATA = {"Date": None, "Creator": None}


def _matplotlib(asked: str) -> Any:
    try:
        import matplotlib
    except ImportError:
        raise LibraryError(
            asked=asked,
            happened="matplotlib is not installed",
            affected="nothing was drawn",
            fix="pip install -r requirements/test.txt",
        ) from None
    return matplotlib


def _svg(figure: Any) -> str:
    stream = StringIO()
    figure.savefig(stream, format="svg", metadata=METADATA)
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines()) + "\n"


def _draw_line(axes: Any, label: str, colour: str, members: Sequence[Cell], shift: float) -> None:
    points = [cell.difference_points for cell in members]
    axes.errorbar(
        [cell.samples * shift for cell in members],
        points,
        yerr=[
            [cell.difference_points - cell.low_points for cell in members],
            [cell.high_points - cell.difference_points for cell in members],
        ],
        label=label,
        color=colour,
        marker="o",
        markersize=3.5,
        linewidth=1.2,
        elinewidth=0.8,
        capsize=2,
    )


def calibrations_svg(study: FiledStudy) -> str:
    """Difference in accuracy from the baseline against the number of samples: a panel per recipe, a line per method.

    Only rows as they were drawn; bars are 95 % intervals of the paired difference.
    """
    matplotlib = _matplotlib(f"draw the calibrations of {study.folder}")
    found = [cell for cell in cells(study) if cell.rows == DRAWN]
    recipes, methods = (list(dict.fromkeys(getattr(cell, key) for cell in found)) for key in ("recipe", "method"))
    with matplotlib.rc_context(SETTINGS):
        from matplotlib.figure import Figure

        figure = Figure(figsize=(10.5, 4.2), layout="constrained")
        panels = figure.subplots(1, len(recipes), sharey=True, squeeze=False)[0]
        for axes, recipe in zip(panels, recipes, strict=True):
            own = [method for method in methods if any((c.recipe, c.method) == (recipe, method) for c in found)]
            for place, method in enumerate(own):
                members = sorted(
                    (c for c in found if (c.recipe, c.method) == (recipe, method)), key=lambda cell: cell.samples
                )
                _draw_line(axes, method, f"C{methods.index(method)}", members, 1 + APART * (place - (len(own) - 1) / 2))
            counts = sorted({cell.samples for cell in found if cell.recipe == recipe})
            axes.axhline(0, color="black", linewidth=0.8)
            axes.axhline(
                -study.params["analysis"]["accuracy_budget_points"], color="black", linewidth=0.8, linestyle="dashed"
            )
            axes.set_xscale("log")
            axes.set_xticks(counts, [f"{count:,}" for count in counts], fontsize=7)
            axes.minorticks_off()
            axes.set_title(f"quantised: {recipe}", fontsize=9)
            axes.set_xlabel("calibration samples")
        entries = {label: bar for axes in panels for bar, label in zip(*axes.get_legend_handles_labels(), strict=True)}
        figure.legend(entries.values(), entries.keys(), fontsize=8, loc="outside lower center", ncols=len(entries))
        panels[0].set_ylabel("accuracy less the baseline's, points")
        return _svg(figure)


def layers_svg(folder: Path) -> str:
    """A bar for what quantising each layer alone loses, one for what leaving it out gains; in the model's order.

    Args:
        folder: holds search.json.
    """
    matplotlib = _matplotlib(f"draw the layers of {folder}")
    search = read_search(folder)
    names = [each["layer"]["name"] for each in search["layers"]]
    places = range(len(names))
    with matplotlib.rc_context(SETTINGS):
        from matplotlib.figure import Figure

        figure = Figure(figsize=(9, 0.8 + 0.2 * len(names)), layout="constrained")
        axes = figure.subplots()
        for key, label, shift in (("loss", "quantised alone: loss", -0.2), ("gain", "left out: gain", 0.2)):
            axes.barh([place + shift for place in places], [each[key] for each in search["layers"]], 0.4, label=label)
        kept = set(search["keep_in_float"])
        axes.set_yticks(places, [f"{name} (float)" if name in kept else name for name in names], fontsize=7)
        axes.set_ylim(len(names) - 0.5, -0.5)
        rows = search["all_quantized"]["rows"]
        axes.set_xlabel(f"mean absolute logit difference on {rows} validation rows (float: kept so by the search)")
        axes.legend(fontsize=8, loc="center right")
        return _svg(figure)


def trade_off_svg(study: FiledStudy, workload: str, *, dark: bool) -> str:
    """Speed against accuracy of a filed study's candidates on a workload: the picture of the report's page, by itself.

    Args:
        study: as it was filed in results/<machine>/<study>/.
        workload: its name.
        dark: colours for a dark page; a picture that is linked does not know its page's.

    Raises:
        ArtifactError: no candidate of the folder has both figures there.
    """
    from temper.report.page.alone import trade_off_alone

    return trade_off_alone(study, workload, dark=dark)


def drawn(what: str, folder: Path, read: Callable[[Path], FiledStudy] = read_filed_study) -> str:
    """The plot that a page's mark names (temper/publish/pages.py): 'calibrations', 'layers', 'trade-off for b1, dark'.

    `read` reads a study's folder; for several plots of one study it is one that remembers.
    """
    if what.startswith(TRADE_OFF):
        return trade_off_svg(read(folder), what.removeprefix(TRADE_OFF).removesuffix(DARK), dark=what.endswith(DARK))
    return calibrations_svg(read(folder)) if what == "calibrations" else layers_svg(folder)
