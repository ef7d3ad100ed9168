"""What was decided for a study: the choice of each workload and why the others were left out, as decision.json holds it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from temper.report.read_back import read_back

SCHEMA_VERSION = 2  # 1 had choices that rested on disturbed measurements, and no sentences


@dataclass(frozen=True)
class OnFront:
    """A candidate whose latency holds and that no other beats in latency, accuracy and memory together.

    Attributes:
        latency_ratio: over the baseline's.
        accuracy: 0-1, or what else the budget is of.
        peak_rss_mib: of its process, running alone.
    """

    candidate: str
    latency_ratio: float
    accuracy: float
    peak_rss_mib: float


@dataclass(frozen=True)
class DecidedWorkload:
    """The choice of one workload. What has a default is absent from decision.json of earlier versions.

    Attributes:
        chosen: the candidate to serve; None where the evidence allows none.
        not_told_apart: others that time does not tell from it.
        latency_ratio: its latency over the baseline's; None where none was chosen.
        pareto_front: in the order of params.yaml.
        excluded: why each candidate cannot be chosen; none of those that can.
        provisional: whether the test rows are too few to show it within the budget.
        loses_at_most_points: upper bound of 95 % on the accuracy lost.
        left_open: what was disturbed or busy, and may be faster.
        warnings: about the model.
        sentence: the same for a person; '' where an earlier version wrote none.
    """

    chosen: str | None
    not_told_apart: tuple[str, ...]
    latency_ratio: float | None
    pareto_front: tuple[OnFront, ...]
    excluded: Mapping[str, str]
    provisional: bool = False
    loses_at_most_points: float | None = None
    left_open: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    sentence: str = ""

    @property
    def may_change(self) -> bool:
        """Whether more test rows, or figures that hold, may give another choice."""
        return self.provisional or bool(self.left_open)


UNDECIDED = DecidedWorkload(None, (), None, (), {})


@dataclass(frozen=True)
class Decision:
    """The choice of every workload of a study: artifacts/report/decision.json.

    Attributes:
        baseline: the candidate that is the baseline itself.
        accuracy_budget_points: what may be lost of the metric, percentage points.
        workloads: in the order of the study.
        remeasure: the command that measures anew, where a measurement was disturbed.
    """

    study: str
    baseline: str
    accuracy_budget_points: float
    workloads: Mapping[str, DecidedWorkload]
    remeasure: str | None = None

    def of(self, workload: str) -> DecidedWorkload:
        """What was decided for a workload; nothing is chosen where it is none of the decision's."""
        return self.workloads.get(workload, UNDECIDED)

    def as_json(self) -> dict[str, Any]:
        """The content of decision.json."""
        return {"schema_version": SCHEMA_VERSION, **asdict(self)}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Decision":
        """What `as_json` gave, of this version or of an earlier one.

        Raises:
            ValueError: it is something else.
        """
        return TypeAdapter(cls).validate_python(content)


def read_decision(file: str | Path) -> Decision:
    """What a decision.json says.

    Raises:
        ArtifactError: it is absent, or holds something else.
    """
    return read_back(file, Decision.from_json)
