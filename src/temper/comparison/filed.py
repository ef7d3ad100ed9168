"""Which calibrations of a filed study differ, for the documentation: the same comparison as of experiments."""

from temper.comparison.rows import Row, candidate_row
from temper.comparison.tables import Comparison, comparison_of, letters_of
from temper.report.calibrations import Cell, cells
from temper.report.filed import FiledStudy
from temper.report.markdown_table import markdown_table

ABSENT = "–"


def calibrations_compared(study: FiledStudy) -> tuple[dict[str, Cell], Comparison]:
    """Every calibrated file of a study against every other, and the cell of each by its candidate's name."""
    found = {cell.candidate: cell for cell in cells(study)}
    records = {record.candidate: record for record in study.records}
    candidates = study.compared.as_json()["candidates"]
    rows: list[Row] = [
        candidate_row({"filed": {}}, records[name], candidates[name], records.get(study.baseline)) for name in found
    ]
    return found, comparison_of(rows, study.params["analysis"]["latency_margin"])


def differing_table(study: FiledStudy) -> str:
    """Recipe, method and rows down, samples across: letters; two cells that share one are not told apart in accuracy.

    Behind them how many cells each was shown to be better and worse than.
    """
    found, compared = calibrations_compared(study)
    own = letters_of(compared)
    counts = sorted({cell.samples for cell in found.values()})
    recipes = list(dict.fromkeys(cell.recipe for cell in found.values()))
    lines: dict[tuple[str, str, str], dict[int, str]] = {}
    for cell in sorted(found.values(), key=lambda cell: recipes.index(cell.recipe)):
        number = next(at for at, row in enumerate(compared.rows) if row.candidate == cell.candidate)
        shown = f"{own[number]} ({len(compared.better_than(number))} : {len(compared.worse_than(number))})"
        lines.setdefault(cell.line, {})[cell.samples] = shown
    table = [[*line, *(by_samples.get(count, ABSENT) for count in counts)] for line, by_samples in lines.items()]
    return markdown_table(["quantised", "method", "rows", *(f"{count:,}" for count in counts)], table, 3)
