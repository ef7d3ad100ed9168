"""One candidate on one workload, held against the baseline: a cell of comparison.json."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from temper.measurement.record import LatencyRatio, NotMeasured

Json = dict[str, Any]


def fields_of(kind: Any, content: Mapping[str, Any]) -> Any:
    """A dataclass out of the keys of a document that are its own."""
    return kind(**{field.name: content[field.name] for field in fields(kind)})


@dataclass(frozen=True)
class NotFaster:
    """Why a lower precision is not faster than FP32 on the same backend.

    Attributes:
        precision: the lower one.
        compared_with: the candidate in FP32.
        relative_latency: over that one's.
        case: one of those of temper/report/decide/explanation.py.
        evidence: for it, in words.
    """

    precision: str
    compared_with: str
    relative_latency: float
    case: str
    evidence: str


@dataclass(frozen=True)
class Timed:
    """Figures of a workload whose calls were timed, also where they gave no ratio.

    Attributes:
        baseline_level_ms: the baseline's own latency beside the candidate; None where it was not timed.
        disturbance: how far the latency beside the baseline is from the latency alone: 0.1 is 10 % slower beside it.
        disturbed: whether that is more than the margin.
        throughput_samples_per_s: saturated.
        throughput_callers: at once, that reach it.
    """

    baseline_level_ms: float | None
    disturbance: float
    disturbed: bool
    throughput_samples_per_s: float
    throughput_callers: str


@dataclass(frozen=True)
class ComparedWorkload:
    """One candidate on one workload.

    Attributes:
        ratio: of its latency over the baseline's; what was not measured, the workload or its ratio, says why.
        why_not: why conclusions may not rest on it; '' where they may.
        verdict: win, loss, tie, undecided; 'disturbed' of a ratio that does not hold; None without one.
        timed: None where the workload was not measured.
        baseline_moved: how far the baseline beside it is from beside itself, where that is more than the margin.
        not_faster: where a lower precision is not.
    """

    ratio: LatencyRatio | NotMeasured
    why_not: str
    verdict: str | None = None
    timed: Timed | None = None
    baseline_moved: float | None = None
    not_faster: NotFaster | None = None

    @property
    def holds(self) -> bool:
        """Whether conclusions may rest on its ratio."""
        return not self.why_not

    @property
    def is_measured(self) -> bool:
        """Whether it has a ratio."""
        return isinstance(self.ratio, LatencyRatio)

    @property
    def reason(self) -> str:
        """Why there is no ratio; '' where there is one."""
        return self.ratio.reason if isinstance(self.ratio, NotMeasured) else ""

    @property
    def cause(self) -> str | None:
        """'busy' where it was not measured for want of a quiet machine."""
        return self.ratio.cause if isinstance(self.ratio, NotMeasured) else None

    @property
    def why_apart(self) -> str | None:
        """Why it was not timed in turns with the baseline."""
        return None if isinstance(self.ratio, NotMeasured) else self.ratio.why_apart

    @property
    def baseline_level_ms(self) -> float | None:
        """The baseline's own latency beside it; None where it was not timed."""
        return self.timed.baseline_level_ms if self.timed else None

    @property
    def taken(self) -> LatencyRatio:
        """Its ratio.

        Raises:
            ValueError: it has none.
        """
        if isinstance(self.ratio, NotMeasured):
            raise ValueError(f"there is no ratio: {self.ratio.reason}")
        return self.ratio

    def as_json(self) -> Json:
        """What stands in comparison.json."""
        found = self.ratio.model_dump(mode="json") | {"holds": self.holds}
        found |= asdict(self.timed) if self.timed else {}
        optional = {"why_not": self.why_not, "verdict": self.verdict, "baseline_moved": self.baseline_moved}
        found |= {key: value for key, value in optional.items() if value not in (None, "")}
        return found | ({"not_faster": asdict(self.not_faster)} if self.not_faster else {})

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "ComparedWorkload":
        """What `as_json` gave."""
        kind = LatencyRatio if content["status"] == "measured" else NotMeasured
        return cls(
            kind.model_validate({key: content[key] for key in kind.model_fields if key in content}),
            content.get("why_not", ""),
            content.get("verdict"),
            fields_of(Timed, content) if "disturbance" in content else None,
            content.get("baseline_moved"),
            fields_of(NotFaster, content["not_faster"]) if "not_faster" in content else None,
        )


def level_over(own: ComparedWorkload, other: ComparedWorkload) -> float:
    """The baseline's level beside one candidate over that beside another: its shift between the two.

    Raises:
        ValueError: one of the two levels was not measured.
    """
    if not own.baseline_level_ms or not other.baseline_level_ms:
        raise ValueError("the baseline beside it was not timed")
    return own.baseline_level_ms / other.baseline_level_ms
