"""Figures that were measured and do not hold, taken out of every table: withdrawn.yaml beside the records, applied in reading.

The records stay as they were measured, byte for byte; what is withdrawn is 'not measured', with the reason.
"""

import datetime
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from temper.errors import ArtifactError
from temper.measurement.record import NotMeasured, Record, Workload
from temper.reading.yaml_file import read_yaml

FILE = "withdrawn.yaml"
ALL = "all"
NAMED = 4  # candidates that a note names; of more it gives the number
Names = Literal["all"] | Annotated[tuple[str, ...], Field(min_length=1)]


class Withdrawal(BaseModel):
    """What is withdrawn of these candidates, when and why: latencies with the cold start, accuracy with the labels, or both."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    date: datetime.date
    reason: Annotated[str, Field(min_length=1)]
    candidates: Names
    workloads: Names | None = None  # whose latencies are withdrawn; 'all' withdraws the cold start, too
    accuracy: bool = False

    @property
    def not_measured(self) -> NotMeasured:
        """What stands in the place of a figure."""
        return NotMeasured(reason=f"withdrawn on {self.date}: {self.reason}")

    def note(self, candidates: Sequence[str], workloads: Sequence[str]) -> str | None:
        """What a reader of a table of these is told; None where the table has nothing of it."""
        whose = [name for name in candidates if _covers(self.candidates, name)]
        own = [name for name in workloads if _covers(self.workloads, name)]
        what = [f"latencies at {', '.join(own)}"] if own else []
        what += ["accuracy and labels"] if self.accuracy else []
        if not whose or not what:
            return None
        named = "all candidates" if self.candidates == ALL else ", ".join(whose)
        if self.candidates != ALL and len(whose) > NAMED:
            named = f"{len(whose)} candidates"
        return f"Withdrawn on {self.date}: {' and '.join(what)} of {named}: {self.reason}."


def _covers(names: Names | None, name: str) -> bool:
    return names is not None and (names == ALL or name in names)


def _refused(file: Path, happened: str) -> ArtifactError:
    return ArtifactError(
        asked=f"leave out what {file} withdraws",
        happened=happened,
        affected="what is shown of this study; nothing was changed",
        fix="correct it: a list of entries, each with date, reason, candidates (all, or names), and workloads "
        "(all, or names) or accuracy: true (results/README.md)",
    )


def read_withdrawn(folder: Path, candidates: Sequence[str], workloads: Iterable[str]) -> tuple[Withdrawal, ...]:
    """The withdrawals of a folder; none where it has no such file.

    Args:
        folder: results/<machine>/<study>/.
        candidates: of its records.
        workloads: of its records.

    Raises:
        ArtifactError: it is no list of withdrawals, one withdraws nothing, or names what the records do not have.
    """
    file = folder / FILE
    if not file.is_file():
        return ()
    try:
        content = read_yaml(file)
        entries = TypeAdapter(tuple[Withdrawal, ...]).validate_python(content)
    except (OSError, ValueError) as error:
        raise _refused(file, f"{type(error).__name__}: {str(error)[:300]}") from None
    known = {"candidate": set(candidates), "workload": set(workloads)}
    for entry in entries:
        if entry.workloads is None and not entry.accuracy:
            raise _refused(file, f"the entry of {entry.date} withdraws neither workloads nor accuracy")
        for kind, names in (("candidate", entry.candidates), ("workload", entry.workloads or ALL)):
            if unknown := [name for name in names if name not in known[kind]] if names != ALL else []:
                raise _refused(file, f"the records have no {kind} {unknown[0]!r}")
    return entries


def without_withdrawn(record: Record, entries: Iterable[Withdrawal]) -> Record:
    """The record without the figures that these entries withdraw."""
    for entry in entries:
        if not _covers(entry.candidates, record.candidate):
            continue
        workloads = {
            name: entry.not_measured if isinstance(found, Workload) and _covers(entry.workloads, name) else found
            for name, found in record.workloads.items()
        }
        changed: dict[str, object] = {"workloads": workloads}
        if entry.workloads == ALL:
            changed["cold_start"] = None
        if entry.accuracy and not isinstance(record.accuracy, NotMeasured):
            changed["accuracy"] = entry.not_measured
        record = record.model_copy(update=changed)
    return record
