"""The page itself: what is made from records goes into templates, which escape all of it."""

import base64
import hashlib
import re
from collections.abc import Sequence
from functools import cache
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from temper.measurement.record import Workload
from temper.report.choices import choices
from temper.report.decide.decided import DecidedWorkload
from temper.report.decide.evidence import smallest_difference_told
from temper.report.formats import ABSENT
from temper.report.notes import first_notes, notes
from temper.report.observe.observations import observe
from temper.report.page import formats
from temper.report.page.candidates import candidates
from temper.report.page.flips import flips
from temper.report.page.glossary import GLOSSARY
from temper.report.page.making import (
    job_graph,
    machine_facts,
    machine_line,
    measurement_facts,
    not_measured,
    notes_by_kind,
    versions,
)
from temper.report.page.marks import marks
from temper.report.page.material import Beside, Material
from temper.report.page.names import anchor
from temper.report.page.precisions import colour_class, in_order
from temper.report.page.table import ACCURACY_WORDS, points_of, speed_of, table
from temper.report.page.templates import TEMPLATES
from temper.report.page.trade_off import Mark, trade_off
from temper.report.tables import Row, rows


@cache
def _environment() -> Environment:
    """Templates that escape whatever is no Markup, and refuse a name that is not given."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        name: getattr(formats, name) for name in ("figure", "signed", "percent", "count", "mebibytes", "minus")
    }
    made.globals |= {"ABSENT": ABSENT, "anchor": anchor, "colour": colour_class}
    return made


def page(template: str, title: str, **content: Any) -> str:
    """A page that needs nothing else: one of the templates, with the style sheet and the script in it.

    Its policy allows that script by its digest, and nothing from anywhere: not even a script that data brought along.
    """
    script = (TEMPLATES / "page.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    return (
        _environment()
        .get_template(template)
        .render(
            title=title,
            style=Markup((TEMPLATES / "page.css").read_text(encoding="utf-8")),
            script=Markup(script),
            policy=f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'",
            **content,
        )
    )


def report_page(material: Material) -> str:
    """The report of a study as one HTML file; equal records give equal bytes."""
    every = rows(material.records, material.compared)
    found = notes(material.records, material.compared, material.decision)
    workloads = [
        _workload(material, name, [row for row in every if row.workload == name]) for name in material.workloads
    ]
    return page(
        "report.html.j2",
        f"{material.study}: report",
        study=material.study,
        baseline=material.baseline,
        machine=machine_line(material.records),
        budget=material.compared.budget_points,
        margin=material.compared.margin,
        worth=material.compared.model.get("sentence", ""),
        workloads=workloads,
        warnings=material.compared.warnings,
        first_notes=[note for note in first_notes(found) if note not in material.compared.warnings],
        withdrawn=material.withdrawn,
        tables=[table(material, name) for name in material.workloads],
        candidates=candidates(material),
        flips=flips(material),
        why_no_rows=material.why_no_rows,
        beside=material.beside or Beside(),
        looked_beside=material.beside is not None,
        changes=material.changes,
        observations=observe(material.records, material.compared, material.decision),
        notes=notes_by_kind(material),
        machine_facts=machine_facts(material.records),
        measurement=measurement_facts(material.records),
        versions=versions(material.records),
        not_measured=not_measured(material),
        graph=job_graph(material),
        glossary=GLOSSARY,
    )


def _workload(material: Material, name: str, every: Sequence[Row]) -> dict[str, Any]:
    """What the first screen shows of a workload: its choice with figures, its picture, its sizes."""
    decided = material.decision.of(name)
    sentence = dict(zip(material.decision.workloads, choices(material.decision), strict=True)).get(name, "")
    found = marks(material, name)
    told = smallest_difference_told(material.compared, name)
    budget = material.compared.budget_points
    drawn: dict[str, Markup] = {}
    if found:
        said = (
            f"Speed against accuracy of {len(found)} candidates on {name}: times as fast as {material.baseline} to the right, "
            "accuracy in points upwards"
        )
        for key, width, height in (("wide", 960, 430), ("narrow", 380, 360)):
            drawn[key] = trade_off(
                found, baseline=material.baseline, budget=budget, told=told, width=width, height=height, label=said
            )
    precisions = in_order({mark.precision: 1 for mark in found if mark.precision})
    return {
        "name": name,
        "anchor": anchor("workload", name),
        "sizes": _sizes(material, name),
        "sentence": _beyond_the_figures(sentence.removeprefix(f"{name}: "), decided, material),
        "chosen": _chosen(material, name, decided, every),
        "pictures": drawn,
        "legend": [(precision, colour_class(precision)) for precision, _ in precisions]
        + ([("not told", "p-other")] if any(mark.precision is None for mark in found) else []),
        "told": told,
        "without_place": _without_place(material, found, every),
    }


def _beyond_the_figures(sentence: str, decided: DecidedWorkload, material: Material) -> str:
    """What a choice's sentence says beyond the figures above it and the page's warnings; all of it where nothing is chosen."""
    if decided.chosen is None:
        return sentence
    warnings = material.compared.warnings
    parts = [
        part
        for part in re.split(r"(?<=[.;]) ", sentence)[1:]
        if not any(warning.startswith(part.removeprefix("Warning: ").rstrip(".")) for warning in warnings)
    ]
    rest = " ".join(parts)
    return rest[:1].upper() + rest[1:]


def _sizes(material: Material, name: str) -> str:
    """'batch 8, 32 tokens', from whichever record has it."""
    own = next((w for r in material.records if isinstance(w := r.workloads.get(name), Workload)), None)
    if own is None:
        return "not measured"
    length = f", {own.sequence_length} tokens" if own.sequence_length else ""
    real = f", real lengths ({own.real_lengths})" if own.real_lengths else ""
    return f"batch {own.batch_size}{length}{real}"


def _chosen(material: Material, name: str, decided: DecidedWorkload, every: Sequence[Row]) -> dict[str, Any] | None:
    """Figures of the candidate that was chosen; None where none was."""
    chosen = decided.chosen
    if chosen is None:
        return None
    row = next(row for row in every if row.candidate == chosen)
    speed, points = speed_of(row), points_of(row)
    return {
        "name": chosen,
        "href": f"#{anchor('candidate', chosen)}",
        "provisional": decided.may_change,
        "is_baseline": chosen == material.baseline,
        "speed": "" if speed is None else formats.figure(speed[0]),
        "interval": "" if speed is None else formats.spread(speed[1], speed[2]),
        "latency": formats.figure(row.latency_mean_ms if row.real_lengths else row.latency_p50_ms),
        "latency_name": "mean" if row.real_lengths else "p50",
        "accuracy": "" if row.accuracy is None else f"{100 * row.accuracy:.2f} %",
        "points": ""
        if points is None
        else f"{formats.signed(points[0])} points {formats.spread(points[1], points[2], 'signed')}",
        "budget_word": ACCURACY_WORDS.get(row.accuracy_verdict or "", ""),
        "verdict": row.accuracy_verdict,
        "memory": formats.mebibytes(row.gpu_peak_mib if row.gpu_peak_mib is not None else row.peak_rss_mib),
        "memory_name": "on the GPU" if row.gpu_peak_mib is not None else "on the host",
    }


def _without_place(material: Material, found: Sequence[Mark], every: Sequence[Row]) -> list[tuple[str, str]]:
    """Candidates that the picture cannot show, and why."""
    shown = {mark.name for mark in found} | {material.baseline}
    return [
        (row.candidate, str(row.reason or material.cell(row.candidate, row.workload).reason or "no accuracy"))
        for row in every
        if row.candidate not in shown and material.predicts(material.record(row.candidate))
    ]
