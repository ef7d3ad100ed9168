"""Speed-ups that a write-up reports, held against records: confirmed, beaten, refuted, or why that cannot be said."""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat

from temper.errors import ConfigError
from temper.measurement.record import Record
from temper.reading.yaml_file import read_yaml
from temper.report.decide.evidence import DISTURBED, relative_latency
from temper.report.filed import FiledStudy
from temper.report.formats import ABSENT, in_order
from temper.report.markdown_table import markdown_table


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ReportedSpeedUp(_Closed):
    """One claim: `candidate` answers so many times as fast as `over`, whose latency is divided by its own."""

    title: str
    candidate: str
    over: str
    at_least: PositiveFloat
    at_most: PositiveFloat


class Reported(_Closed):
    """A file reported.yaml beside a study's params.yaml."""

    source: str  # where the figures stand: a page's address, or in words
    speed_ups: Annotated[tuple[ReportedSpeedUp, ...], Field(min_length=1)]


def read_reported(path: Path) -> Reported:
    """Read a file of reported speed-ups.

    Raises:
        ConfigError: it is not there, or does not hold what such a file holds.
    """
    try:
        return Reported.model_validate(read_yaml(path))
    except (OSError, ValueError) as error:
        raise ConfigError(
            asked=f"read the reported speed-ups of {path}",
            happened=f"{type(error).__name__}: {str(error)[:300]}",
            affected="the page; it was not changed",
            fix="give source and speed_ups, each with title, candidate, over, at_least and at_most",
        ) from None


def _interval(
    study: FiledStudy, own: Record | None, over: Record | None, workload: str
) -> tuple[float, float, float] | str:
    """The speed-up with its 95 % interval, or why it is not known."""
    if own is None or over is None:
        return "no record"
    cells = [cell for record in (own, over) if (cell := study.compared.cell(record.candidate, workload))]
    if len(cells) < 2:
        return ABSENT
    if any(not cell.is_measured for cell in cells):
        return "not measured"
    if not all(cell.holds for cell in cells):
        return DISTURBED
    ratio = relative_latency(study.compared, workload, own.candidate, over.candidate)
    return 1 / ratio.ratio, 1 / ratio.high, 1 / ratio.low


def _verdict(low: float, high: float, claim: ReportedSpeedUp) -> str:
    """By the whole interval: 'beaten' from at_most on, 'confirmed' from at_least on, 'refuted' below it."""
    if low >= claim.at_most:
        return "beaten"
    if low >= claim.at_least:
        return "confirmed"
    return "refuted" if high < claim.at_least else "undecided"


def claim_of(claim: ReportedSpeedUp) -> str:
    """What is claimed: '5–8 ×'."""
    return f"{claim.at_least:g}" + (f"–{claim.at_most:g}" if claim.at_most != claim.at_least else "") + " ×"


def held_against(study: FiledStudy, claim: ReportedSpeedUp) -> dict[str, tuple[float, float, float, str] | str]:
    """By workload, the speed-up with its 95 % interval and the verdict, or why it cannot be said; '–' where it was not asked."""
    records = {record.candidate: record for record in study.records}
    cells: dict[str, tuple[float, float, float, str] | str] = {}
    for name in in_order(name for record in study.records for name in record.workloads):
        found = _interval(study, records.get(claim.candidate), records.get(claim.over), name)
        cells[name] = found if isinstance(found, str) else (*found, _verdict(found[1], found[2], claim))
    return cells


def speed_ups_markdown(study: FiledStudy, reported: Reported) -> str:
    """A line for each workload, a column for each claim: the speed-up with its interval and the verdict.

    Candidates of which the folder holds no record (a study of which a part was measured) are shown as that.
    """
    columns = [held_against(study, claim) for claim in reported.speed_ups]
    header = [f"{claim.title}: {claim_of(claim)}" for claim in reported.speed_ups]
    lines = []
    for name in columns[0]:
        found = (column[name] for column in columns)
        said = (
            cell if isinstance(cell, str) else f"{cell[0]:.2f} [{cell[1]:.2f}, {cell[2]:.2f}] {cell[3]}"
            for cell in found
        )
        lines.append([name, *said])
    return markdown_table(("workload", *header), lines, words=1)
