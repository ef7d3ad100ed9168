"""A candidate's answers, held against the baseline's and against what may be lost."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from temper.report.decide.compared_workload import fields_of
from temper.statistics.paired_labels import Flips

Json = dict[str, Any]


@dataclass(frozen=True)
class Missing:
    """Answers that were not measured, or have none to be held against."""

    reason: str

    def as_json(self) -> Json:
        """What stands in comparison.json."""
        return {"status": "not measured", "reason": self.reason}


@dataclass(frozen=True)
class Flipped:
    """A test row with another answer than the baseline's, by number from 0; None where a task has no confidences."""

    row: int
    label: str
    baseline: str
    baseline_confidence: float | None
    candidate: str
    candidate_confidence: float | None


@dataclass(frozen=True)
class Paired:
    """A candidate's answers beside the baseline's to the same rows.

    Attributes:
        counted: rows by what became of them.
        difference_points: of the metric, candidate minus baseline, with a 95 % interval.
        verdict: against the accuracy budget: within, beyond, undecided.
        is_baseline: whether it is the baseline itself, or the same thing.
        loses_at_most_points: upper bound of 95 %.
        rows_that_would_decide: where it is undecided; None where no number would, or none is needed.
        beside: what the task counts beside flips, by title.
        flipped: the rows that differ.
    """

    counted: Flips
    difference_points: float
    difference_low_points: float
    difference_high_points: float
    mcnemar_exact_p: float
    verdict: str
    is_baseline: bool
    loses_at_most_points: float
    rows_that_would_decide: int | None
    largest_logit_difference: float
    mean_logit_difference: float
    baseline_logit_span: float
    beside: Mapping[str, Any]
    flipped: tuple[Flipped, ...]

    @property
    def rows(self) -> int:
        """Number of test rows."""
        return self.counted.rows

    @property
    def labels_differing(self) -> int:
        """Rows with another answer than the baseline's."""
        return self.counted.differing

    def as_json(self) -> Json:
        """What stands in comparison.json."""
        found = asdict(self)
        counted, beside = found.pop("counted"), found.pop("beside")
        found |= {"status": "measured", **counted, "labels_differing": self.labels_differing}
        return found | {"flipped": list(found["flipped"])} | ({"beside": beside} if beside else {})

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Paired":
        """What `as_json` gave."""
        made = {"counted": fields_of(Flips, content), "beside": content.get("beside", {})}
        made["flipped"] = tuple(fields_of(Flipped, each) for each in content["flipped"])
        return cls(**made, **{each.name: content[each.name] for each in fields(cls) if each.name not in made})


@dataclass(frozen=True)
class ComparedAccuracy:
    """A candidate's accuracy, and what it lost or gained against the baseline.

    Attributes:
        labels_differing_by_batch_size: from those that the table counts, by the size of the batches.
        by_label: figures of single labels, by name, as the task has them.
        metric: that the budget is of, where it is not accuracy; with its value.
    """

    accuracy: float
    rows: int
    batch_size: int
    labels_differing_by_batch_size: Mapping[str, int]
    by_label: Mapping[str, Any]
    against_baseline: Paired | Missing
    metric: str | None = None
    metric_value: float | None = None

    @property
    def judged(self) -> float:
        """The value of the metric that the budget is of."""
        return self.accuracy if self.metric_value is None else self.metric_value

    def as_json(self) -> Json:
        """What stands in comparison.json."""
        found: Json = {
            "status": "measured",
            "accuracy": self.accuracy,
            "rows": self.rows,
            "batch_size": self.batch_size,
            **self.by_label,
            "labels_differing_by_batch_size": dict(self.labels_differing_by_batch_size),
            "against_baseline": self.against_baseline.as_json(),
        }
        return found | ({} if self.metric is None else {"metric": self.metric, "metric_value": self.metric_value})

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "ComparedAccuracy":
        """What `as_json` gave."""
        own = {each.name for each in fields(cls)} - {"against_baseline"}
        paired, apart = content["against_baseline"], {*own, "against_baseline", "status"}
        return cls(
            **{key: value for key, value in content.items() if key in own},
            by_label={key: value for key, value in content.items() if key not in apart},
            against_baseline=Paired.from_json(paired) if paired["status"] == "measured" else Missing(paired["reason"]),
        )
