"""What summary.json holds: a candidate's figures as tables show them, the choices in words, the notes."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from temper.measurement.record import Record
from temper.report.choices import choices
from temper.report.decide.compared import ComparedStudy
from temper.report.decide.compared_workload import fields_of
from temper.report.decide.decided import Decision
from temper.report.formats import judged_by
from temper.report.notes import first_notes, notes
from temper.report.read_back import read_back
from temper.report.tables import rows

JUDGED_BY = "accuracy"


@dataclass(frozen=True)
class SummaryWorkload:
    """Figures of a candidate on a workload, as `temper.report.tables.Row` has them; None where nothing was measured."""

    latency_p50_ms: float | None = None
    latency_percentiles_ms: Mapping[str, float] | None = None
    latency_mean_ms: float | None = None
    real_lengths: str | None = None
    latency_ratio: float | None = None
    latency_ratio_low: float | None = None
    latency_ratio_high: float | None = None
    latency_verdict: str | None = None
    throughput_samples_per_s: float | None = None
    sequential_samples_per_s: float | None = None
    padding_share: float | None = None
    computed_padding_share: float | None = None
    timed_runs: int | None = None
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class SummaryCandidate:
    """Figures of a candidate on all workloads, as `temper.report.tables.Row` has them, and of each.

    `executed_products` and `reason` are those of its first workload.
    """

    backend: str
    library: str
    loads: str
    accuracy: float | None = None
    labels_differing: int | None = None
    accuracy_difference_points: float | None = None
    accuracy_low_points: float | None = None
    accuracy_high_points: float | None = None
    mcnemar_exact_p: float | None = None
    accuracy_verdict: str | None = None
    import_s: float | None = None
    load_s: float | None = None
    first_call_ms: float | None = None
    peak_rss_mib: float | None = None
    gpu_peak_mib: float | None = None
    size_mib: float | None = None
    executed_products: str | None = None
    reason: str | None = None
    workloads: Mapping[str, SummaryWorkload]


@dataclass(frozen=True)
class Summary:
    """What is shown of a study: artifacts/report/summary.json, in the order of params.yaml.

    Attributes:
        baseline: the candidate that is the baseline itself.
        choices: a sentence for each workload.
        first_notes: those of the notes that a terminal shows, some of them together; an earlier version wrote none.
        judged_by: what the budget is of, in words.
    """

    study: str
    baseline: str
    candidates: Mapping[str, SummaryCandidate]
    choices: tuple[str, ...]
    notes: tuple[str, ...]
    first_notes: tuple[str, ...] = ()
    judged_by: str = JUDGED_BY

    def on(self, workload: str) -> "Summary":
        """The same of one workload alone."""
        kept = {
            name: replace(entry, workloads={key: own for key, own in entry.workloads.items() if key == workload})
            for name, entry in self.candidates.items()
        }
        said = tuple(choice for choice in self.choices if choice.startswith(f"{workload}: "))
        return replace(self, candidates=kept, choices=said)

    def as_json(self) -> dict[str, Any]:
        """The content of summary.json, its keys in the order in which they are written."""
        return {
            "study": self.study,
            "baseline": self.baseline,
            "candidates": {name: asdict(entry) for name, entry in self.candidates.items()},
            **({} if self.judged_by == JUDGED_BY else {"judged_by": self.judged_by}),
            "choices": list(self.choices),
            "first_notes": list(self.first_notes),
            "notes": list(self.notes),
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Summary":
        """What `as_json` gave, of this version or of an earlier one, which had fewer figures.

        Raises:
            ValueError: it is something else.
        """
        return TypeAdapter(cls).validate_python(content)


def read_summary(file: str | Path) -> Summary:
    """What a summary.json says.

    Raises:
        ArtifactError: it is absent, or holds something else.
    """
    return read_back(file, Summary.from_json)


def summary(records: Sequence[Record], comparison: ComparedStudy, decision: Decision) -> Summary:
    """What is shown of a study's records and of what was concluded from them."""
    by_candidate: dict[str, SummaryCandidate] = {}
    for row in rows(records, comparison):
        cells = {row.workload: fields_of(SummaryWorkload, vars(row))}
        if (known := by_candidate.get(row.candidate)) is not None:
            by_candidate[row.candidate] = replace(known, workloads={**known.workloads, **cells})
        else:
            by_candidate[row.candidate] = fields_of(SummaryCandidate, {**vars(row), "workloads": cells})
    found = notes(records, comparison, decision)
    return Summary(
        study=comparison.study,
        baseline=comparison.baseline,
        candidates=by_candidate,
        choices=tuple(choices(decision)),
        first_notes=tuple(first_notes(found)),
        notes=tuple(note.text for note in found),
        judged_by=judged_by(comparison),
    )
