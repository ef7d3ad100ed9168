"""A picture of the page as an SVG file by itself, for pages that link it: the documentation's, DVC's and Snakemake's."""

import re
from collections.abc import Sequence
from pathlib import Path

from markupsafe import Markup, escape

from temper.errors import ArtifactError
from temper.report.decide.decision import decide
from temper.report.decide.evidence import smallest_difference_told
from temper.report.filed import FiledStudy
from temper.report.page.marks import marks
from temper.report.page.material import Material
from temper.report.page.precisions import colour_class, in_order
from temper.report.page.svg import tag, together
from temper.report.page.templates import TEMPLATES
from temper.report.page.trade_off import Mark, trade_off

WIDTH, HEIGHT = 960, 430
_LEGEND_PX, _LEFT_PX = 26, 14  # room below and to the left of what the page shows
_HEAD_PX = 30  # for the name of a workload


def _style(*, dark: bool) -> str:
    """The style sheet's part for pictures, with the colours of one of its two sides."""
    sheet = Path(TEMPLATES, "page.css").read_text(encoding="utf-8")
    start = re.escape(':root[data-theme="dark"] {' if dark else ":root {")
    colours = re.search(rf"^{start}(?P<inside>.*?)^}}", sheet, re.DOTALL | re.MULTILINE)
    pictures = re.search(r"/\* pictures \*/(?P<inside>.*?)/\* end of pictures \*/", sheet, re.DOTALL)
    assert colours is not None
    assert pictures is not None
    return f"svg {{{colours['inside']}}}\n.base-paper {{ fill: var(--paper); }}{pictures['inside']}"


def _legend(precisions: dict[str, int], top: float) -> Markup:
    parts, x = [], 52.0
    for name, _ in in_order(precisions):
        parts.append(tag("rect", x=x, y=top - 9, width=10, height=10, rx=2, class_=f"part {colour_class(name)}"))
        parts.append(tag("text", name, x=x + 15, y=top, class_="small"))
        x += 28 + 7.0 * len(name)
    words = (("front", "on the front", 4.5), ("dot", "chosen", 5.0), ("dot", "does not hold", 4.5))
    for (kind, text, radius), state in zip(words, ("", "chosen", "unsure"), strict=True):
        parts.append(
            tag("g", tag("circle", cx=x + 5, cy=top - 4, r=radius, class_=kind), class_=f"mark {state}".strip())
        )
        parts.append(tag("text", text, x=x + 15, y=top, class_="small"))
        x += 28 + 6.2 * len(text)
    return together(parts)


def _drawn(material: Material, workload: str, found: Sequence[Mark], said: str) -> str:
    """What stands inside the page's picture of a workload: a link inside a picture that is linked leads nowhere."""
    picture = trade_off(
        found,
        baseline=material.baseline,
        budget=material.compared.budget_points,
        told=smallest_difference_told(material.compared, workload),
        width=WIDTH,
        height=HEIGHT,
        label=said,
    )
    inside = str(picture).partition(">")[2].removesuffix("</svg>")
    return re.sub(r'<a href="[^"]*"', "<g", inside).replace("</a>", "</g>")


def _file(inside: str, height: float, said: str, *, dark: bool) -> str:
    """An SVG file on paper of its own, an element a line."""
    size = f'viewBox="-{_LEFT_PX} 0 {WIDTH + _LEFT_PX} {height:g}" width="{WIDTH + _LEFT_PX}" height="{height:g}"'
    paper = tag("rect", x=-_LEFT_PX, y=0, width=WIDTH + _LEFT_PX, height=height, rx=8, class_="base-paper")
    lines = re.sub(r"(<(?:g|path|rect|line|text|circle)\b)", r"\n\1", f"{paper}{inside}")
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} class="chart trade-off" role="img" aria-label="{escape(said)}">'
    return f"{head}\n<style>{_style(dark=dark)}</style>{lines}\n</svg>\n"


def trade_off_alone(study: FiledStudy, workload: str, *, dark: bool) -> str:
    """The trade-off of a workload as an SVG file; equal records give equal bytes.

    Args:
        study: a filed study.
        workload: its name.
        dark: the colours of a dark page.

    Raises:
        ArtifactError: no candidate has both a speed and an accuracy there.
    """
    decision = decide(study.records, study.compared)
    material = Material(study.folder.name, study.records, study.compared, decision)
    found = marks(material, workload) if workload in material.workloads else []
    if not found:
        raise ArtifactError(
            asked=f"draw the trade-off of {study.folder} for {workload}",
            happened=f"none of its candidates has a speed and an accuracy there; its workloads: {', '.join(material.workloads)}",
            affected="the picture; it was not changed",
            fix="name another workload in the mark: <!-- trade-off plot of FOLDER for WORKLOAD -->",
        )
    said = f"Speed against accuracy of {len(found)} candidates of {study.folder.name} on {workload}"
    height = HEIGHT + _LEGEND_PX
    legend = _legend({mark.precision: 1 for mark in found if mark.precision}, height - 10.0)
    return _file(f"{_drawn(material, workload, found, said)}{legend}", height, said, dark=dark)


def trade_offs(material: Material) -> str:
    """The trade-off of every workload below one another as an SVG file; of one without marks a sentence."""
    parts: list[str] = []
    precisions: dict[str, int] = {}
    top = 0.0
    for name in material.workloads:
        found = marks(material, name)
        said = name if found else f"{name}: no candidate has both a latency and an accuracy"
        parts.append(str(tag("text", said, x=0, y=top + 22, class_="strong")))
        top += _HEAD_PX
        if found:
            inside = _drawn(material, name, found, said)
            parts.append(f'<g transform="translate(0 {top:g})">{inside}</g>')
            precisions |= {mark.precision: 1 for mark in found if mark.precision}
            top += HEIGHT
    height = top + _LEGEND_PX
    said = f"Speed against accuracy of the candidates of {material.study}, a picture for each workload"
    return _file("".join(parts) + str(_legend(precisions, height - 10.0)), height, said, dark=False)
