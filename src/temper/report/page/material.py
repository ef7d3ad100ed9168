"""What a page is made from: records and what was concluded from them, and what lies beside them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from temper.measurement.record import Record
from temper.report.decide.compared import ComparedStudy
from temper.report.decide.compared_accuracy import Paired
from temper.report.decide.compared_workload import ComparedWorkload
from temper.report.decide.decided import Decision
from temper.report.formats import in_order

Json = Mapping[str, Any]


@dataclass(frozen=True)
class AskedRows:
    """What the model was asked, by number of the test row from 0; a picture is the content of a PNG file."""

    texts: Sequence[str] = ()
    pictures: Mapping[int, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Beside:
    """What stands beside a study's measurements, as the page shows it (temper/report/page/beside.py).

    load_tests: the table of load tests and their curves; None where there are none.
    tests_of: names of load tests by backend and by what they load.
    searches: of each search the picture of its layers, and its trials.
    buckets: of each row of buckets its lengths.
    engines: manifests of engines by what a candidate loads.
    jobs: job records by name, as 'measure/ort-fp32'.
    """

    load_tests: Json | None = None
    tests_of: Mapping[tuple[str, str], Sequence[str]] = field(default_factory=dict)
    searches: Sequence[Json] = ()
    buckets: Sequence[Json] = ()
    engines: Mapping[str, Json] = field(default_factory=dict)
    jobs: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True)
class Change:
    """A figure of a candidate, then and now.

    what: 'accuracy', or the latency of a workload.
    then, now: accuracy in per cent, or times as fast as the baseline; None where that state has none.
    change: the difference in points, or how many times as fast it is now as then, with its 95 % interval; None where the two
        cannot be compared.
    verdicts: against the baseline, then and now.
    said: 'better', 'worse', 'within noise', or why the two cannot be compared.
    """

    candidate: str
    what: str
    then: float | None
    now: float | None
    change: tuple[float, float, float] | None
    verdicts: tuple[str | None, str | None]
    said: str


@dataclass(frozen=True)
class Changes:
    """This state of a study held against another one."""

    name: str  # of the other
    settings: Sequence[tuple[str, str, str]]  # key, then, now
    appeared: Sequence[str]
    gone: Sequence[str]
    choices: Sequence[tuple[str, str, str]]  # workload, then, now; only those that differ
    figures: Sequence[Change]
    pairs: int  # comparisons that were corrected for one another


@dataclass(frozen=True)
class Material:
    """A study's records, what comparing them says, and whatever else there is of it; what is not there has no part of the page.

    study: its name.
    records: of all candidates, in the order of params.yaml.
    compared: every candidate against the baseline.
    decision: the choice of each workload.
    rows: the test rows; None where they are not beside the records.
    why_no_rows: why not, where not.
    changes: what is another than in an earlier state.
    withdrawn: notes on figures that were withdrawn.
    beside: what lies beside the records; None where it was not looked for, as by the report's rule.
    """

    study: str
    records: Sequence[Record]
    compared: ComparedStudy
    decision: Decision
    rows: AskedRows | None = None
    why_no_rows: str = ""
    changes: Changes | None = None
    withdrawn: Sequence[str] = ()
    beside: Beside | None = None

    @property
    def baseline(self) -> str:
        """The candidate that is the baseline itself."""
        return self.compared.baseline

    @property
    def workloads(self) -> list[str]:
        """Names of all workloads: b2 before b16."""
        return in_order(name for record in self.records for name in record.workloads)

    def record(self, candidate: str) -> Record:
        """The record of a candidate."""
        return next(record for record in self.records if record.candidate == candidate)

    def cell(self, candidate: str, workload: str) -> ComparedWorkload:
        """What comparing says of a workload that a candidate runs."""
        return self.compared.candidates[candidate].workloads[workload]

    def paired(self, candidate: str) -> Paired | None:
        """What comparing says of a candidate's answers beside the baseline's; None where there is nothing."""
        return self.compared.candidates[candidate].paired

    def predicts(self, record: Record) -> bool:
        """Whether it is a candidate: the null backend answers nothing and shows what measuring costs."""
        return str(record.backend["runner"]) != "null"
