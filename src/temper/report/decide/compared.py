"""What comparing a study's records says: every candidate against the baseline, as comparison.json holds it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from temper.measurement.record import NotMeasured
from temper.report.decide.agreement import Agreement
from temper.report.decide.compared_accuracy import ComparedAccuracy, Missing, Paired
from temper.report.decide.compared_workload import ComparedWorkload, fields_of

SCHEMA_VERSION = 2  # 1 had choices that rested on disturbed measurements
Json = dict[str, Any]


@dataclass(frozen=True)
class ComparedCandidate:
    """One candidate against the baseline: its answers, and its latency on each workload that it runs."""

    accuracy: ComparedAccuracy | Missing
    workloads: Mapping[str, ComparedWorkload]

    @property
    def paired(self) -> Paired | None:
        """Its answers beside the baseline's; None where there is nothing of the kind."""
        found = None if isinstance(self.accuracy, Missing) else self.accuracy.against_baseline
        return found if isinstance(found, Paired) else None

    @property
    def why_not_paired(self) -> str:
        """Why there is nothing of the kind; '' where there is."""
        found = self.accuracy if isinstance(self.accuracy, Missing) else self.accuracy.against_baseline
        return found.reason if isinstance(found, Missing) else ""

    @property
    def metric(self) -> str | None:
        """What its budget is of, where that is not accuracy."""
        return None if isinstance(self.accuracy, Missing) else self.accuracy.metric

    @property
    def accuracy_verdict(self) -> str | None:
        """Against the accuracy budget: within, beyond, undecided; None without one."""
        return self.paired.verdict if self.paired else None

    def as_json(self) -> Json:
        """What stands in comparison.json."""
        workloads = {name: own.as_json() for name, own in self.workloads.items()}
        return {"accuracy": self.accuracy.as_json(), "workloads": workloads}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "ComparedCandidate":
        """What `as_json` gave."""
        own = content["accuracy"]
        return cls(
            ComparedAccuracy.from_json(own) if own["status"] == "measured" else Missing(own["reason"]),
            {name: ComparedWorkload.from_json(cell) for name, cell in content["workloads"].items()},
        )


@dataclass(frozen=True)
class Noise:
    """The baseline beside itself on a workload, and the smallest ratio that this machine could have told from 1."""

    ratio: float
    low: float
    high: float
    smallest_difference_told: float


@dataclass(frozen=True)
class Reach:
    """Which accuracy budget the test rows can decide, and how many the study's needs."""

    rows: int
    decidable_budget_points: float
    rows_to_decide: int


@dataclass(frozen=True)
class ComparedStudy:
    """Every candidate of a study against the baseline: artifacts/report/comparison.json.

    Attributes:
        baseline: the candidate that is the baseline itself.
        analysis: the study's section of that name.
        noise: by workload; NotMeasured where the baseline beside itself was not.
        model: what its answers are worth, as the task has it; {} without answers.
        budget_in_reach: None without answers.
        candidates: in the order of params.yaml.
        agreement: of candidates that execute one ONNX file.
    """

    study: str
    baseline: str
    analysis: Mapping[str, Any]
    noise: Mapping[str, Noise | NotMeasured]
    model: Mapping[str, Any]
    budget_in_reach: Reach | None
    candidates: Mapping[str, ComparedCandidate]
    agreement: tuple[Agreement, ...]

    @property
    def budget_points(self) -> float:
        """What may be lost of the metric, percentage points."""
        return float(self.analysis["accuracy_budget_points"])

    @property
    def margin(self) -> float:
        """Ratios within 1 ± it count as equal."""
        return float(self.analysis["latency_margin"])

    @property
    def warnings(self) -> list[str]:
        """About the model, in words."""
        return list(self.model.get("warnings", []))

    def cell(self, candidate: str, workload: str) -> ComparedWorkload | None:
        """A candidate on a workload; None where it does not run it."""
        return self.candidates[candidate].workloads.get(workload)

    def as_json(self) -> Json:
        """The content of comparison.json."""
        noise = {
            name: own.model_dump(mode="json") if isinstance(own, NotMeasured) else asdict(own)
            for name, own in self.noise.items()
        }
        return {
            "schema_version": SCHEMA_VERSION,
            "study": self.study,
            "baseline": self.baseline,
            "analysis": dict(self.analysis),
            "noise": noise,
            "model": dict(self.model),
            "budget_in_reach": asdict(self.budget_in_reach) if self.budget_in_reach else {},
            "candidates": {name: own.as_json() for name, own in self.candidates.items()},
            "agreement": [pair.as_json() for pair in self.agreement],
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "ComparedStudy":
        """What `as_json` gave.

        Raises:
            KeyError, TypeError, ValueError: it is something else.
        """
        noise: dict[str, Noise | NotMeasured] = {
            name: fields_of(Noise, own) if "ratio" in own else NotMeasured.model_validate(own)
            for name, own in content["noise"].items()
        }
        return cls(
            study=content["study"],
            baseline=content["baseline"],
            analysis=content["analysis"],
            noise=noise,
            model=content["model"],
            budget_in_reach=fields_of(Reach, content["budget_in_reach"]) if content["budget_in_reach"] else None,
            candidates={name: ComparedCandidate.from_json(own) for name, own in content["candidates"].items()},
            agreement=tuple(Agreement.from_json(pair) for pair in content["agreement"]),
        )
