"""The candidates of a workload as marks of its trade-off: speed, accuracy, what ran, what is said of each."""

from temper.report.formats import centre
from temper.report.page import formats
from temper.report.page.material import Material
from temper.report.page.names import anchor
from temper.report.page.precisions import narrowest
from temper.report.page.table import ACCURACY_WORDS, points_of, speed_of
from temper.report.page.trade_off import Mark, figure_said
from temper.report.tables import rows


def marks(material: Material, workload: str) -> list[Mark]:
    """The candidates of a workload that have a speed and an accuracy; the baseline is none of them."""
    every = [row for row in rows(material.records, material.compared) if row.workload == workload]
    decided = material.decision.of(workload)
    front = {each.candidate for each in decided.pareto_front}
    found = []
    for row in every:
        record, speed, points = material.record(row.candidate), speed_of(row), points_of(row)
        if row.candidate == material.baseline or speed is None or points is None or not material.predicts(record):
            continue
        cell = material.cell(row.candidate, workload)
        latency = formats.figure(centre(row))
        said = [
            row.candidate,
            *figure_said(speed, points),
            f"{latency} ms, {row.executed_products or 'precision not told'}",
        ]
        said += [f"{row.latency_verdict}, {ACCURACY_WORDS.get(row.accuracy_verdict or '', '')}"]
        said += ["chosen"] if decided.chosen == row.candidate else []
        said += [] if cell.holds else [f"does not hold: {cell.why_not}"]
        found.append(
            Mark(
                name=row.candidate,
                href=f"#{anchor('candidate', row.candidate)}",
                speed=speed,
                points=points,
                precision=narrowest(record, workload),
                chosen=decided.chosen == row.candidate,
                front=row.candidate in front,
                holds=cell.holds,
                said="\n".join(said),
            )
        )
    return found
