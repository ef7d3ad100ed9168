"""What an observation is: a sentence, and the records it rests on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from temper.measurement.record import LatencyRatio, NotMeasured, Record, Workload
from temper.report.decide.compared import ComparedStudy
from temper.report.decide.decided import Decision
from temper.report.decide.evidence import does_hold
from temper.report.decide.explanation import low_precision
from temper.report.formats import in_order
from temper.report.tables import Row, rows


@dataclass(frozen=True)
class Observation:
    """One finding of a rule.

    text: a sentence with its figures, without a full stop at the end.
    records: candidates whose records say so; never empty.
    """

    text: str
    records: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.records:
            raise ValueError(f"no record is named for: {self.text}")


@dataclass(frozen=True)
class Facts:
    """What the rules read: all records of a study, and what was concluded from them."""

    records: Sequence[Record]
    compared: ComparedStudy
    decision: Decision

    @property
    def baseline(self) -> str:
        """The candidate that is the baseline itself."""
        return self.compared.baseline

    @property
    def margin(self) -> float:
        """Ratios within 1 ± it count as equal."""
        return self.compared.margin

    @property
    def computing(self) -> list[Record]:
        """All candidates but those on the null backend."""
        return [record for record in self.records if record.backend["runner"] != "null"]

    def rows(self) -> dict[tuple[str, str], Row]:
        """The report's figures of these, by candidate and workload."""
        return {(row.candidate, row.workload): row for row in rows(self.computing, self.compared)}

    def holds(self, record: Record, name: str) -> bool:
        """Whether conclusions may rest on this candidate's latencies on a workload."""
        return does_hold(self.compared, name, record.candidate)

    def ratio_of(self, record: Record, name: str) -> LatencyRatio | None:
        """Its latency over the baseline's; None where there is none, or none that holds."""
        workload = workload_of(record, name)
        if workload is None or not isinstance(workload.ratio, LatencyRatio) or not self.holds(record, name):
            return None
        return workload.ratio

    @property
    def workloads(self) -> list[str]:
        """Names of all workloads."""
        return in_order(name for record in self.records for name in record.workloads)


def workload_of(record: Record, name: str) -> Workload | None:
    """A workload that was measured; None where the candidate does not run it, or it was not measured."""
    found = record.workloads.get(name)
    return None if isinstance(found, NotMeasured) else found


def precision_of(record: Record) -> str | None:
    """The narrowest precision in the file or in what was executed, FP32 where both know none below; None where neither says."""
    counted = [(record.artifact.census or {}).get("by_precision") if record.artifact else None]
    counted += [
        workload.executed["products_by_precision"]
        for workload in record.workloads.values()
        if isinstance(workload, Workload) and workload.executed is not None
    ]
    return (low_precision(record) or "FP32") if any(counted) else None


def runs_on(record: Record) -> tuple[Any, ...]:
    """Runtime and kind of device: what two candidates share that differ in precision alone."""
    options = record.backend.get("options", {})
    return (
        record.backend["runner"],
        record.backend["gpus"],
        options.get("execution_provider") or options.get("device"),
    )
